// What an operator loses when these fail: routes that hold with the next call and after a restart, that can be taken
// back, and that can be asked where a call would go.
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fail, type ProviderDouble } from "../../../support/provider-double.ts";
import { keys, type Answer, type Platform } from "./platform.ts";
import { own, RouteBench, said, theirs } from "./route-bench.ts";

let bench: RouteBench;
let platform: Platform;
let vllm: ProviderDouble;
let put: RouteBench["put"];
beforeEach(async () => {
  bench = await RouteBench.start();
  platform = bench.platform;
  vllm = bench.vllm;
  put = bench.put.bind(bench);
});
afterEach(() => bench.close());

async function restart(): Promise<void> {
  await bench.restart();
  platform = bench.platform;
}

describe("a route", () => {
  it("is called like a model with the next call, edited live, taken back, and there after a restart", async () => {
    expect(said(await platform.chat("dynamic/support"))).toBe("model_not_found");
    const made = await put("support", { models: ["vllm/qwen"], description: "First try" });
    expect(made).toMatchObject({
      status: 200,
      body: { name: "support", call: "dynamic/support", version: 1, isNew: true, form: "short" },
    });
    expect(said(await platform.chat("dynamic/support"))).toBe(theirs);
    expect((await put("support", { models: ["acme/chat"] })).body).toMatchObject({
      version: 2,
      isNew: false,
    });
    expect(said(await platform.chat("dynamic/support"))).toBe(own);
    const back = await platform.call("POST", "/api/v1/routes/support/rollback", { body: {} });
    expect(back.body).toMatchObject({ version: 1, document: { models: ["vllm/qwen"] } });
    expect(said(await platform.chat("dynamic/support"))).toBe(theirs);
    await restart();
    expect(said(await platform.chat("dynamic/support"))).toBe(theirs);
    const { body } = await platform.call("GET", "/api/v1/routes/support/versions");
    expect(body.versions).toMatchObject([
      { version: 2, isActive: false },
      { version: 1, isActive: true },
    ]);
    expect((await platform.call("DELETE", "/api/v1/routes/support")).status).toBe(204);
    expect(said(await platform.chat("dynamic/support"))).toBe("model_not_found");
  });

  it("makes no new version of the same document", async () => {
    await put("support", { models: ["acme/chat"] });
    expect((await put("support", { models: ["acme/chat"] })).body).toMatchObject({ version: 1 });
  });

  it("goes by the metadata of the call, on the header and in the body", async () => {
    await put("support", {
      models: [
        { model: "vllm/qwen", when: { "metadata.plan": "paid" } },
        { model: "acme/chat", when: { "body.max_tokens": { $exists: false } } },
      ],
    });
    const header = { "cf-aig-metadata": '{"plan":"paid"}' };
    expect(said(await platform.chat("dynamic/support"))).toBe(own);
    expect(said(await platform.chat("dynamic/support", { headers: header }))).toBe(theirs);
    const none = await platform.call("POST", "/v1/chat/completions", {
      key: keys.call,
      body: {
        model: "dynamic/support",
        max_tokens: 5,
        messages: [{ role: "user", content: "Hi" }],
      },
    });
    expect(none.status).toBe(404);
    expect(none.body.error.message).toContain("no condition of it holds");
  });

  it("falls over to its next model when the first one fails, without a try more than it says", async () => {
    await put("support", { models: [{ model: "vllm/qwen", attempts: 1 }, "acme/chat"] });
    vllm.next(fail(500, { error: { message: "down" } }));
    const answer = await platform.chat("dynamic/support");
    expect(said(answer)).toBe(own);
    expect(vllm.requests).toHaveLength(1);
  });

  it("says how calls of a plain model go when it is named models/ID", async () => {
    await put("models/vllm/qwen", { attempts: 1, models: ["vllm/qwen", "acme/chat"] });
    vllm.next(fail(500, { error: { message: "down" } }));
    expect(said(await platform.chat("vllm/qwen"))).toBe(own);
    expect(said(await platform.chat("vllm/qwen"))).toBe(theirs);
    const { body } = await platform.call("GET", "/v1/models", { key: keys.call });
    const ids = body.data.map(({ id }: { id: string }) => id);
    expect(ids).not.toContain("models/vllm/qwen");
  });

  it("stands in the lists of models, as a person reads it", async () => {
    await put("support", { models: ["vllm/qwen"], description: "For the help desk" });
    const { body } = await platform.call("GET", "/v1/models", { key: keys.call });
    expect(body.data).toContainEqual(expect.objectContaining({ id: "dynamic/support" }));
    const shown = await platform.call("GET", "/v1/models/dynamic%2Fsupport", { key: keys.call });
    expect(shown).toMatchObject({ status: 200, body: { id: "dynamic/support" } });
    const catalog = await platform.call("GET", "/api/v1/catalog/models?source=route");
    expect(catalog.body.models).toMatchObject([
      {
        id: "dynamic/support",
        description: "For the help desk",
        origin: "route",
        isCallable: true,
        upstreams: [{ kind: "provider", provider: "vllm" }],
      },
    ]);
  });

  const messages = [{ role: "user", content: "Hi" }];
  const model = "dynamic/support";

  it.each([
    ["/v1/chat/completions", { model, messages }],
    ["/v1/completions", { model, prompt: "Hi" }],
    ["/v1/responses", { model, input: "Hi" }],
    ["/v1/messages", { model, messages, max_tokens: 50 }],
    ["/v1/models/dynamic/support/predictions", { input: { prompt: "Hi" } }],
    ["/models/dynamic/support/predictions", { input: { prompt: "Hi" } }],
    ["/client/v4/accounts/a/ai/run", { model, input: { prompt: "Hi" } }],
    ["/client/v4/accounts/a/ai/run/dynamic/support", { prompt: "Hi" }],
    ["/client/v4/accounts/a/ai/v1/chat/completions", { model, messages }],
    ["/gateway/v1/a/g/compat/chat/completions", { model, messages }],
    [
      "/gateway/v1/a/g",
      [{ provider: "compat", endpoint: "chat/completions", query: { model, messages } }],
    ],
  ])("is a model for POST %s", async (path, body) => {
    await put("support", {
      models: [{ model: "vllm/qwen", when: { "metadata.plan": "paid" } }, "acme/chat"],
      limits: [{ requests: 1 }],
    });
    const ask = (): Promise<Answer> =>
      platform.call("POST", path, { key: keys.call, body, headers: { prefer: "wait" } });
    const answer = await ask();
    expect(JSON.stringify(answer.body)).toContain("own");
    expect([200, 201]).toContain(answer.status);
    const refused = await ask();
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).not.toBeNull();
    expect(JSON.stringify(refused.body)).toContain("The limit of dynamic/support is reached");
  });

  it("opens no model to a key that may not call it", async () => {
    const chat = (model: string): Promise<Answer> =>
      platform.call("POST", "/v1/chat/completions", {
        key: keys.acme,
        body: { model, messages: [{ role: "user", content: "Hi" }] },
      });
    await put("mixed", { models: ["vllm/qwen", "acme/chat"] });
    expect(said(await chat("dynamic/mixed"))).toBe(own);
    await put("closed", { models: ["vllm/qwen"] });
    expect((await chat("dynamic/closed")).status).toBe(403);
    await put("models/acme/chat", { models: ["vllm/qwen"] });
    expect((await chat("acme/chat")).status).toBe(403);
    expect(vllm.requests).toHaveLength(0);
  });

  it.each([
    ["bad name", { models: ["acme/chat"] }, /no name for a route/],
    ["a", { models: ["acme/none"] }, /models\.0\.model: There is no model acme\/none/],
    ["a", { models: [{ model: "qwen", provider: "nobody" }] }, /There is no model qwen at nobody/],
    ["a", { elements: [{ id: "s", type: "start", outputs: {} }] }, /elements\.0\.outputs: /],
    ["a", { models: [{ model: "acme/chat", when: { plan: 1 } }] }, /models\.0\.when\.plan/],
  ])("named %s as %j is refused with the place of its fault", async (name, document, message) => {
    const { status, body } = await put(name, document);
    expect(status).toBe(400);
    expect(body.error.message).toMatch(message);
    expect((await platform.call("GET", "/api/v1/routes")).body.routes).toEqual([]);
  });

  it("is changed by an administrator only, and read by who deploys", async () => {
    const body = { models: ["acme/chat"] };
    const by = (key: string, method: string): Promise<Answer> =>
      platform.call(method, "/api/v1/routes/a", { key, ...(method === "PUT" && { body }) });
    expect((await by(keys.call, "PUT")).status).toBe(403);
    expect((await by(keys.deploy, "PUT")).status).toBe(403);
    expect((await by(keys.admin, "PUT")).status).toBe(200);
    expect((await by(keys.deploy, "GET")).status).toBe(200);
    expect((await by(keys.call, "GET")).status).toBe(403);
  });
});

