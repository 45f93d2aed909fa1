import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { chatModel, startHarness, type Harness } from "../../harness.ts";

// OpenAI's older call, which base models, evaluation harnesses and code completion still use.

let harness: Harness;
beforeEach(async () => {
  const templated = {
    ...chatModel,
    id: "acme/templated",
    mapping: { chatTemplate: "chatml" },
  } as const;
  harness = await startHarness({ models: [chatModel, templated] });
  harness.coglet.play(async (prediction) => {
    prediction.start();
    await prediction.output("to ");
    await prediction.output(`<${String(prediction.input["prompt"])}>`);
    prediction.complete({ metrics: { input_tokens: 3, output_tokens: 2 } });
  });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const ask = async (fields: Record<string, unknown>): Promise<Response> =>
  await harness.call("/v1/completions", {
    body: { model: "acme/chat", prompt: "Once", ...fields },
  });

describe("a completion", () => {
  it("goes on with the prompt as it is, even for a model with a chat template", async () => {
    const response = await ask({ model: "acme/templated", max_tokens: 7 });
    expect(await response.json()).toEqual({
      id: "cmpl-id2",
      object: "text_completion",
      created: 1795435200,
      model: "acme/templated",
      choices: [{ index: 0, text: "to <Once>", logprobs: null, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    });
    expect(response.headers.get("x-byom-start")).toBe("restored");
    expect(harness.coglet.predictions[0]?.input).toEqual({ prompt: "Once", max_tokens: 7 });
  });

  it("answers each of several prompts, in their order, and adds their tokens up", async () => {
    const response = await ask({ prompt: ["a", "b"], echo: true });
    expect(await response.json()).toMatchObject({
      choices: [
        { index: 0, text: "ato <a>" },
        { index: 1, text: "bto <b>" },
      ],
      usage: { prompt_tokens: 6, completion_tokens: 4, total_tokens: 10 },
    });
  });

  it("streams, with the prompt first when it is to be echoed and the usage last", async () => {
    const response = await ask({
      stream: true,
      echo: true,
      stream_options: { include_usage: true },
    });
    const head =
      '"id":"cmpl-id2","object":"text_completion","created":1795435200,"model":"acme/chat"';
    const frame = (text: string, reason: string): string =>
      `data: {${head},"choices":[{"index":0,"text":${text},"logprobs":null,"finish_reason":${reason}}],"usage":null}\n\n`;
    expect(await response.text()).toBe(
      frame('"Once"', "null") +
        frame('"to "', "null") +
        frame('"<Once>"', "null") +
        frame('""', '"stop"') +
        `data: {${head},"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n` +
        "data: [DONE]\n\n",
    );
  });

  it.each<[Record<string, unknown>, string]>([
    [{ prompt: undefined }, "prompt"],
    [{ prompt: [] }, "prompt"],
    [{ prompt: [1, 2, 3] }, "prompt"],
    [{ prompt: ["a", "b"], stream: true }, "prompt"],
    [{ prompt: Array.from({ length: 17 }, () => "a") }, "prompt"],
    [{ suffix: "the end" }, "suffix"],
    [{ best_of: 3 }, "best_of"],
    [{ n: 2 }, "n"],
    [{ logprobs: 0 }, "logprobs"],
    [{ model: 5 }, "model"],
    [{ top_p: 0.5 }, "top_p"],
  ])("is refused for %j, before anything is woken", async (fields, parameter) => {
    const response = await ask(fields);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { param: parameter } });
    expect(harness.upstream.acquired).toEqual([]);
  });

  it("fails as a whole when one of its prompts fails", async () => {
    harness.coglet.play(
      async (prediction) => {
        prediction.start();
        await prediction.canceled;
        prediction.complete({ status: "canceled" });
      },
      (prediction) => {
        prediction.start();
        prediction.complete({ status: "failed", error: "it broke" });
      },
    );
    const response = await ask({ prompt: ["a", "b"] });
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { message: "it broke" } });
  });
});
