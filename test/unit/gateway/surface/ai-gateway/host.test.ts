import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { fail, json, type ProviderDouble } from "../../../../support/provider-double.ts";
import type { Play } from "../../fake-coglet.ts";
import { callKey, chatModel, ocrModel, startHarness, until, type Harness } from "../../harness.ts";
import { kimi, kimiDirect, moonshotProviders, startMoonshot } from "../../third-party.ts";

// The host gateway.ai.cloudflare.com, under /gateway: steps tried in order, and providers at their real paths.

let harness: Harness;
let moonshot: ProviderDouble;
beforeEach(async () => {
  moonshot = await startMoonshot();
  harness = await startHarness({
    models: [chatModel, ocrModel, kimi, kimiDirect, { ...kimiDirect, id: "anthropic/claude-test" }],
    providers: moonshotProviders(moonshot),
  });
});
afterEach(async () => {
  await harness.close();
  await moonshot[Symbol.asyncDispose]();
  expect(harness.coglet.faults).toEqual([]);
});

const speak: Play = async (prediction) => {
  prediction.start();
  for (const word of ["one ", "two ", "three"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
};

describe("the universal endpoint", () => {
  const chat = { model: "kimi-k2.5", messages: [{ role: "user" as const, content: "x" }] };
  const post = (path: string, body: unknown): Promise<Response> => harness.call(path, { body });

  it.each(["/gateway/v1/acct/gw", "/ai-gateway/universal/run/gw"])(
    "POST %s tries its steps in order and says which one answered",
    async (path) => {
      moonshot.next(fail(500, { error: { message: "overloaded" } }));
      harness.coglet.play(speak);
      const answer = await post(path, [
        { provider: "nobody", endpoint: "x", headers: {}, query: {} },
        { provider: "moonshot", endpoint: "chat/completions", headers: {}, query: chat },
        { provider: "workers-ai", endpoint: "acme/chat", headers: {}, query: { prompt: "x" } },
      ]);
      expect(answer.headers.get("cf-aig-step")).toBe("2");
      expect(await answer.json()).toMatchObject({ result: { response: "one two three" } });
      expect(moonshot.requests).toHaveLength(1);
    },
  );

  it("sends a provider's step to its real path, with its own key or the step's", async () => {
    const step = { provider: "moonshot", endpoint: "v1/chat/completions", query: chat };
    const answer = await post("/gateway/v1/a/g", [{ ...step, headers: {} }]);
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: "Hi you" } }] });
    const wrong = await post("/gateway/v1/a/g", [
      { ...step, headers: { Authorization: "Bearer sk-other" } },
    ]);
    expect(wrong.status).toBe(401);
    expect(moonshot.faults).toHaveLength(1);
    (moonshot.faults as string[]).length = 0;
    // The gateway's own key is not the provider's business.
    const mistaken = await post("/gateway/v1/a/g", [
      { ...step, headers: { Authorization: `Bearer ${callKey}` } },
    ]);
    expect(mistaken.status).toBe(200);
  });

  it("takes a step's own key to the third party that serves its model", async () => {
    const query = { ...chat, model: "moonshot/kimi-k2.5" };
    const headers = { Authorization: "Bearer sk-other" };
    const step = { provider: "compat", endpoint: "chat/completions", headers, query };
    expect((await post("/gateway/v1/a/g", [step])).ok).toBe(false);
    expect(moonshot.faults).toHaveLength(1);
    (moonshot.faults as string[]).length = 0;
    expect((await post("/gateway/v1/a/g", [{ ...step, headers: {} }])).status).toBe(200);
  });

  it("runs own models in OpenAI's shape, too", async () => {
    harness.coglet.play(speak);
    const query = { ...chat, model: "acme/chat" };
    const answer = await post("/gateway/v1/a/g", [
      { provider: "byom", endpoint: "chat/completions", headers: {}, query },
    ]);
    expect(await answer.json()).toMatchObject({
      choices: [{ message: { content: "one two three" } }],
    });
  });

  it.each([
    ["{", 400],
    ["[]", 400],
    ['[{"endpoint":"x"}]', 400],
    ['[{"provider":"moonshot","endpoint":"../admin","query":{}}]', 400],
    ['[{"provider":"moonshot","endpoint":"%2e%2e/admin","query":{}}]', 400],
    ['[{"provider":"byom","endpoint":"acme/none","query":{}}]', 404],
  ])("%s is refused with %i", async (body, status) => {
    const answer = await harness.call("/gateway/v1/a/g", { body });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ success: false });
    expect(moonshot.requests).toEqual([]);
  });
});

