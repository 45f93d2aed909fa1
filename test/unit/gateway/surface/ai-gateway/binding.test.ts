import { get } from "node:http";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { ProviderDouble } from "../../../../support/provider-double.ts";
import type { Play } from "../../fake-coglet.ts";
import { callKey, chatModel, ocrModel, startHarness, type Harness } from "../../harness.ts";
import { kimi, kimiDirect, moonshotProviders, startMoonshot } from "../../third-party.ts";

// The routes behind env.AI of Workers, for own models and a third party's alike.

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

/** As workerd's binding sends it. */
function run(
  model: string,
  inputs: unknown,
  options: unknown = {},
  path = "/run?version=3",
): Promise<Response> {
  return harness.call(path, {
    body: { inputs, options },
    headers: {
      "content-type": "application/json",
      "cf-consn-sdk-version": "2.0.0",
      "cf-consn-model-id": model,
    },
  });
}

describe("the binding's run", () => {
  it("answers the bare result, with the headers that env.AI reads", async () => {
    harness.coglet.play(speak);
    const answer = await run("acme/chat", { prompt: "x" }, { gateway: { eventId: "e-1" } });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ response: "one two three" });
    const headers = Object.fromEntries(answer.headers);
    expect(headers).toMatchObject({
      "cf-aig-model": "acme/chat",
      "cf-aig-provider": "byom",
      "cf-aig-cache-status": "MISS",
      "cf-aig-step": "0",
      "cf-aig-event-id": "e-1",
    });
    expect(headers["cf-ai-req-id"]).toBe(headers["x-request-id"]);
    expect(headers["cf-aig-log-id"]).toBe(headers["x-byom-prediction"]);
  });

  it.each(["acme/chat", "@cf/moonshotai/kimi-k2.5", "workers-ai/@cf/moonshotai/kimi-k2.5"])(
    "takes the announcement's line with %s: prompt, and metadata at the top",
    async (model) => {
      harness.coglet.play(speak);
      const answer = await run(model, { prompt: "x" }, { metadata: { team: "search" } });
      const { response } = (await answer.json()) as { response: string };
      expect(["one two three", "Hi you"]).toContain(response);
      const id = answer.headers.get("cf-aig-log-id") ?? "";
      const log = await harness.call(`/ai-gateway/gateways/default/logs/${id}`);
      expect(await log.json()).toMatchObject({
        result: { id, success: true, metadata: { team: "search" } },
      });
    },
  );

  it("tells failures as the binding parses them", async () => {
    const answer = await run("acme/none", { prompt: "x" });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      name: "InferenceUpstreamError",
      internalCode: 5007,
      description: expect.stringContaining("There is no model acme/none") as string,
      errors: [{ code: 5007 }],
    });
  });

  it("refuses a WebSocket in words", async () => {
    const { port } = new URL(harness.url);
    const status = await new Promise((resolve, reject) => {
      const request = get({
        host: "127.0.0.1",
        port,
        path: "/run?version=3&body={}",
        headers: {
          authorization: `Bearer ${callKey}`,
          "cf-consn-model-id": "acme/chat",
          connection: "Upgrade",
          upgrade: "websocket",
        },
      });
      request.once("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      request.once("error", reject);
    });
    expect(status).toBe(406);
  });

  it("takes a stream as the body, the other inputs in the query", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: { lines: 1 } }));
    const query = new URLSearchParams({ version: "3", userInputs: '{"language":"de"}' });
    const answer = await fetch(`${harness.url}/run?${query.toString()}`, {
      method: "POST",
      body: "not an image",
      headers: {
        authorization: `Bearer ${callKey}`,
        "content-type": "image/png",
        "cf-consn-model-id": "acme/ocr",
      },
    });
    expect(answer.status).toBe(200);
    expect(harness.coglet.predictions[0]?.input).toEqual({
      language: "de",
      image: `data:image/png;base64,${Buffer.from("not an image").toString("base64")}`,
    });
  });

  it("streams a third party's model in OpenAI's chunks, @cf models in Workers AI's", async () => {
    const inputs = { messages: [{ role: "user", content: "x" }], stream: true };
    const native = await (await run("@cf/moonshotai/kimi-k2.5", inputs)).text();
    expect(native).toMatch(/^data: \{"response":"Hi "\}\n\ndata: \{"response":"you"\}\n\n/);
    const openAi = await (await run("moonshot/kimi-k2.5", inputs)).text();
    expect(openAi).toContain('"object":"chat.completion.chunk"');
    expect(openAi).toContain('"delta":{"content":"Hi "}');
    expect(openAi).toMatch(/data: \[DONE\]\n\n$/);
  });
});

