// What an operator loses when these fail: a change of the catalog that holds at once, and still after a restart.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { ProviderDouble } from "../../../support/provider-double.ts";
import {
  keys,
  removeDirectory,
  startPlatform,
  startVllm,
  vllmKey,
  type Platform,
} from "./platform.ts";

let platform: Platform;
let vllm: ProviderDouble;
beforeEach(async () => {
  platform = await startPlatform();
  vllm = await startVllm();
  await platform.call("PUT", "/api/v1/providers/my-vllm", {
    body: {
      adapter: "openai-compatible",
      baseUrl: vllm.baseUrl,
      key: vllmKey,
      allowPrivate: true,
    },
  });
});
afterEach(async () => {
  await platform.close();
  await removeDirectory(platform.directory);
  await vllm.close();
  expect(vllm.faults).toEqual([]);
});

const qwen = { upstreams: [{ provider: "my-vllm", model: "Qwen/Qwen3-8B" }] };

const add = (id = "my-vllm/qwen"): ReturnType<Platform["call"]> =>
  platform.call("PUT", `/api/v1/catalog/models/${id}`, { body: qwen });

const said = (answer: { body: { choices: { message: { content: string } }[] } }): unknown =>
  answer.body.choices[0]?.message.content;

async function restart(): Promise<void> {
  await platform.close();
  platform = await startPlatform({ directory: platform.directory });
}

describe("a model that was added", () => {
  it("is called at once, by the name of its provider, and listed", async () => {
    expect((await platform.chat("my-vllm/qwen")).status).toBe(404);
    const added = await add();
    expect(added.status).toBe(200);
    expect(added.body).toMatchObject({
      id: "my-vllm/qwen",
      origin: "added",
      isCallable: true,
      upstreams: [
        { kind: "provider", provider: "my-vllm", model: "Qwen/Qwen3-8B", isConfigured: true },
      ],
    });
    expect(said(await platform.chat("my-vllm/qwen"))).toBe("Hi you");
    expect(vllm.requests.at(-1)?.body).toMatchObject({ model: "Qwen/Qwen3-8B" });
    const list = await platform.call("GET", "/v1/models", { key: keys.call });
    expect(list.body.data.map(({ id }: { id: string }) => id)).toContain("my-vllm/qwen");
  });

  it("may have a colon and more parts in its id, as tags of models have", async () => {
    await add("my-vllm/library/qwen3:8b");
    expect(said(await platform.chat("my-vllm/library/qwen3:8b"))).toBe("Hi you");
  });

  it("is gone at once when it is removed, and a call of it is told so", async () => {
    await add();
    expect((await platform.call("DELETE", "/api/v1/catalog/models/my-vllm/qwen")).status).toBe(204);
    const answer = await platform.chat("my-vllm/qwen");
    expect(answer.status).toBe(404);
    expect(answer.body.error.code).toBe("model_not_found");
    const again = await platform.call("DELETE", "/api/v1/catalog/models/my-vllm/qwen");
    expect(again.status).toBe(404);
  });

  it.each([
    ["no upstream", "a/b", { upstreams: [] }],
    ["a provider that nobody knows", "a/b", { upstreams: [{ provider: "nobody", model: "x" }] }],
    ["a field that does not exist", "a/b", { ...qwen, prise: [] }],
    ["a task that does not exist", "a/b", { ...qwen, task: "cooking" }],
    ["a price below zero", "a/b", { ...qwen, prices: [{ unit: "image", per: 1, usd: "-1" }] }],
    ["a price as a float", "a/b", { ...qwen, prices: [{ unit: "image", per: 1, usd: 0.1 }] }],
    ["an id with a blank", "a%20b", qwen],
  ])("is refused with %s, and nothing is kept", async (_what, id, body) => {
    const answer = await platform.call("PUT", `/api/v1/catalog/models/${id}`, { body });
    expect(answer.status).toBe(400);
    expect(answer.body.error.code).toBe("invalid_request");
    expect((await platform.call("GET", `/api/v1/catalog/models/${id}`)).status).toBe(404);
  });

  it("cannot take the name of a model that is deployed here", async () => {
    const answer = await add("acme/chat");
    expect(answer.status).toBe(409);
    expect(said(await platform.chat("acme/chat"))).toBe("own model");
  });
});

