// What an operator loses when these fail: keys that a stolen catalog.db does not give away.
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { openSecretBox } from "../../../../../gateway/upstream/provider/secret-box.ts";

let directory: string;
let file: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-box-"));
  file = join(directory, "master-key.json");
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const secret = "sk-very-secret";

it("opens what it sealed, in a later process too", () => {
  const sealed = openSecretBox(file).seal("openai", secret);
  expect(JSON.stringify(sealed)).not.toContain(secret);
  expect(openSecretBox(file).open("openai", sealed)).toBe(secret);
});

it("seals the same secret differently each time", () => {
  const box = openSecretBox(file);
  expect(box.seal("a", secret)).not.toEqual(box.seal("a", secret));
});

it("does not open a record that was moved to another name, changed, or cut", () => {
  const box = openSecretBox(file);
  const sealed = box.seal("openai", secret);
  const flipped = Buffer.from(sealed.ciphertext, "base64");
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  expect(box.open("my-vllm", sealed)).toBeUndefined();
  expect(box.open("openai", { ...sealed, ciphertext: flipped.toString("base64") })).toBeUndefined();
  expect(box.open("openai", { ...sealed, tag: sealed.tag.slice(0, 8) })).toBeUndefined();
  expect(box.open("openai", { ...sealed, nonce: "" })).toBeUndefined();
  expect(box.open("openai", { ...sealed, keyId: "k0" })).toBeUndefined();
});

it("opens with a former master key until it is forgotten", () => {
  const box = openSecretBox(file);
  const old = box.seal("a", secret);
  box.rotate();
  const fresh = box.seal("a", secret);
  expect(fresh.keyId).not.toBe(old.keyId);
  expect(openSecretBox(file).open("a", old)).toBe(secret);
  box.forget();
  expect(openSecretBox(file).open("a", old)).toBeUndefined();
  expect(openSecretBox(file).open("a", fresh)).toBe(secret);
});

it("keeps its file for the owner alone, also one that was readable for others", async () => {
  openSecretBox(file).seal("a", secret);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await chmod(file, 0o644);
  openSecretBox(file);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, "utf8")).not.toContain(secret);
});

it("makes no key before there is a secret, and refuses a file that is no list of keys", async () => {
  openSecretBox(file);
  await expect(stat(file)).rejects.toThrow("ENOENT");
  await writeFile(file, "{}");
  expect(() => openSecretBox(file)).toThrow("no list of master keys");
});
