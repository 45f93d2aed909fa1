import Cloudflare from "cloudflare";
import OpenAI from "openai";
import Replicate from "replicate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  callKey,
  chatModel,
  ocrModel,
  startHarness,
  StartError,
  type Harness,
} from "../../unit/gateway/harness.ts";
import type { Play } from "../../unit/gateway/fake-coglet.ts";

// The clients as their makers publish them. An app that uses one of them changes its base URL and nothing else.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const speak: Play = async (prediction) => {
  prediction.start();
  for (const word of ["one ", "two ", "thrée"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3, predict_time: 0.1 } });
};
const breakOff: Play = async (prediction) => {
  prediction.start();
  await prediction.output("one ");
  await new Promise((resolve) => setTimeout(resolve, 50));
  prediction.cut();
};
const readImage: Play = (prediction) => {
  prediction.complete({ output: { lines: ["Total 12.50"], image: prediction.input["image"] } });
};
const messages = [{ role: "user" as const, content: "count" }];

describe("openai", () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: callKey, baseURL: `${harness.url}/v1`, maxRetries: 1 });

  it("completes a chat and lists models", async () => {
    harness.coglet.play(speak);
    const completion = await client().chat.completions.create({ model: "acme/chat", messages });
    expect(completion.choices[0]?.message.content).toBe("one two thrée");
    expect(completion.usage).toEqual({ prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 });
    const ids: string[] = [];
    for await (const model of client().models.list()) ids.push(model.id);
    expect(ids).toEqual([chatModel.id, ocrModel.id]);
    expect((await client().models.retrieve("acme/chat")).owned_by).toBe("acme");
  });

  it("streams a chat with usage", async () => {
    harness.coglet.play(speak);
    const stream = await client().chat.completions.create({
      model: "acme/chat",
      messages,
      stream: true,
      stream_options: { include_usage: true },
    });
    const words: string[] = [];
    let total: number | undefined;
    for await (const chunk of stream) {
      const word = chunk.choices[0]?.delta.content;
      if (word !== undefined && word !== null && word !== "") words.push(word);
      total = chunk.usage?.total_tokens ?? total;
    }
    expect(words).toEqual(["one ", "two ", "thrée"]);
    expect(total).toBe(7);
  });

  it("throws on a stream that breaks, instead of returning half an answer", async () => {
    harness.coglet.play(breakOff);
    const stream = await client().chat.completions.create({
      model: "acme/chat",
      messages,
      stream: true,
    });
    const read = async (): Promise<void> => {
      for await (const chunk of stream) expect(chunk.choices[0]?.finish_reason).toBeNull();
    };
    await expect(read()).rejects.toThrow(/broke|terminated|ended/);
  });

  it("retries a model without capacity and then answers", async () => {
    let tries = 0;
    harness.upstream.gate = () =>
      (tries += 1) === 1
        ? Promise.reject(new StartError("capacity", "busy", 10))
        : Promise.resolve();
    harness.coglet.play(speak);
    const completion = await client().chat.completions.create({ model: "acme/chat", messages });
    expect(completion.choices[0]?.message.content).toBe("one two thrée");
    expect(tries).toBe(2);
  });

  it("throws its own errors for a wrong key, a missing model and a parameter the model lacks", async () => {
    const wrong = new OpenAI({ apiKey: "wrong", baseURL: `${harness.url}/v1` });
    await expect(wrong.models.list()).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const create = (fields: object) =>
      client().chat.completions.create({ model: "acme/chat", messages, ...fields });
    await expect(create({ model: "acme/none" })).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(create({ top_p: 0.5 })).rejects.toMatchObject({ status: 400, param: "top_p" });
  });
});