describe("Anthropic's own shape behind the binding", () => {
  const inputs = {
    max_tokens: 10,
    system: [{ type: "text", text: "Be short." }],
    messages: [{ role: "user", content: [{ type: "text", text: "x" }] }],
  };

  it("is answered in it for anthropic/…, as the AI SDK's plugin for it reads nothing else", async () => {
    const answer = await run("anthropic/claude-test", inputs, { metadata: { team: "search" } });
    expect(await answer.json()).toMatchObject({
      type: "message",
      role: "assistant",
      content: [{ type: "text", text: "Hi you" }],
      stop_reason: "end_turn",
    });
    const id = answer.headers.get("cf-aig-log-id") ?? "";
    const log = await harness.call(`/ai-gateway/gateways/default/logs/${id}`);
    expect(await log.json()).toMatchObject({ result: { metadata: { team: "search" } } });
  });

  it("is not what a plain chat gets, so that a changed model name changes no shape", async () => {
    const answer = await run("anthropic/claude-test", {
      max_tokens: 10,
      messages: [{ role: "user", content: "x" }],
    });
    expect(await answer.json()).toMatchObject({ response: "Hi you" });
  });
});

describe("a stream that was cut", () => {
  const resume = (runId: string, from: number | string, key = callKey): Promise<Response> =>
    harness.call(`/ai-gateway/gateways/any/run/${runId}/resume?from=${from}`, {
      headers: { authorization: `Bearer ${key}` },
    });

  it("comes again byte for byte from any event, and goes on live", async () => {
    const goOn = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await prediction.output("two ");
      await goOn.promise;
      await prediction.output("three");
      prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
    });
    const first = await run("acme/chat", { prompt: "x", stream: true });
    const runId = first.headers.get("cf-aig-run-id") ?? "";
    const reader = first.body?.getReader();
    let read = "";
    while (!read.includes("two ")) {
      read += Buffer.from((await reader?.read())?.value ?? []).toString();
    }
    await reader?.cancel();
    const second = await resume(runId, 1);
    expect(second.headers.get("content-type")).toBe("text/event-stream");
    goOn.resolve();
    const rest = await second.text();
    const whole = await (await resume(runId, 0)).text();
    expect(whole.startsWith(read)).toBe(true);
    expect(whole).toMatch(/"three"\}\n\ndata: .*"usage".*\n\ndata: \[DONE\]\n\n$/);
    const events = whole.split("\n\n").slice(0, -1);
    expect(rest).toBe(`${events.slice(1).join("\n\n")}\n\n`);
    for (let from = 0; from <= events.length; from += 1) {
      const expected = events.slice(from).map((event) => `${event}\n\n`);
      expect(await (await resume(runId, from)).text()).toBe(expected.join(""));
    }
    // Past the end there is nothing, which is no error.
    const past = await resume(runId, 99);
    expect([past.status, await past.text()]).toEqual([200, ""]);
  });

  it("is nobody else's, and nothing where it is not known or malformed", async () => {
    const unknown = await resume("nothing", 0);
    expect([unknown.status, await unknown.json()]).toEqual([404, { error: "Request not found" }]);
    const malformed = await resume("a%20b", 0);
    expect(malformed.status).toBe(500);
    expect(await malformed.json()).toMatchObject({ success: false, error: [{ code: 2002 }] });
    expect((await resume("id1", "x")).status).toBe(500);
    harness.coglet.play(speak);
    const whole = await run("acme/chat", { prompt: "x" });
    // An answer that was no stream has no events to come back to.
    const id = whole.headers.get("cf-aig-log-id") ?? "";
    expect((await resume(id, 0)).status).toBe(404);
  });
});

describe("the log of a call", () => {
  it("takes feedback, and refuses what is none", async () => {
    harness.coglet.play(speak);
    const answer = await run("acme/chat", { prompt: "x" });
    const path = `/ai-gateway/gateways/default/logs/${answer.headers.get("cf-aig-log-id")}`;
    const patch = (body: unknown): Promise<Response> =>
      harness.call(path, { method: "PATCH", body });
    expect((await patch({ feedback: 1, metadata: { reviewed: true } })).status).toBe(200);
    expect((await patch({ score: 80 })).status).toBe(200);
    expect((await patch({ feedback: 2 })).status).toBe(400);
    expect(await (await harness.call(path)).json()).toMatchObject({
      result: {
        provider: "byom",
        model: "acme/chat",
        status_code: 200,
        tokens_in: 4,
        tokens_out: 3,
        feedback: 1,
        score: 80,
        metadata: { reviewed: true },
      },
    });
    const missing = await harness.call("/ai-gateway/gateways/default/logs/none");
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ errors: [{ message: "Log Not Found" }] });
  });
});
