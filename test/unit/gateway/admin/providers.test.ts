// What an operator loses when these fail: a provider that works with the next call, and a key that nobody else sees.
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { readProviderFile } from "../../../../gateway/index.ts";
import type { ProviderDouble } from "../../../support/provider-double.ts";
import { removeDirectory, startPlatform, startVllm, vllmKey, type Platform } from "./platform.ts";

let platform: Platform;
let vllm: ProviderDouble;
beforeEach(async () => {
  platform = await startPlatform({ environment: { VLLM_KEY: vllmKey, WRONG: "sk-wrong-key-1" } });
  vllm = await startVllm();
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
  await vllm.close();
});

const put = (body: Readonly<Record<string, unknown>> = {}): ReturnType<Platform["call"]> =>
  platform.call("PUT", "/api/v1/providers/my-vllm", {
    body: {
      adapter: "openai-compatible",
      baseUrl: vllm.baseUrl,
      allowPrivate: true,
      ...body,
    },
  });
const addAll = (): ReturnType<Platform["call"]> =>
  platform.call("POST", "/api/v1/providers/my-vllm/models", { body: {} });

/** Everything that the platform wrote, with the write-ahead log. */
async function everythingOnDisk(): Promise<string> {
  const names = await readdir(platform.directory, { recursive: true, withFileTypes: true });
  const files = names.filter((entry) => entry.isFile());
  const texts = await Promise.all(
    files.map((entry) => readFile(join(entry.parentPath, entry.name), "latin1")),
  );
  return texts.join("\n");
}

describe("a key that is stored", () => {
  it("serves calls, comes back with no answer, and lies nowhere in clear", async () => {
    const answer = await put({ key: vllmKey });
    expect(answer.body).toEqual({
      name: "my-vllm",
      adapter: "openai-compatible",
      title: "OpenAI-compatible",
      baseUrl: vllm.baseUrl,
      headers: [],
      allowPrivate: true,
      from: "api",
      key: { kind: "stored", isSet: true },
    });
    await addAll();
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
    const list = await platform.call("GET", "/api/v1/providers");
    const one = await platform.call("GET", "/api/v1/providers/my-vllm");
    expect(JSON.stringify([answer.body, list.body, one.body])).not.toContain(vllmKey);
    expect(await everythingOnDisk()).not.toContain(vllmKey);
    const mode = (await stat(join(platform.directory, "master-key.json"))).mode & 0o777;
    expect(mode).toBe(0o600);
  });

  it("stays through a restart, a rotation of the master key, and a change of other settings", async () => {
    await put({ key: vllmKey });
    await addAll();
    const before = await readFile(join(platform.directory, "master-key.json"), "utf8");
    const rotated = await platform.call("POST", "/api/v1/providers/master-key/rotate", {
      body: {},
    });
    expect(rotated.body).toEqual({ secrets: 1 });
    const after = JSON.parse(await readFile(join(platform.directory, "master-key.json"), "utf8"));
    expect(Object.keys(after.keys)).toEqual([after.current]);
    expect(before).not.toContain(after.current);
    await put({ headers: { "x-team": "search" } });
    await platform.close();
    platform = await startPlatform({ directory: platform.directory });
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
    expect(vllm.requests.at(-1)?.headers).toMatchObject({ "x-team": "search" });
  });

  it("does not follow the provider to another host by itself", async () => {
    await put({ key: vllmKey });
    const moved = await put({ baseUrl: "http://127.0.0.1:9/v1" });
    expect(moved.status).toBe(409);
    const { body } = await platform.call("GET", "/api/v1/providers/my-vllm");
    expect(body.baseUrl).toBe(vllm.baseUrl);
  });

  it("is gone with its provider; its models then need a key of the caller's", async () => {
    await put({ key: vllmKey });
    await addAll();
    expect((await platform.call("DELETE", "/api/v1/providers/my-vllm")).status).toBe(204);
    const answer = await platform.chat("my-vllm/Qwen/Qwen3-8B");
    expect(answer.status).toBe(503);
    expect((await platform.call("DELETE", "/api/v1/providers/my-vllm")).status).toBe(404);
  });

  it("whose master key was lost is said to be lost, and everything else goes on", async () => {
    await put({ key: vllmKey });
    await addAll();
    await platform.close();
    await removeDirectory(join(platform.directory, "master-key.json"));
    platform = await startPlatform({ directory: platform.directory });
    const { body } = await platform.call("GET", "/api/v1/providers/my-vllm");
    expect(body.key.isSet).toBe(false);
    expect(body.key.problem).toMatch(/master key k[0-9a-f]{8} is gone/);
    expect((await platform.chat("acme/chat")).status).toBe(200);
    await put({ key: vllmKey });
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
  });
});