describe("the older host's paths", () => {
  const messages = [{ role: "user", content: "x" }];

  it("serve OpenAI's chat for own and third parties' models, with OpenAI's errors", async () => {
    harness.coglet.play(speak);
    for (const model of ["acme/chat", "workers-ai/acme/chat"]) {
      const body = { model: model.replace("workers-ai/", ""), messages };
      const answer = await harness.call("/gateway/v1/a/g/compat/chat/completions", { body });
      expect(await answer.json()).toMatchObject({
        choices: [{ message: { content: "one two three" } }],
      });
    }
    const refused = await harness.call("/gateway/v1/a/g/compat/chat/completions", { body: {} });
    expect(await refused.json()).toMatchObject({ error: { param: "model" } });
  });

  it("pass a provider's real path through, query and refusals included", async () => {
    const path = "/gateway/v1/a/g/moonshot/chat/completions";
    const answer = await harness.call(path, {
      body: { model: "kimi-k2.5", messages },
      headers: { "content-type": "application/json" },
    });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: "Hi you" } }] });
    expect(answer.headers.get("cf-aig-provider")).toBe("moonshot");
    moonshot.next(fail(429, { error: { message: "slow down" } }, { "retry-after": "7" }));
    const refused = await harness.call(path, {
      body: { model: "kimi-k2.5", messages },
      headers: { "content-type": "application/json" },
    });
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(await refused.json()).toEqual({ error: { message: "slow down" } });
  });

  it("answer /run in the newer envelope, failures too", async () => {
    const path = "/gateway/v1/a/g/run";
    const done = await harness.call(path, {
      body: { model: "moonshot/kimi-k2.5", input: { messages } },
    });
    expect(await done.json()).toMatchObject({
      state: "Completed",
      result: { response: "Hi you" },
      provider: "moonshot",
      model: "moonshot/kimi-k2.5",
    });
    moonshot.next(json({ error: { message: "down" } }, { status: 500 }));
    const failed = await harness.call(path, {
      body: { model: "moonshot/kimi-k2.5", input: { messages } },
      headers: { "cf-aig-max-attempts": "1" },
    });
    expect(failed.status).toBe(502);
    expect(await failed.json()).toMatchObject({
      state: "Failed",
      error: { code: "provider_unavailable" },
      model: "moonshot/kimi-k2.5",
      success: false,
    });
  });

  it("run a model of Workers AI's client behind a gateway", async () => {
    harness.coglet.play(speak);
    const answer = await harness.call("/gateway/v1/a/g/workers-ai/run/acme/chat", {
      body: { prompt: "x" },
      headers: { "cf-aig-metadata": '{"team":"search"}' },
    });
    expect(await answer.json()).toMatchObject({ result: { response: "one two three" } });
    await until("the call has ended", () =>
      harness.events.some(({ type }) => type === "request-end"),
    );
  });

  it("tells a missing key in the gateway's own shape", async () => {
    const answer = await harness.call("/gateway/v1/a/g", {
      body: "[]",
      headers: { authorization: "" },
    });
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ success: false, error: [{ code: 2009 }] });
  });

  it("are named by env.AI.gateway(id).getUrl()", async () => {
    const answer = await harness.call("/ai-gateway/gateways/prod/url/moonshot");
    expect(await answer.json()).toMatchObject({
      result: { url: `${harness.url}/gateway/v1/local/prod/moonshot` },
    });
  });
});
