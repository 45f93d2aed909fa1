import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { createAdminApi } from "../../../../runtime/api/admin.ts";
import { createKeys, type KeyRing } from "../../../../runtime/api/keys.ts";
import { deployRequest } from "../deploy-request.ts";
import { FakePlatform, never } from "../fake-platform.ts";

let platform: FakePlatform;
let keys: KeyRing;
let server: Server;
let origin = "";
let admin = "";

beforeEach(async () => {
  platform = await FakePlatform.create();
  keys = createKeys(platform.store);
  admin = keys.ensureAdminKey()?.secret ?? "";
  const api = createAdminApi({ runtime: platform.runtime, keys });
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://platform");
    void api(request, response, pathname).then((isHandled) => {
      if (!isHandled) response.writeHead(418).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await platform[Symbol.asyncDispose]();
});

async function call(
  method: string,
  path: string,
  options: { body?: unknown; secret?: string; accept?: string; signal?: AbortSignal } = {},
): Promise<{ status: number; text: string; json: () => Record<string, unknown> }> {
  const { body, secret = admin, accept, signal } = options;
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: {
      ...(secret === "" ? {} : { authorization: `Bearer ${secret}` }),
      ...(accept === undefined ? {} : { accept }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal === undefined ? {} : { signal }),
  });
  const text = await response.text();
  return { status: response.status, text, json: () => JSON.parse(text) };
}

function deployBody(image: string): Record<string, unknown> {
  const { modelId, ...body } = deployRequest(image);
  void modelId;
  return body;
}

const deployments = "/api/v1/models/acme/greeter/deployments";

describe("a deploy over HTTP", () => {
  test("streams its events as lines, the result last", async () => {
    const { status, text } = await call("POST", deployments, {
      body: deployBody("one"),
      accept: "application/x-ndjson",
    });
    const lines = text
      .trim()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line));
    expect(status).toBe(200);
    expect(lines[0]).toMatchObject({ type: "image-ready" });
    expect(lines.at(-1)).toMatchObject({
      type: "result",
      result: { version: { number: 1, createdBy: "admin" }, output: "hello" },
    });
  });

  test("that fails tells the phase and the log lines, streamed or not", async () => {
    platform.engine.behaviours.set("bad", { setup: "memory" });
    const error = {
      code: "deploy_failed",
      phase: "setup",
      exitCode: 137,
      isOutOfMemory: true,
      logLines: ["Traceback", "RuntimeError: no weights"],
      hint: expect.stringContaining("memory"),
    };
    const plain = await call("POST", deployments, { body: deployBody("bad") });
    expect([plain.status, plain.json()]).toMatchObject([422, { error }]);
    const streamed = await call("POST", deployments, {
      body: deployBody("bad"),
      accept: "application/x-ndjson",
    });
    const last: unknown = JSON.parse(streamed.text.trim().split("\n").at(-1) ?? "");
    expect(last).toMatchObject({ type: "error", error });
  });

  test("ends when its client goes away, and leaves no container", async () => {
    platform.engine.behaviours.set("slow", { setup: "hang" });
    const abort = new AbortController();
    const deploy = call("POST", deployments, { body: deployBody("slow"), signal: abort.signal });
    await expect.poll(() => platform.engine.running.length).toBe(1);
    abort.abort();
    await expect(deploy).rejects.toThrow("aborted");
    await expect.poll(() => platform.engine.containers.size).toBe(0);
  });

  test("with a body that is not understood names the field", async () => {
    const body = { ...deployBody("one"), scaling: { max: 0 }, colour: "red" };
    const { status, json } = await call("POST", deployments, { body });
    expect(status).toBe(400);
    const { message } = json()["error"] as { message: string };
    expect(message).toContain("scaling.max");
    expect(message).toContain("colour");
  });

  test("may mount the host's files only with an admin key", async () => {
    const { secret } = keys.create({ name: "ci", scopes: ["deploy"] });
    const mounts = [{ source: "/", target: "/host", isReadOnly: false }];
    const body = { ...deployBody("one"), settings: { mounts } };
    const { status } = await call("POST", deployments, { body, secret });
    expect(status).toBe(403);
    expect(platform.engine.containers.size).toBe(0);
  });
});

test("versions, traffic, scale and logs of a model are read and changed", async () => {
  await call("POST", deployments, { body: deployBody("one") });
  await call("POST", deployments, { body: deployBody("two") });
  const model = "/api/v1/models/acme/greeter";
  expect((await call("POST", `${model}/rollback`)).json()).toMatchObject({
    traffic: [{ version: 1, percent: 100 }],
  });
  const promote = await call("POST", `${model}/promote`, { body: { version: 2, percent: 10 } });
  expect(promote.json()).toMatchObject({
    traffic: [
      { version: 1, percent: 90 },
      { version: 2, percent: 10 },
    ],
  });
  const scaled = await call("POST", `${model}/scale`, { body: { max: 3, to: "stopped" } });
  expect(scaled.json()).toMatchObject({ deployment: { scaling: { max: 3 } }, instances: [] });
  expect((await call("GET", `${model}/versions`)).json()).toMatchObject({
    versions: [{ number: 2 }, { number: 1 }],
  });
  expect((await call("GET", "/api/v1/status")).json()).toMatchObject({
    engine: { version: "fake" },
    models: [{ id: "acme/greeter" }],
  });
  const lease = await platform.runtime.acquire("acme/greeter", { signal: never, version: 1 });
  const logs = await call("GET", `/api/v1/instances/${lease.instanceId}/logs?lines=5`);
  expect(logs.json()).toEqual({ logs: "Traceback\nRuntimeError: no weights\n" });
  lease.release("done");
  expect((await call("DELETE", model)).status).toBe(204);
  expect((await call("GET", model)).status).toBe(404);
});

test.each([
  ["GET", "/api/v1/models", "", 401, "unauthorized"],
  ["GET", "/api/v1/models", "byom_wrong", 401, "unauthorized"],
  ["GET", "/api/v1/nothing", undefined, 404, "not_found"],
  ["DELETE", "/api/v1/models", undefined, 405, "method_not_allowed"],
  ["GET", "/api/v1/models/ACME/x", undefined, 400, "invalid_model_id"],
  ["GET", "/api/v1/instances/i-none/logs", undefined, 404, "instance_not_found"],
  ["DELETE", "/api/v1/snapshots/none", undefined, 404, "snapshot_not_found"],
])("%s %s with key %s is answered %d %s", async (method, path, secret, status, code) => {
  const response = await call(method, path, secret === undefined ? {} : { secret });
  expect([response.status, response.json()]).toMatchObject([status, { error: { code } }]);
});

test("a body beyond the limit is refused before it fills the memory", async () => {
  const body = { ...deployBody("one"), filler: "x".repeat(17 * 1024 * 1024) };
  const refused = await call("POST", deployments, { body }).then(
    ({ status }) => status,
    () => "connection closed",
  );
  expect([413, "connection closed"]).toContain(refused);
  expect(platform.engine.containers.size).toBe(0);
});

test("the document describes every route without a key; other paths are not ours", async () => {
  const { json } = await call("GET", "/api/v1/openapi.json", { secret: "" });
  const { paths } = json() as { paths: Record<string, object> };
  expect(Object.keys(paths)).toContain("/api/v1/models/{owner}/{name}/deployments");
  expect((await call("GET", "/v1/models")).status).toBe(418);
});