describe("a key elsewhere", () => {
  it("comes from a variable of the platform", async () => {
    const answer = await put({ keyEnvironment: "VLLM_KEY" });
    expect(answer.body.key).toEqual({ kind: "environment", name: "VLLM_KEY", isSet: true });
    await addAll();
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
  });

  it("that is not there is said to be missing", async () => {
    const { body } = await put({ keyEnvironment: "NOT_SET" });
    expect(body.key).toMatchObject({ isSet: false });
    expect(body.key.problem).toContain("NOT_SET");
  });

  it("of the caller goes before the operator's", async () => {
    await put({ keyEnvironment: "WRONG" });
    await platform.call("POST", "/api/v1/providers/my-vllm/models", {
      body: { models: ["Qwen/Qwen3-8B"] },
    });
    const headers = { "x-byom-provider-key": vllmKey };
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B", { headers })).status).toBe(200);
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(502);
  });
});

describe("a provider", () => {
  it.each([
    ["a loopback address", "http://127.0.0.1:8000/v1"],
    ["a private address", "https://10.0.0.5/v1"],
    ["the cloud's metadata", "http://169.254.169.254/latest"],
    ["this machine by name", "https://localhost:8000/v1"],
    ["plain http to the public", "http://api.example.com/v1"],
    ["another scheme", "file:///etc/passwd"],
    ["credentials in it", "https://user:pass@api.example.com/v1"],
  ])("is refused with %s as its URL", async (_what, baseUrl) => {
    const answer = await put({ baseUrl, allowPrivate: false });
    expect(answer.status).toBe(400);
    expect((await platform.call("GET", "/api/v1/providers/my-vllm")).status).toBe(404);
  });

  it.each([
    ["a key with a line end", { key: "sk-a\nx-injected: 1" }],
    ["a header with a line end", { headers: { "x-a": "1\r\nx-b: 2" } }],
    ["two keys", { key: "sk-a", keyEnvironment: "VLLM_KEY" }],
    ["an adapter that does not exist", { adapter: "telepathy" }],
    ["no URL where none is known", { baseUrl: undefined }],
    ["a file as key, which the API must not read", { keyFile: "/etc/shadow" }],
  ])("is refused with %s", async (_what, body) => {
    expect((await put(body)).status).toBe(400);
  });

  it("that is known needs a key only", async () => {
    const answer = await platform.call("PUT", "/api/v1/providers/anthropic", {
      body: { adapter: "anthropic", key: "sk-ant-1" },
    });
    expect(answer.body).toMatchObject({ adapter: "anthropic", key: { isSet: true } });
    const model = await platform.call("GET", "/api/v1/catalog/models/anthropic/claude-haiku-4.5");
    expect(model.body.isCallable).toBe(true);
  });

  it("whose address is each operator's own says what one looks like", async () => {
    const answer = await platform.call("PUT", "/api/v1/providers/workers-ai", {
      body: { adapter: "workers-ai", key: "cf-1" },
    });
    expect(answer.status).toBe(400);
    expect(answer.body.error.hint).toContain("/accounts/ACCOUNT_ID/ai");
  });

  it("is tested by a question that costs nothing, and says whether it takes the key", async () => {
    await put({ key: vllmKey });
    const good = await platform.call("POST", "/api/v1/providers/my-vllm/test", { body: {} });
    expect(good.body).toMatchObject({
      isReachable: true,
      isKeyAccepted: true,
      status: 200,
      models: ["Qwen/Qwen3-8B", "bge-m3", "a b"],
    });
    await put({ key: "sk-wrong-key-1" });
    const bad = await platform.call("POST", "/api/v1/providers/my-vllm/test", { body: {} });
    expect(bad.body).toMatchObject({ isReachable: true, isKeyAccepted: false, status: 401 });
    expect(JSON.stringify(bad.body)).not.toContain("sk-wrong-key-1");
    await vllm.close();
    const gone = await platform.call("POST", "/api/v1/providers/my-vllm/test", { body: {} });
    expect(gone.status).toBe(200);
    expect(gone.body).toMatchObject({ isReachable: false });
    expect(gone.body.message).toContain("ECONNREFUSED");
  });

  it("has all that it lists added in one go, but names that are none", async () => {
    await put({ key: vllmKey });
    const answer = await addAll();
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      added: ["my-vllm/Qwen/Qwen3-8B", "my-vllm/bge-m3"],
      skipped: ["a b"],
    });
    const embeddings = await platform.call("GET", "/api/v1/catalog/models/my-vllm/bge-m3");
    expect(embeddings.body.task).toBe("text-embeddings");
  });

  it("whose list cannot be had adds nothing and says why", async () => {
    await put({ key: "sk-wrong-key-1" });
    const answer = await addAll();
    expect(answer.status).toBe(502);
    const { body } = await platform.call("GET", "/api/v1/catalog/models?source=my-vllm");
    expect(body.models).toEqual([]);
  });
});

