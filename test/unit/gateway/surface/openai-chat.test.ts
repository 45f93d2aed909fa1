import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { chatModel, startHarness, StartError, until, type Harness } from "../harness.ts";

// What a user of an OpenAI SDK loses when these fail: answers, honest errors, and streams that end only when complete.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const chat = (fields: Record<string, unknown> = {}): { body: unknown } => ({
  body: { model: "acme/chat", messages: [{ role: "user", content: "hi" }], ...fields },
});

describe("a chat completion", () => {
  it("answers with the model's text, its own token counts and how the instance started", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("Hel");
      await prediction.output("lo ü");
      prediction.complete({ metrics: { input_tokens: 5, output_tokens: 2 } });
    });
    const response = await harness.call("/v1/chat/completions", chat());
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      id: "chatcmpl-id2",
      object: "chat.completion",
      created: 1795435200,
      model: "acme/chat",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: "Hello ü", refusal: null },
          logprobs: null,
          finish_reason: "stop",
        },
      ],
      usage: { prompt_tokens: 5, completion_tokens: 2, total_tokens: 7 },
    });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "content-type": "application/json",
      "x-request-id": "req_id1",
      "x-byom-prediction": "id2",
      "x-byom-instance": "i-1",
      "x-byom-version": "3",
      "x-byom-start": "restored",
      "x-byom-start-ms": "512.3",
      "x-byom-start-reason": "no instance was running",
      "x-byom-start-phases": "create;dur=12, criu;dur=80",
      "server-timing": "create;dur=12, criu;dur=80",
    });
    expect(harness.coglet.predictions[0]?.input).toEqual({ prompt: "hi" });
    expect(harness.upstream.released).toEqual(["done"]);
  });

  it("says when the token counts are a guess", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ output: ["12345678"] });
    });
    const response = await harness.call("/v1/chat/completions", chat());
    expect(response.headers.get("x-byom-usage")).toBe("estimated");
    expect(await response.json()).toMatchObject({
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3, estimated: true },
    });
  });

  it("passes what the model has inputs for, under the model's names", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ output: ["a"], metrics: { input_tokens: 9, output_tokens: 4 } });
    });
    const response = await harness.call(
      "/v1/chat/completions",
      chat({
        messages: [
          { role: "system", content: "be brief" },
          { role: "user", content: [{ type: "text", text: "hi" }] },
        ],
        max_completion_tokens: 4,
        temperature: 0.2,
        top_p: 1,
        n: 1,
        presence_penalty: 0,
        user: "u",
      }),
    );
    expect(await response.json()).toMatchObject({ choices: [{ finish_reason: "length" }] });
    expect(harness.coglet.predictions[0]?.input).toEqual({
      prompt: "hi",
      system_prompt: "be brief",
      max_tokens: 4,
      temperature: 0.2,
    });
  });

  it.each([
    ["top_p", 0.5, "unsupported_parameter"],
    ["n", 2, "unsupported_parameter"],
    ["tools", [{ type: "function", function: { name: "f" } }], "unsupported_parameter"],
    ["seed", 7, "unsupported_parameter"],
    ["stop", ["x"], "unsupported_parameter"],
    ["max_tokens", 101, "invalid_input"],
    ["temperature", "hot", "invalid_input"],
  ])(
    "refuses %s = %j with a 400 that names it, before anything is woken",
    async (name, value, code) => {
      const response = await harness.call("/v1/chat/completions", chat({ [name]: value }));
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: {
          param: name,
          code,
          type: "invalid_request_error",
          message: expect.stringContaining(name),
        },
      });
      expect(harness.upstream.acquired).toEqual([]);
    },
  );

  it("gives a model with a messages input the messages themselves, as JSON text where Cog has only a string", async () => {
    const messages = [{ role: "user", content: "hi" }];
    for (const [schema, expected] of [
      [{ type: "string" }, JSON.stringify(messages)],
      [{ type: "array", items: { type: "object" } }, messages],
      [{}, messages],
    ] as const) {
      const model = {
        ...chatModel,
        inputSchema: { type: "object", properties: { messages: schema } },
      };
      const own = await startHarness({ models: [model] });
      own.coglet.play((prediction) => {
        prediction.start();
        prediction.complete({ output: ["ok"] });
      });
      expect((await own.call("/v1/chat/completions", chat())).status).toBe(200);
      expect(own.coglet.predictions[0]?.input).toEqual({ messages: expected });
      await own.close();
    }
  });

  it("refuses a model that is no chat model, and says how to call it", async () => {
    const response = await harness.call("/v1/chat/completions", chat({ model: "acme/ocr" }));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { message: expect.stringContaining("/v1/models/acme/ocr/predictions") },
    });
  });
});

