import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHarness, StartError, type Harness } from "../../harness.ts";
import type { Play } from "../../fake-coglet.ts";

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const base = "/client/v4/accounts/any/ai";
const speak: Play = async (prediction) => {
  prediction.start();
  await prediction.output("one ");
  await prediction.output("two");
  prediction.complete();
};

describe("Workers AI's REST API", () => {
  it.each([
    ["run", { model: "acme/chat", input: { prompt: "x" } }],
    ["run/acme/chat", { prompt: "x" }],
    ["run/acme%2Fchat", { messages: [{ role: "user", content: "x" }] }],
  ])("answers POST %s in its envelope", async (path, body) => {
    harness.coglet.play(speak);
    const response = await harness.call(`${base}/${path}`, { body });
    expect(response.status).toBe(200);
    // `env.AI` parses only exactly this content type.
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("x-byom-start")).toBe("restored");
    expect(await response.json()).toEqual({
      result: {
        response: "one two",
        usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, estimated: true },
        // The same answer in OpenAI's words: newer models of Cloudflare's have only these.
        id: "chatcmpl-id2",
        object: "chat.completion",
        created: 1795435200,
        model: "acme/chat",
        choices: [
          {
            index: 0,
            message: { role: "assistant", content: "one two" },
            finish_reason: "stop",
          },
        ],
      },
      success: true,
      errors: [],
      messages: [],
    });
    expect(harness.coglet.predictions[0]?.input).toEqual({ prompt: "x" });
  });

  it("gives a model that does not stream as one piece when a stream is asked for", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: { lines: 2 } }));
    const response = await harness.call(`${base}/run/acme/ocr`, {
      body: { image: "x", stream: true },
    });
    expect(await response.text()).toMatch(
      /^data: \{"response":\{"lines":2\}\}\n\ndata: \{"response":"","usage":.*\}\n\ndata: \[DONE\]\n\n$/,
    );
    expect(harness.coglet.predictions[0]?.input).toEqual({ image: "x" });
  });

  it("puts an error into a stream that breaks, and no [DONE] after it", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      prediction.end();
    });
    const response = await harness.call(`${base}/run/acme/chat`, {
      body: { prompt: "x", stream: true },
    });
    const text = await response.text();
    expect(text).toMatch(
      /^data: \{"response":"one "\}\n\ndata: \{"result":null,"success":false,"errors":\[\{"code":3043,/,
    );
    expect(text).not.toContain("[DONE]");
  });

  it("serves OpenAI's chat with OpenAI's errors", async () => {
    harness.coglet.play(speak);
    const body = { model: "acme/chat", messages: [{ role: "user", content: "x" }] };
    const answer = await harness.call(`${base}/v1/chat/completions`, { body });
    expect(await answer.json()).toMatchObject({ choices: [{ message: { content: "one two" } }] });
    const refused = await harness.call(`${base}/v1/chat/completions`, { body: { ...body, n: 3 } });
    expect(await refused.json()).toMatchObject({ error: { param: "n" } });
  });

  it.each([
    ["v1/responses", { input: "x" }, { object: "response" }],
    [
      "v1/messages",
      { max_tokens: 9, messages: [{ role: "user", content: "x" }] },
      { type: "message" },
    ],
    // Anthropic's client writes the second v1 itself.
    [
      "v1/v1/messages",
      { max_tokens: 9, messages: [{ role: "user", content: "x" }] },
      { type: "message" },
    ],
    ["v1/completions", { prompt: "x" }, { object: "text_completion" }],
  ])("serves %s in that API's shape, failures too", async (path, body, shape) => {
    harness.coglet.play(speak);
    const answer = await harness.call(`${base}/${path}`, { body: { model: "acme/chat", ...body } });
    expect(answer.status).toBe(200);
    expect(answer.headers.get("cf-ai-req-id")).toMatch(/^req_/);
    expect(await answer.json()).toMatchObject(shape);
    const refused = await harness.call(`${base}/${path}`, {
      body: { model: "acme/none", ...body },
    });
    expect(refused.status).toBe(404);
    expect(await refused.json()).toMatchObject({
      error: { message: expect.any(String) as string },
    });
  });

  it.each<[string, unknown, string, number, number]>([
    ["run/acme/none", {}, "", 400, 5007],
    ["run", { input: {} }, "", 400, 3003],
    ["run/acme/chat", "{", "", 400, 3003],
    ["run/acme/chat", {}, "", 400, 5004],
    ["run/acme/chat", {}, "Bearer wrong", 401, 10_000],
    ["run/acme/chat", {}, "Bearer byom_deploy_key", 403, 3041],
    ["nothing", {}, "", 404, 7003],
  ])(
    "POST %s with %j and key %j: its own code",
    async (path, body, authorization, status, code) => {
      const headers = authorization === "" ? {} : { authorization };
      const response = await harness.call(`${base}/${path}`, { body, headers });
      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({
        success: false,
        result: null,
        errors: [{ code }],
      });
    },
  );

  it("says when to come back", async () => {
    harness.upstream.gate = () => Promise.reject(new StartError("start_timeout", "still starting"));
    const response = await harness.call(`${base}/run/acme/chat`, { body: { prompt: "x" } });
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "5"]);
    expect(await response.json()).toMatchObject({
      errors: [{ code: 3040, message: "still starting" }],
    });
  });
});
