// What a model is entrusted with. If one of these fails, a token lies readable on the disk, or reaches a model that it
// was not given to.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { explainMissing } from "../../../../runtime/secrets/required.ts";
import { openStore, type Store } from "../../../../runtime/store/store.ts";

const value = "hf_5ecret-value-nobody-may-read";
const modelId = "acme/model";
const versionFacts = { weightsDigest: "sha256:0", inputSchema: {}, outputSchema: {} };
let dataDirectory: string;
let store: Store;

beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), "byom-secrets-"));
  store = openStore({ dataDirectory });
});
afterEach(() => {
  store.close();
  rmSync(dataDirectory, { recursive: true, force: true });
});

function reopen(): void {
  store.close();
  store = openStore({ dataDirectory });
}

it("gives values back by scope after a restart, and lists names without them", () => {
  store.secrets.set({ modelId, name: "HF_TOKEN", scope: "run" }, value);
  store.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "zwölf");
  reopen();
  expect(store.secrets.values(modelId)).toEqual({ HF_TOKEN: value, LICENSE: "zwölf" });
  expect(store.secrets.values(modelId, "run")).toEqual({ HF_TOKEN: value });
  expect(store.secrets.values(modelId, "setup")).toEqual({ LICENSE: "zwölf" });
  expect(store.secrets.values("acme/other")).toEqual({});
  expect(store.secrets.list()).toEqual([
    { modelId, name: "HF_TOKEN", scope: "run", createdAt: expect.stringMatching(/Z$/) },
    { modelId, name: "LICENSE", scope: "setup", createdAt: expect.stringMatching(/Z$/) },
  ]);
  expect(JSON.stringify(store.secrets.list())).not.toContain(value);
});

it("replaces a value with its scope, and forgets a removed one", () => {
  store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, "old");
  store.secrets.set({ modelId, name: "TOKEN", scope: "setup" }, "new");
  expect(store.secrets.values(modelId, "setup")).toEqual({ TOKEN: "new" });
  expect(store.secrets.values(modelId, "run")).toEqual({});
  expect(store.secrets.remove(modelId, "TOKEN")).toBe(true);
  expect(store.secrets.remove(modelId, "TOKEN")).toBe(false);
  expect(store.secrets.values(modelId)).toEqual({});
});

it("may be given before the first deploy, and goes with the model", () => {
  store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, value);
  store.models.recordVersion({
    version: {
      ...versionFacts,
      modelId,
      image: { imageId: "sha256:1", reference: "r/acme/model@sha256:1" },
      digest: "sha256:1",
      isStreaming: false,
      hardware: "cpu",
      settings: {
        environment: {},
        mounts: [],
        setupTimeoutMs: 1,
        exampleTimeoutMs: 1,
        snapshots: "auto",
      },
      card: { description: "", task: "other", requestFormats: ["predictions"] },
    },
    identity: "1",
    createdAt: "2026-01-01T00:00:00.000Z",
  });
  expect(store.secrets.list(modelId)).toHaveLength(1);
  store.models.remove(modelId);
  expect(store.secrets.list(modelId)).toEqual([]);
});

describe("at rest", () => {
  it("no file of the data directory has the value, and the key is its owner's alone", () => {
    store.secrets.set({ modelId, name: "TOKEN", scope: "setup" }, value);
    store.secrets.digest(modelId);
    const files = readdirSync(dataDirectory);
    expect(files).toContain("secrets.key");
    for (const file of files) {
      const bytes = readFileSync(join(dataDirectory, file));
      expect(bytes.includes(value), file).toBe(false);
      expect(bytes.includes(Buffer.from(value).toString("base64").slice(0, 20)), file).toBe(false);
    }
    expect(statSync(join(dataDirectory, "secrets.key")).mode & 0o777).toBe(0o600);
  });

  it("a platform without secrets has no key", () => {
    expect(store.secrets.values(modelId)).toEqual({});
    expect(store.secrets.digest(modelId)).toBeUndefined();
    expect(readdirSync(dataDirectory)).not.toContain("secrets.key");
  });

  it("a value that was moved to another model, or changed by one bit, does not open", () => {
    store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, value);
    store.close();
    const database = new DatabaseSync(join(dataDirectory, "platform.db"));
    database.exec(
      `INSERT INTO secrets SELECT 'eve/model', name, scope, sealed, created_at FROM secrets`,
    );
    const row = database.prepare("SELECT sealed FROM secrets WHERE model_id = ?").get(modelId);
    const sealed = Buffer.from(row?.["sealed"] as Uint8Array);
    sealed.writeUInt8(sealed.readUInt8(sealed.length - 1) ^ 1, sealed.length - 1);
    database.prepare("UPDATE secrets SET sealed = ? WHERE model_id = ?").run(sealed, modelId);
    database.close();
    store = openStore({ dataDirectory });
    for (const each of ["eve/model", modelId]) {
      expect(() => store.secrets.values(each)).toThrow(
        expect.objectContaining({
          code: "secrets_unreadable",
          hint: expect.stringMatching(/backup/),
        }),
      );
    }
  });

  it("another key, or none that is a key, is an error and never an empty value", () => {
    store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, value);
    for (const key of [Buffer.alloc(32).toString("base64"), "short"]) {
      writeFileSync(join(dataDirectory, "secrets.key"), key);
      reopen();
      expect(() => store.secrets.values(modelId)).toThrow(
        expect.objectContaining({ code: "secrets_unreadable" }),
      );
    }
  });
});

describe("the digest that keys snapshots", () => {
  it("changes with the values of setup only, is the same again for the same, and differs between platforms", () => {
    store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, "a");
    expect(store.secrets.digest(modelId)).toBeUndefined();
    store.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "one");
    const one = store.secrets.digest(modelId);
    expect(one).toMatch(/^[0-9a-f]{64}$/);
    store.secrets.set({ modelId, name: "TOKEN", scope: "run" }, "b");
    expect(store.secrets.digest(modelId)).toBe(one);
    store.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "two");
    expect(store.secrets.digest(modelId)).not.toBe(one);
    store.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "one");
    reopen();
    expect(store.secrets.digest(modelId)).toBe(one);
    const elsewhere = openStore({ dataDirectory: join(dataDirectory, "other") });
    elsewhere.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "one");
    // Nobody without this platform's key can try values against it.
    expect(elsewhere.secrets.digest(modelId)).not.toBe(one);
    elsewhere.close();
  });
});

describe("explainMissing", () => {
  it("names what a model lacks with the commands that give it", () => {
    const required = [
      { name: "HF_TOKEN", scope: "run" },
      { name: "LICENSE", scope: "setup" },
    ] as const;
    expect(explainMissing(modelId, required, store.secrets)).toEqual({
      message: "acme/model needs secrets that it does not have: HF_TOKEN, LICENSE",
      hint: "byom secrets set acme/model HF_TOKEN; byom secrets set acme/model LICENSE --setup",
    });
    store.secrets.set({ modelId, name: "HF_TOKEN", scope: "setup" }, "more than needed");
    store.secrets.set({ modelId, name: "LICENSE", scope: "run" }, "less than needed");
    expect(explainMissing(modelId, required, store.secrets)).toEqual({
      message:
        "acme/model needs a secret that it does not have: LICENSE (given for predictions only, setup() needs it too)",
      hint: "byom secrets set acme/model LICENSE --setup",
    });
    store.secrets.set({ modelId, name: "LICENSE", scope: "setup" }, "as needed");
    expect(explainMissing(modelId, required, store.secrets)).toBeUndefined();
  });
});