describe("a dry run", () => {
  it("says which models in which order and what decided it, and sends nothing", async () => {
    await put("support", {
      models: [
        { model: "vllm/qwen", when: { "metadata.plan": "paid" }, timeoutMs: 900 },
        { model: "acme/chat", limits: { requests: 1 } },
      ],
    });
    const { body } = await platform.call("POST", "/api/v1/routes/support/try", {
      body: { metadata: { plan: "paid" }, input: { messages: [] }, key: { name: "app" } },
    });
    expect(body).toMatchObject({
      route: "dynamic/support",
      inputBytes: 15,
      legs: [
        {
          node: "models.0",
          provider: "vllm",
          upstreamModel: "Qwen/Qwen3-8B",
          breaker: "closed",
          policy: { deadlines: { firstOutputMs: 900 } },
        },
        { node: "models.1", provider: "byom", model: "acme/chat", state: "idle" },
      ],
      decisions: [
        { node: "models.0.when", kind: "branch", way: "true", by: { "metadata.plan": "paid" } },
        { node: "models.0", kind: "model", way: "first" },
        { node: "models.1.limits", kind: "gate", way: "success" },
        { node: "models.1", kind: "model", way: "on failure" },
      ],
      skipped: [],
    });
    expect(body.refusal).toBeUndefined();
    // Nothing was counted either: the one request is still there.
    expect(said(await platform.chat("dynamic/support"))).toBe(own);
    const after = await platform.call("POST", "/api/v1/routes/support/try", { body: {} });
    expect(after.body).toMatchObject({ legs: [], refusal: { code: "rate_limited" } });
    expect(vllm.requests).toHaveLength(0);
  });

  it("shows each share for a draw that it is given, and another version than the one in use", async () => {
    await put("ab", { models: [{ model: "vllm/qwen", percent: 20 }, "acme/chat"] });
    await put("ab", { models: ["acme/chat"] });
    const first = async (body: unknown): Promise<unknown> =>
      (await platform.call("POST", "/api/v1/routes/ab/try", { body })).body.legs[0].model;
    expect(await first({ version: 1, draw: 0.19 })).toBe("vllm/qwen");
    expect(await first({ version: 1, draw: 0.21 })).toBe("acme/chat");
    expect(await first({})).toBe("acme/chat");
  });

  it("tells of upstreams without a key and of those that are left alone", async () => {
    await platform.call("PUT", "/api/v1/catalog/models/closed/m", {
      body: { upstreams: [{ provider: "openai", model: "m" }] },
    });
    await put("support", { models: ["closed/m", { model: "vllm/qwen", attempts: 1 }] });
    vllm.next(...Array.from({ length: 5 }, () => fail(500, { error: { message: "down" } })));
    for (let call = 0; call < 5; call += 1) await platform.chat("dynamic/support");
    const { body } = await platform.call("POST", "/api/v1/routes/support/try", { body: {} });
    expect(body.skipped).toMatchObject([{ node: "models.0", code: "provider_not_configured" }]);
    expect(body.legs).toMatchObject([{ provider: "vllm", breaker: "open" }]);
    const health = await platform.call("GET", "/api/v1/routes/support/health");
    expect(health.body.legs).toMatchObject([
      { leg: "models.0", problem: { code: "provider_not_configured" } },
      { leg: "models.1", upstreams: [{ breaker: "open", failures: { consecutiveFailures: 5 } }] },
    ]);
  });
});