describe("the operator's file", () => {
  const file = (baseUrl: string, key = "env:VLLM_KEY"): ReturnType<typeof readProviderFile> =>
    readProviderFile(
      { bundled: "configured", providers: { "my-vllm": { base_url: baseUrl, key }, vidu: {} } },
      { directory: "/etc/byom" },
    );

  it("brings providers with keys from variables, which the API does not change", async () => {
    await platform.close();
    platform = await startPlatform({
      directory: platform.directory,
      environment: { VLLM_KEY: vllmKey },
      file: file(vllm.baseUrl),
    });
    await addAll();
    expect((await platform.chat("my-vllm/Qwen/Qwen3-8B")).status).toBe(200);
    expect((await put({ key: "sk-other" })).status).toBe(409);
    expect((await platform.call("DELETE", "/api/v1/providers/my-vllm")).status).toBe(409);
    const { body } = await platform.call("GET", "/api/v1/catalog/models?source=bundled");
    expect(body.models).toEqual([]);
    await platform.call("PUT", "/api/v1/providers/recraft", {
      body: { adapter: "recraft", key: "rk-1" },
    });
    const more = await platform.call("GET", "/api/v1/catalog/models?source=bundled");
    expect(more.body.models.map(({ id }: { id: string }) => id)).toContain("recraft/recraftv4");
  });

  it.each([
    ["a key in clear", { providers: { openai: { key: "sk-in-clear" } } }, /a key itself/],
    ["an unknown field", { providers: { openai: { keyy: "env:X" } } }, /keyy/],
    ["an unknown adapter", { providers: { x: { adapter: "y" } } }, /providers.x.adapter/],
    ["a list", { providers: [] }, /providers/],
    ["an odd name", { providers: { "My vLLM": {} } }, /My vLLM/],
  ])("is refused with %s", (_what, value, message) => {
    expect(() => readProviderFile(value, { directory: "/" })).toThrow(message);
  });

  it("names key files relative to itself", () => {
    const { providers } = file("http://10.0.0.5/v1", "file:secrets/vllm");
    expect(providers[0]?.key).toEqual({ kind: "file", path: "/etc/byom/secrets/vllm" });
    expect(providers[1]).toMatchObject({ adapter: "vidu", key: { kind: "none" } });
  });
});

it("the administration is described in OpenAPI, with every body", async () => {
  const { adminPaths } = await import("../../../../gateway/index.ts");
  const paths = adminPaths();
  expect(Object.keys(paths)).toMatchInlineSnapshot(`
    [
      "/api/v1/catalog/models",
      "/api/v1/catalog/models/{model}",
      "/api/v1/catalog/hidden",
      "/api/v1/catalog/restore/{model}",
      "/api/v1/catalog/metadata/{model}",
      "/api/v1/catalog/refresh",
      "/api/v1/catalog/sheets",
      "/api/v1/catalog/sheets/{format}",
      "/api/v1/aliases",
      "/api/v1/aliases/{alias}",
      "/api/v1/prices",
      "/api/v1/price-history/{model}",
      "/api/v1/prices/{model}",
      "/api/v1/hardware-prices",
      "/api/v1/hardware-prices/{hardware}",
      "/api/v1/providers",
      "/api/v1/providers/master-key/rotate",
      "/api/v1/providers/{name}",
      "/api/v1/providers/{name}/test",
      "/api/v1/providers/{name}/models",
      "/api/v1/logs",
      "/api/v1/logs/tail",
      "/api/v1/logs/export",
      "/api/v1/logs/settings",
      "/api/v1/logs/{id}",
      "/api/v1/logs/{id}/payload",
      "/api/v1/routes",
      "/api/v1/routes/{name}",
      "/api/v1/routes/{name}/versions",
      "/api/v1/routes/{name}/rollback",
      "/api/v1/routes/{name}/try",
      "/api/v1/routes/{name}/health",
      "/api/v1/limits",
      "/api/v1/limits/{name}",
      "/api/v1/spend",
      "/api/v1/spend/legs",
      "/api/v1/spend/dimensions",
      "/api/v1/spend/settle",
      "/api/v1/budgets",
      "/api/v1/budgets/{budget}",
      "/api/v1/cache",
    ]
  `);
  const put = paths["/api/v1/providers/{name}"]?.["put"] as {
    requestBody: { content: { "application/json": { schema: { properties: object } } } };
  };
  const { properties } = put.requestBody.content["application/json"].schema;
  expect(Object.keys(properties)).toEqual([
    "adapter",
    "baseUrl",
    "headers",
    "allowPrivate",
    "key",
    "keyEnvironment",
  ]);
});