describe("an own model", () => {
  it("wins over a third party's of the same name, whenever it is deployed", async () => {
    await add("acme/late");
    await platform.close();
    const late = await import("../harness.ts").then(({ chatModel }) => ({
      ...chatModel,
      id: "acme/late",
    }));
    platform = await startPlatform({
      directory: platform.directory,
      own: { get: (id) => (id === late.id ? late : undefined), list: () => [late] },
    });
    expect(said(await platform.chat("acme/late"))).toBe("own model");
    const list = await platform.call("GET", "/api/v1/catalog/models?search=acme/late");
    expect(list.body.models).toHaveLength(1);
    expect(list.body.models[0].origin).toBe("own");
  });

  it("is not removed from the catalog: that is undeploying it", async () => {
    const answer = await platform.call("DELETE", "/api/v1/catalog/models/acme/chat");
    expect(answer.status).toBe(409);
    expect(answer.body.error.hint).toContain("/api/v1/models/acme/chat");
  });

  it("takes facts that its image does not have, and a third party to fall back on", async () => {
    const body = {
      contextLength: 8192,
      upstreams: [
        { kind: "provider", provider: "my-vllm", model: "Qwen/Qwen3-8B" },
        { kind: "deployment", modelId: "acme/chat" },
      ],
    };
    const path = "/api/v1/catalog/metadata/acme/chat";
    const answer = await platform.call("PUT", path, { body, key: keys.deploy });
    expect(answer.body).toMatchObject({ contextLength: 8192, origin: "own" });
    expect(said(await platform.chat("acme/chat"))).toBe("Hi you");
    expect((await platform.call("DELETE", path, { key: keys.deploy })).status).toBe(204);
    expect(said(await platform.chat("acme/chat"))).toBe("own model");
  });

  it("shows its state and how long it took to start", async () => {
    await platform.chat("acme/chat");
    platform.upstream.modelState = "ready";
    const { body } = await platform.call("GET", "/api/v1/catalog/models/acme/chat");
    expect(body).toMatchObject({
      origin: "own",
      health: { state: "ready" },
      starts: { restored: { count: 1, medianMs: 512, lastMs: 512 } },
      upstreams: [{ kind: "deployment", model: "acme/chat", isConfigured: true }],
      inputSchema: { required: ["prompt"] },
    });
  });
});

describe("a bundled model", () => {
  const id = "@cf/moonshotai/kimi-k2.5";

  it("is listed as needing a key, and says so when it is called", async () => {
    const { body } = await platform.call("GET", `/api/v1/catalog/models/${id}`);
    expect(body).toMatchObject({ id, origin: "bundled", isCallable: false });
    const answer = await platform.chat(id);
    expect(answer.status).toBe(503);
    expect(answer.body.error.code).toBe("provider_not_configured");
  });

  it("can be served by somebody else under its own name", async () => {
    await platform.call("PUT", `/api/v1/catalog/models/${id}`, { body: qwen });
    expect(said(await platform.chat(id))).toBe("Hi you");
    await platform.call("DELETE", `/api/v1/catalog/models/${id}`);
  });

  it("stays away when it is removed, and comes back when it is wanted", async () => {
    await platform.call("DELETE", `/api/v1/catalog/models/${id}`);
    expect((await platform.chat(id)).status).toBe(404);
    await restart();
    expect((await platform.chat(id)).status).toBe(404);
    const hidden = await platform.call("GET", "/api/v1/catalog/hidden");
    expect(hidden.body.hidden).toEqual([{ model: id, since: "2026-11-23T12:00:00.000Z" }]);
    expect((await platform.call("POST", `/api/v1/catalog/restore/${id}`)).status).toBe(200);
    expect((await platform.chat(id)).status).toBe(503);
  });
});

describe("an alias", () => {
  it("is another name of any model at once, over a bundled model's too, until it is taken back", async () => {
    const alias = "openai/gpt-4o";
    const set = await platform.call("PUT", `/api/v1/aliases/${alias}`, {
      body: { model: "acme/chat" },
    });
    expect(set.body).toEqual({ alias, model: "acme/chat" });
    expect(said(await platform.chat(alias))).toBe("own model");
    const { body } = await platform.call("GET", "/api/v1/catalog/models/acme/chat");
    expect(body.aliases).toEqual([alias]);
    await restart();
    expect(said(await platform.chat(alias))).toBe("own model");
    expect((await platform.call("DELETE", `/api/v1/aliases/${alias}`)).status).toBe(204);
    expect((await platform.chat(alias)).body.error.code).toBe("provider_not_configured");
  });

  it("of an alias is one of the model itself, so that no ring can be made", async () => {
    await platform.call("PUT", "/api/v1/aliases/fast", { body: { model: "acme/chat" } });
    const second = await platform.call("PUT", "/api/v1/aliases/faster", {
      body: { model: "fast" },
    });
    expect(second.body.model).toBe("acme/chat");
    const ring = await platform.call("PUT", "/api/v1/aliases/fast", { body: { model: "faster" } });
    expect(ring.body.model).toBe("acme/chat");
  });

  it("cannot be an own model's name, nor stand for what does not exist", async () => {
    const taken = await platform.call("PUT", "/api/v1/aliases/acme/chat", {
      body: { model: "acme/ocr" },
    });
    expect(taken.status).toBe(409);
    const lost = await platform.call("PUT", "/api/v1/aliases/x", { body: { model: "no/model" } });
    expect(lost.status).toBe(404);
  });

  it("gives no key a model that it may not call", async () => {
    await platform.call("PUT", "/api/v1/aliases/acme/other", { body: { model: "openai/gpt-4o" } });
    const answer = await platform.call("POST", "/v1/chat/completions", {
      key: keys.acme,
      body: { model: "acme/other", messages: [{ role: "user", content: "Hi" }] },
    });
    expect(answer.status).toBe(403);
  });
});