describe("replicate", () => {
  const client = (): Replicate =>
    new Replicate({ auth: callKey, baseUrl: `${harness.url}/v1`, useFileOutput: false });

  it("runs a model by name and by version", async () => {
    harness.coglet.play(speak);
    const version = chatModel.digest.slice("sha256:".length);
    for (const reference of ["acme/chat", `acme/chat:${version}`] as const) {
      expect(await client().run(reference, { input: { prompt: "count" } })).toEqual([
        "one ",
        "two ",
        "thrée",
      ]);
    }
    expect(harness.upstream.acquired.map(({ version: pinned }) => pinned)).toEqual([undefined, 3]);
  });

  it("uploads a buffer, and the model gets its content", async () => {
    harness.coglet.play(readImage);
    const output = await client().run("acme/ocr", { input: { image: Buffer.from("PNG") } });
    expect(output).toEqual({
      lines: ["Total 12.50"],
      image: `data:application/octet-stream;base64,${Buffer.from("PNG").toString("base64")}`,
    });
  });

  it("streams", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("line 1\nline 2");
      prediction.complete();
    });
    const events: string[] = [];
    for await (const { event, data, id } of client().stream("acme/chat", {
      input: { prompt: "x" },
    })) {
      events.push(`${event} ${id} ${JSON.stringify(data)}`);
    }
    expect(events).toEqual(['output 1 "line 1\\nline 2"', 'done 2 "{}"']);
  });

  it("throws on a stream that breaks", async () => {
    harness.coglet.play(breakOff);
    const read = async (): Promise<void> => {
      for await (const event of client().stream("acme/chat", { input: { prompt: "x" } })) {
        expect(event.event).toBe("output");
      }
    };
    await expect(read()).rejects.toThrow(/broke/);
  });

  it("waits for a prediction longer than the hold, polls, lists and cancels", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("a");
      await go.promise;
      prediction.complete();
    });
    const running = client().run("acme/chat", {
      input: { prompt: "slow" },
      wait: { mode: "block", timeout: 1 },
    });
    setTimeout(go.resolve, 1_300);
    expect(await running).toEqual(["a"]);

    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const prediction = await client().predictions.create({
      model: "acme/chat",
      input: { prompt: "x" },
    });
    expect(prediction.status).toBe("starting");
    const canceled = await client().predictions.cancel(prediction.id);
    expect(canceled.status).toBe("canceled");
    const { results } = await client().predictions.list();
    expect(results.map(({ status }) => status)).toEqual(["canceled", "succeeded"]);
  });

  it("describes models and versions", async () => {
    const model = await client().models.get("acme", "ocr");
    expect(model.latest_version?.id).toBe("cd".repeat(32));
    expect(model.latest_version?.openapi_schema).toMatchObject({
      components: { schemas: { Input: { required: ["image"] }, language: { enum: ["en", "de"] } } },
    });
    expect((await client().models.list()).results.map(({ name }) => name)).toEqual(["chat", "ocr"]);
  });

  it("rejects with what is wrong with the input", async () => {
    const run = client().run("acme/ocr", { input: { image: "https://x/y.png", language: "fr" } });
    await expect(run).rejects.toThrow(/422.*language: must be one of/s);
  });
});

describe("cloudflare", () => {
  const client = (): Cloudflare =>
    new Cloudflare({ apiToken: callKey, baseURL: `${harness.url}/client/v4`, maxRetries: 0 });

  it("runs a text model and one with any other output", async () => {
    harness.coglet.play(speak, readImage);
    expect(await client().ai.run("acme/chat", { account_id: "a", prompt: "count" })).toMatchObject({
      response: "one two thrée",
      usage: { prompt_tokens: 4, completion_tokens: 3, total_tokens: 7 },
    });
    const read = client().ai.run("acme/ocr", { account_id: "a", image: "data:,x" } as never);
    expect(await read).toEqual({ lines: ["Total 12.50"], image: "data:,x" });
  });

  it("streams", async () => {
    harness.coglet.play(speak);
    const response = await client()
      .ai.run("acme/chat", { account_id: "a", prompt: "count", stream: true })
      .asResponse();
    expect(await response.text()).toBe(
      'data: {"response":"one "}\n\ndata: {"response":"two "}\n\ndata: {"response":"thrée"}\n\n' +
        'data: {"response":"","usage":{"prompt_tokens":4,"completion_tokens":3,"total_tokens":7},' +
        '"finish_reason":"stop"}\n\n' +
        "data: [DONE]\n\n",
    );
  });

  it("searches models and reads a schema", async () => {
    const names: unknown[] = [];
    for await (const model of client().ai.models.list({ account_id: "a", search: "ocr" })) {
      names.push((model as { name: string }).name);
    }
    expect(names).toEqual(["acme/ocr"]);
    const schema = await client().ai.models.schema.get({ account_id: "a", model: "acme/chat" });
    expect(schema).toMatchObject({ input: { required: ["prompt"] } });
  });

  it("throws its own errors", async () => {
    const run = (model: string, input: object) =>
      client().ai.run(model, { account_id: "a", ...input } as never);
    await expect(run("acme/none", { prompt: "x" })).rejects.toMatchObject({
      status: 400,
      errors: [{ code: 5007 }],
    });
    await expect(run("acme/chat", {})).rejects.toMatchObject({
      errors: [{ code: 5004, message: "prompt is required" }],
    });
  });
});
