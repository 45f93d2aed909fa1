// The keys' routes, and what a key may do at the admin API, over a real port.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { afterEach, beforeEach, expect, test } from "vitest";

import { createAdminApi } from "../../../../runtime/api/admin.ts";
import { createKeys, type KeyRing } from "../../../../runtime/api/keys.ts";
import { FakePlatform } from "../fake-platform.ts";

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
    void api(request, response, new URL(request.url ?? "/", "http://platform").pathname);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
});

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await platform[Symbol.asyncDispose]();
});

interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

async function call(
  method: string,
  path: string,
  options: { readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Answer> {
  const response = await fetch(`${origin}${path}`, {
    method,
    headers: options.headers ?? { authorization: `Bearer ${admin}` },
    ...(options.body !== undefined && { body: JSON.stringify(options.body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
}

const bearer = (secret: unknown): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${String(secret)}` },
});

test("a key is made, listed without its secret, rotated and revoked, each at once", async () => {
  const body = { name: "ci", scopes: ["deploy"], models: ["acme/*"], expiresInMs: 60_000 };
  const made = await call("POST", "/keys", { body });
  expect(made).toMatchObject({ status: 201, body: { name: "ci", models: ["acme/*"] } });
  const { id, secret } = made.body;
  const listed = JSON.stringify((await call("GET", "/keys")).body);
  expect(listed).toContain(String(id));
  expect(listed).not.toContain(String(secret));
  expect((await call("GET", "/models", bearer(secret))).status).toBe(200);

  const rotated = await call("POST", `/keys/${String(id)}/rotate`, { body: { graceMs: 60_000 } });
  expect(rotated).toMatchObject({ status: 200, body: { id, formerExpiresAt: expect.any(String) } });
  expect((await call("GET", "/models", bearer(secret))).status).toBe(200);
  expect((await call("GET", "/models", bearer(rotated.body["secret"]))).status).toBe(200);
  await call("POST", `/keys/${String(id)}/rotate`);
  expect((await call("GET", "/models", bearer(rotated.body["secret"]))).body).toMatchObject({
    error: { code: "key_expired", message: expect.stringContaining("expired at") },
  });

  expect((await call("DELETE", `/keys/${String(id)}`)).status).toBe(204);
  expect((await call("GET", "/models", bearer(secret))).status).toBe(401);
});

test.each([
  [{ name: "x", scopes: [] }, "scopes"],
  [{ name: "x", scopes: ["root"] }, "scopes"],
  [{ name: "x", scopes: ["call"], models: [] }, "models"],
  [{ name: "x", scopes: ["call"], models: ["a*b"] }, "owner/*"],
  [{ name: "x", scopes: ["admin"], models: ["me/*"] }, "cannot be for some models"],
  [{ name: "x", scopes: ["call"], expiresInMs: 0 }, "expiresInMs"],
  [{ name: "x", scopes: ["call"], colour: "red" }, "colour"],
])("a key like %j is not made", async (body, word) => {
  const answer = await call("POST", "/keys", { body });
  expect(answer).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining(word) } },
  });
  expect(keys.list().length).toBe(1);
});

test("a deploy key neither reads nor makes keys", async () => {
  const { key, secret } = keys.create({ name: "ci", scopes: ["deploy"] });
  for (const [method, path] of [
    ["GET", "/keys"],
    ["POST", "/keys"],
    ["POST", `/keys/${key.id}/rotate`],
    ["DELETE", `/keys/${key.id}`],
  ] as const) {
    expect((await call(method, path, bearer(secret))).status, `${method} ${path}`).toBe(403);
  }
});

test("a key for some models deploys no others", async () => {
  const { secret } = keys.create({ name: "ci", scopes: ["deploy"], models: ["acme/*"] });
  const refused = await call("POST", "/models/other/chat/scale", { body: {}, ...bearer(secret) });
  expect(refused).toMatchObject({
    status: 403,
    body: {
      error: {
        message: expect.stringContaining("not for other/chat"),
        hint: expect.stringContaining("acme/*"),
      },
    },
  });
  const own = await call("POST", "/models/acme/chat/scale", { body: {}, ...bearer(secret) });
  expect(own.status).toBe(404);
});

test.each([
  [(secret: string) => ({ authorization: `Bearer ${secret}` })],
  [(secret: string) => ({ authorization: `Token ${secret}` })],
  [(secret: string) => ({ "x-api-key": secret })],
])("the key is found as %s", async (headers) => {
  expect((await call("GET", "/keys", { headers: headers(admin) })).status).toBe(200);
  expect((await call("GET", "/keys", { headers: headers("byom_wrong") })).status).toBe(401);
});

test("the document describes the keys' routes with their bodies", async () => {
  const { body } = await call("GET", "/openapi.json", { headers: {} });
  expect(body).toMatchObject({
    paths: {
      "/api/v1/keys": {
        post: {
          requestBody: {
            content: { "application/json": { schema: { properties: { models: {} } } } },
          },
        },
      },
      "/api/v1/keys/{id}/rotate": { post: { requestBody: {} } },
      "/api/v1/keys/{id}": { delete: {} },
    },
  });
});
