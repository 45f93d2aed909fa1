// The admin key opens everything on the platform: only its owner may read it.
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import type { Context } from "../../../cli/context.ts";
import { loadAccess, saveAccess } from "../../../cli/credentials.ts";
import { captureOutput } from "./captured-output.ts";
import { createTemporaryFolder } from "./temporary-folder.ts";

function createContext(environment: Context["environment"] = {}): Context {
  const folder = createTemporaryFolder();
  return {
    environment,
    directory: folder,
    homeDirectory: folder,
    isRoot: false,
    directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
    output: captureOutput().output,
    isVerbose: false,
    signal: new AbortController().signal,
  };
}

const access = { url: "http://127.0.0.1:8800", apiKey: "byom_secret" };

it("keeps the key in a file and a folder that only their owner reads", async () => {
  const context = createContext();
  const path = await saveAccess(context, access);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o777).toBe(0o700);
  expect(await loadAccess(context)).toEqual(access);
});

it("replaces a file that others could read by one that they cannot, and leaves no copy", async () => {
  const context = createContext();
  const path = await saveAccess(context, access);
  chmodSync(path, 0o644);
  await saveAccess(context, { ...access, apiKey: "byom_new" });
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(dirname(path))).toEqual(["credentials.json"]);
  expect((await loadAccess(context)).apiKey).toBe("byom_new");
});

it("does not keep the mode of what a broken write left behind", async () => {
  const context = createContext();
  const leftover = join(context.directories.config, "credentials.json.new");
  mkdirSync(context.directories.config);
  writeFileSync(leftover, "{", { mode: 0o644 });
  const path = await saveAccess(context, access);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it("prefers BYOM_URL and BYOM_API_KEY, each for itself", async () => {
  const context = createContext({ BYOM_URL: "https://models.example/" });
  await saveAccess(context, access);
  expect(await loadAccess(context)).toEqual({
    url: "https://models.example",
    apiKey: "byom_secret",
  });
  const elsewhere = createContext({ BYOM_URL: "https://models.example", BYOM_API_KEY: "k" });
  expect(await loadAccess(elsewhere)).toEqual({ url: "https://models.example", apiKey: "k" });
});

it("says how to get a platform when none is known", async () => {
  await expect(loadAccess(createContext())).rejects.toMatchObject({
    code: "platform_unknown",
    hint: expect.stringContaining("byom up"),
  });
});

it("names the file when it cannot be read, instead of a parser's words alone", async () => {
  const context = createContext();
  const path = await saveAccess(context, access);
  writeFileSync(path, "{");
  await expect(loadAccess(context)).rejects.toMatchObject({
    code: "credentials_unreadable",
    message: expect.stringContaining(path),
  });
});