describe("a streamed chat completion", () => {
  it("sends OpenAI's frames, with the usage last when asked for", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.event("metric", { mode: "replace", name: "input_tokens", value: 5 });
      await prediction.output('a "ü"\n');
      await prediction.event("log", { data: "noise\n", source: "stdout" });
      await prediction.raw(": keep-alive\n\n");
      await prediction.output("b");
      prediction.complete({ metrics: { input_tokens: 5, output_tokens: 2 } });
    });
    const response = await harness.call(
      "/v1/chat/completions",
      chat({ stream: true, stream_options: { include_usage: true } }),
    );
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("x-byom-start")).toBe("restored");
    const head =
      '"id":"chatcmpl-id2","object":"chat.completion.chunk","created":1795435200,"model":"acme/chat"';
    const frame = (delta: string, reason: string): string =>
      `data: {${head},"choices":[{"index":0,"delta":${delta},"finish_reason":${reason}}],"usage":null}\n\n`;
    expect(await response.text()).toBe(
      frame('{"role":"assistant","content":""}', "null") +
        frame('{"content":"a \\"ü\\"\\n"}', "null") +
        frame('{"content":"b"}', "null") +
        frame("{}", '"stop"') +
        `data: {${head},"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2,"total_tokens":7}}\n\n` +
        "data: [DONE]\n\n",
    );
  });

  it("is an HTTP error while nothing has been said", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "it broke", output: [] });
    });
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    expect(response.status).toBe(500);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(await response.json()).toMatchObject({
      error: { message: "it broke", code: "prediction_failed", type: "server_error" },
    });
  });

  it("never ends a cut stream as a complete one", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("half");
      await until("the first words have gone on", () => harness.events.length > 0);
      prediction.cut();
    });
    const text = await (await harness.call("/v1/chat/completions", chat({ stream: true }))).text();
    expect(text).toContain('"content":"half"');
    expect(text).toContain('"code":"upstream_cut"');
    expect(text).not.toContain("[DONE]");
    expect(text).not.toContain('"finish_reason":"stop"');
    await until("the lease is given back", () => harness.upstream.released.length === 1);
    expect(harness.upstream.released).toEqual(["failed"]);
  });

  it("takes a stream that ends politely but early for cut as well", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("half");
      prediction.end();
    });
    const text = await (await harness.call("/v1/chat/completions", chat({ stream: true }))).text();
    expect(text).toContain('"code":"upstream_cut"');
    expect(text).not.toContain("[DONE]");
  });

  it("keeps the line alive with comments while the model starts", async () => {
    await harness.close();
    harness = await startHarness({ deadlines: { commitMs: 20, keepAliveMs: 20 } });
    const started = Promise.withResolvers<void>();
    harness.upstream.gate = () => started.promise;
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("x");
      prediction.complete();
    });
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes(": starting\n: starting\n")) {
      const { value, done } = (await reader?.read()) ?? { done: true, value: "" };
      if (done) break;
      text += value;
    }
    started.resolve();
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true, value: "" };
      if (done) break;
      text += value;
    }
    expect(text).toContain(": starting\n: starting\n");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });
});

describe("a model that cannot start", () => {
  it("is a 503 with Retry-After when waiting helps", async () => {
    harness.upstream.gate = () => Promise.reject(new StartError("capacity", "all busy", 2500));
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("3");
    expect(response.headers.get("retry-after-ms")).toBe("2500");
    expect(await response.json()).toEqual({
      error: { message: "all busy", type: "server_error", param: null, code: "capacity" },
    });
  });

  it("is a 503 that tells SDKs not to repeat it when setup() failed", async () => {
    harness.upstream.gate = () => Promise.reject(new StartError("start_failed", "setup() raised"));
    const response = await harness.call("/v1/chat/completions", chat());
    expect(response.status).toBe(503);
    expect(response.headers.get("x-should-retry")).toBe("false");
    expect(response.headers.get("retry-after")).toBeNull();
  });
});

describe("keys", () => {
  it.each([
    [{ authorization: "" }, 401, "invalid_api_key"],
    [{ authorization: "Bearer wrong" }, 401, "invalid_api_key"],
    [{ authorization: "Bearer byom_deploy_key" }, 403, "forbidden"],
  ])("answers %j with %i", async (headers, status, code) => {
    const response = await harness.call("/v1/chat/completions", { ...chat(), headers });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
    expect(harness.upstream.acquired).toEqual([]);
  });

  it.each([
    { authorization: "Token byom_call_key" },
    { authorization: "", "x-api-key": "byom_call_key" },
  ])("accepts %j", async (headers) => {
    expect((await harness.call("/v1/models", { headers })).status).toBe(200);
  });

  it("leaves /healthz open and foreign paths alone", async () => {
    expect((await harness.call("/healthz", { headers: { authorization: "" } })).status).toBe(200);
    expect((await harness.call("/api/v1/versions")).status).toBe(418);
  });
});