describe("a price", () => {
  const prices = [{ unit: "second", per: 1, usd: "0.000225" }];

  it("is set for an own model and for a third party's, and outlives a restart", async () => {
    await platform.call("PUT", "/api/v1/prices/acme/chat", { body: { prices } });
    await platform.call("PUT", "/api/v1/prices/openai/gpt-4o", { body: { prices: [] } });
    await restart();
    const own = await platform.call("GET", "/api/v1/catalog/models/acme/chat");
    expect(own.body.prices).toEqual(prices);
    const other = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-4o");
    expect(other.body.prices).toEqual([]);
    await platform.call("DELETE", "/api/v1/prices/openai/gpt-4o");
    const again = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-4o");
    expect(again.body.prices[0]).toMatchObject({ unit: "input-token", usd: "2.5" });
  });

  it("is given once for a unit", async () => {
    const answer = await platform.call("PUT", "/api/v1/prices/acme/chat", {
      body: { prices: [...prices, ...prices] },
    });
    expect(answer.status).toBe(400);
  });
});

describe("newer facts", () => {
  const list = (input: number): unknown => ({
    openai: {
      id: "openai",
      models: {
        "gpt-4o": { id: "gpt-4o", cost: { input, output: 9 }, limit: { context: 99_000 } },
        "gpt-next": {
          id: "gpt-next",
          name: "GPT Next",
          cost: { input: 1, output: 2 },
          modalities: { input: ["text"], output: ["text"] },
        },
      },
    },
    nobody: { id: "nobody", models: { x: { id: "x" } } },
  });
  const refresh = (document: unknown): ReturnType<Platform["call"]> =>
    platform.call("POST", "/api/v1/catalog/refresh", {
      body: { source: "models.dev/api.json", document },
    });

  it("replace the bundled ones, add what is new, and stay after a restart", async () => {
    const report = await refresh(list(1.5));
    expect(report.body).toMatchObject({ format: "models.dev", models: 2, updated: 1, listed: 1 });
    await restart();
    const { body } = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-4o");
    expect(body).toMatchObject({
      contextLength: 99_000,
      facts: { source: "models.dev/api.json", asOf: "2026-11-23" },
    });
    expect(body.prices[0]).toMatchObject({ unit: "input-token", per: 1_000_000, usd: "1.5" });
    const next = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-next");
    expect(next.body).toMatchObject({ origin: "listed", name: "GPT Next" });
  });

  it.each([
    ["an error page", { error: "rate limited" }],
    ["a negative price", list(-1)],
    ["an empty object", {}],
    [
      "only providers that cannot be called",
      { nobody: { id: "nobody", models: { x: { id: "x" } } } },
    ],
  ])("that are %s change nothing", async (_what, document) => {
    await refresh(list(1.5));
    expect((await refresh(document)).status).toBe(400);
    const { body } = await platform.call("GET", "/api/v1/catalog/models/openai/gpt-4o");
    expect(body.prices[0].usd).toBe("1.5");
  });
});

it("everything that was changed is there after a restart", async () => {
  await add();
  await platform.call("PUT", "/api/v1/aliases/q", { body: { model: "my-vllm/qwen" } });
  await platform.call("DELETE", "/api/v1/catalog/models/openai/gpt-4o");
  const before = await platform.call("GET", "/api/v1/catalog/models");
  await restart();
  const after = await platform.call("GET", "/api/v1/catalog/models");
  expect(after.body).toEqual(before.body);
  expect(said(await platform.chat("q"))).toBe("Hi you");
});
