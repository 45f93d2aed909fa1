// What a caller loses when these fail: a catalog that shows what may be called, and only that.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { keys, removeDirectory, startPlatform, type Platform } from "./platform.ts";

let platform: Platform;
beforeEach(async () => {
  platform = await startPlatform();
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
});

describe("the list", () => {
  const ids = async (query: string, key: string = keys.call): Promise<readonly string[]> => {
    const { body } = await platform.call("GET", `/api/v1/catalog/models${query}`, { key });
    return body.models.map(({ id }: { id: string }) => id);
  };

  it("has own models first, and is searched by words, task, author and source", async () => {
    expect((await ids("")).slice(0, 2)).toEqual(["acme/chat", "acme/ocr"]);
    expect(await ids("?search=kimi%20k2.5")).toEqual(["@cf/moonshotai/kimi-k2.5"]);
    expect(await ids("?task=automatic-speech-recognition&source=assemblyai")).toEqual([
      "assemblyai/universal-3-pro",
      "assemblyai/universal-2",
    ]);
    expect(await ids("?task=Image-to-Text")).toEqual(["acme/ocr"]);
    expect(await ids("?author=moonshotai&source=workers-ai")).toHaveLength(3);
    expect(await ids("?source=own")).toEqual(["acme/chat", "acme/ocr"]);
  });

  it("shows a key only what it may call", async () => {
    expect(await ids("", keys.acme)).toEqual(["acme/chat", "acme/ocr"]);
    const one = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-4o", {
      key: keys.acme,
    });
    expect(one.status).toBe(403);
    const openRouter = await platform.call("GET", "/v1/models?format=openrouter", {
      key: keys.acme,
    });
    expect(openRouter.body.data).toHaveLength(2);
  });

  it("leaves the schemas out unless they are asked for", async () => {
    const without = await platform.call("GET", "/api/v1/catalog/models?search=acme/chat");
    expect(without.body.models[0]).not.toHaveProperty("inputSchema");
    const withThem = await platform.call(
      "GET",
      "/api/v1/catalog/models?search=acme/chat&schemas=true",
    );
    expect(withThem.body.models[0].inputSchema.required).toEqual(["prompt"]);
  });

  it.each([
    "/api/v1/catalog/models",
    "/api/v1/catalog/models/acme/chat",
    "/api/v1/catalog/models?format=cloudflare",
    "/v1/models",
    "/client/v4/accounts/local/ai/models/search?per_page=1000",
    "/v1/models?format=openrouter",
    "/v1/models?format=models.dev",
  ])("%s has a tag: unchanged it is not sent again, changed it is", async (path) => {
    const first = await platform.call("GET", path);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const same = await platform.call("GET", path, { headers: { "if-none-match": header } });
      expect(same.status, header).toBe(304);
      expect(same.body).toBeUndefined();
    }
    await platform.call("PUT", "/api/v1/prices/acme/chat", {
      body: { prices: [{ unit: "input-token", per: 1_000_000, usd: "3" }] },
    });
    await platform.call("PUT", "/api/v1/catalog/metadata/acme/chat", { body: { name: "Chat" } });
    await platform.call("PUT", "/api/v1/catalog/models/openai/gpt-later", {
      body: { upstreams: [{ provider: "openai", model: "gpt-later" }] },
    });
    const changed = await platform.call("GET", path, { headers: { "if-none-match": etag } });
    expect(changed.status).toBe(200);
    expect(changed.headers.get("etag")).not.toBe(etag);
  });

  it("has no format of which nobody knows", async () => {
    for (const path of ["/v1/models?format=xml", "/api/v1/catalog/models?format=xml"]) {
      const answer = await platform.call("GET", path);
      expect(answer.status, path).toBe(400);
    }
  });
});

describe("keys", () => {
  it.each([
    ["PUT", "/api/v1/catalog/models/a/b", keys.deploy],
    ["DELETE", "/api/v1/catalog/models/openai/gpt-4o", keys.call],
    ["POST", "/api/v1/catalog/refresh", keys.call],
    ["PUT", "/api/v1/catalog/metadata/acme/chat", keys.call],
    ["PUT", "/api/v1/aliases/x", keys.deploy],
    ["PUT", "/api/v1/prices/acme/chat", keys.call],
    ["GET", "/api/v1/providers", keys.call],
    ["PUT", "/api/v1/providers/x", keys.deploy],
  ])("%s %s is not for %s", async (method, path, key) => {
    const answer = await platform.call(method, path, {
      key,
      ...(method === "GET" || method === "DELETE" ? {} : { body: {} }),
    });
    expect(answer.status).toBe(403);
    expect(answer.body.error.code).toBe("forbidden");
  });

  it("are needed for everything", async () => {
    const answer = await platform.call("GET", "/api/v1/catalog/models", { key: "byom_unknown" });
    expect(answer.status).toBe(401);
  });

  it("of nobody reach what is not the gateway's part of the API", async () => {
    expect((await fetch(`${platform.url}/api/v1/models`)).status).toBe(418);
    expect((await platform.call("GET", "/api/v1/catalog/nothing")).status).toBe(404);
    expect((await platform.call("POST", "/api/v1/aliases", { body: {} })).status).toBe(405);
  });
});
