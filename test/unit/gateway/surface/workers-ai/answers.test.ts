import { afterEach, describe, expect, it } from "vitest";

import type { CatalogEntry } from "../../../../../gateway/index.ts";
import type { Play } from "../../fake-coglet.ts";
import { chatModel, startHarness, until, type Harness } from "../../harness.ts";

// Any model takes the call that Workers AI's clients write for its task, whatever its inputs are called.

const base = "/client/v4/accounts/any/ai";
const text = { type: "string" };
const uri = { type: "string", format: "uri" };
const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
const wav = Buffer.from("RIFF....WAVEfmt ");

function model(facts: Partial<CatalogEntry> & { readonly inputs: object }): CatalogEntry {
  const { inputs, ...rest } = facts;
  return {
    ...chatModel,
    isStreaming: false,
    requestFormats: ["predictions"],
    outputSchema: {},
    ...rest,
    inputSchema: { type: "object", properties: inputs },
  };
}

let harness: Harness;
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

async function ask(
  entry: CatalogEntry,
  body: unknown,
  output: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  harness = await startHarness({ models: [entry] });
  harness.coglet.play((prediction) => prediction.complete({ output }));
  return await harness.call(`${base}/run/${entry.id}`, { body, headers });
}

const inputs = (): unknown => harness.coglet.predictions.map(({ input }) => input);

describe("a chat", () => {
  it("gives a model that takes messages one user message for a prompt", async () => {
    const entry = model({ inputs: { messages: { type: "array" } }, outputSchema: text });
    const answer = await ask(entry, { prompt: "hi" }, "hello");
    expect(await answer.json()).toMatchObject({ result: { response: "hello" }, success: true });
    expect(inputs()).toEqual([{ messages: [{ role: "user", content: "hi" }] }]);
  });

  it("gives tool calls in Workers AI's form and in OpenAI's", async () => {
    const entry = model({
      inputs: { messages: { type: "array" }, tools: { type: "array" } },
      outputSchema: text,
    });
    const tools = [{ type: "function", function: { name: "weather", parameters: {} } }];
    const body = { messages: [{ role: "user", content: "hi" }], tools };
    const said = '<tool_call>{"name":"weather","arguments":{"city":"Oslo"}}</tool_call>';
    const { result } = (await (await ask(entry, body, said)).json()) as { result: object };
    expect(result).toMatchObject({
      response: "",
      tool_calls: [{ name: "weather", arguments: { city: "Oslo" } }],
      choices: [
        {
          finish_reason: "tool_calls",
          message: {
            content: null,
            tool_calls: [
              { type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
            ],
          },
        },
      ],
    });
  });

  it("wraps Workers AI's bare JSON Schema for a model that takes OpenAI's response_format", async () => {
    const entry = model({
      inputs: { messages: { type: "array" }, response_format: { type: "object" } },
      outputSchema: text,
    });
    const schema = { type: "object", properties: { city: text } };
    const response_format = { type: "json_schema", json_schema: schema };
    const messages = [{ role: "user", content: "hi" }];
    await ask(entry, { messages, response_format }, '{"city":"Oslo"}');
    expect(inputs()).toMatchObject([
      { response_format: { type: "json_schema", json_schema: { name: "answer", schema } } },
    ]);
  });

  it("refuses by name what the model has no input for, before anything is woken", async () => {
    const entry = model({ inputs: { prompt: text }, outputSchema: text });
    const answer = await ask(entry, { messages: [{ role: "user", content: "x" }], top_k: 3 }, "");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 5004 }] });
    expect(harness.upstream.acquired).toEqual([]);
  });
});

describe("a body whose type nobody named", () => {
  it.each(["application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"])(
    "is JSON all the same when the client says %s, as curl -d does",
    async (type) => {
      const entry = model({ inputs: { prompt: text }, outputSchema: text });
      const answer = await ask(entry, { prompt: "x" }, "hello", { "content-type": type });
      expect(await answer.json()).toMatchObject({ result: { response: "hello" } });
    },
  );
});

describe("embeddings", () => {
  it("come as {shape, data}, from a model that takes a list", async () => {
    const entry = model({
      task: "text-embeddings",
      inputs: { texts: { type: "array", items: text } },
    });
    const answer = await ask(entry, { text: ["a", "b"] }, [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(await answer.json()).toMatchObject({
      result: {
        shape: [2, 3],
        data: [
          [1, 2, 3],
          [4, 5, 6],
        ],
      },
    });
    expect(inputs()).toEqual([{ texts: ["a", "b"] }]);
  });

  it("come from a model that takes one text at a time, by as many predictions", async () => {
    const entry = model({ task: "text-embeddings", inputs: { text } });
    const answer = await ask(entry, { text: ["a", "b"], pooling: "cls" }, { embedding: [1, 2] });
    expect(await answer.json()).toMatchObject({ result: { shape: [2, 2] } });
    expect(inputs()).toEqual([{ text: "a" }, { text: "b" }]);
  });
});

describe("files", () => {
  it.each([
    ["a list of bytes", [...png]],
    ["base64", png.toString("base64")],
    ["{body, contentType}", { body: png.toString("base64"), contentType: "image/png" }],
  ])("reach a model as data URIs when they come as %s", async (_form, image) => {
    const entry = model({ task: "image-to-text", inputs: { image: uri }, outputSchema: text });
    const answer = await ask(entry, { image }, "a cat");
    expect(await answer.json()).toMatchObject({
      result: { response: "a cat", description: "a cat" },
    });
    expect(inputs()).toEqual([{ image: `data:image/png;base64,${png.toString("base64")}` }]);
  });

  it("reach a model as the body of the request", async () => {
    const entry = model({
      task: "automatic-speech-recognition",
      inputs: { language: text, audio_file: uri },
    });
    harness = await startHarness({ models: [entry] });
    harness.coglet.play((prediction) => prediction.complete({ output: "hello there" }));
    const response = await fetch(`${harness.url}${base}/run/${entry.id}`, {
      method: "POST",
      headers: { authorization: "Bearer byom_call_key", "content-type": "audio/wav" },
      body: wav,
    });
    expect(await response.json()).toMatchObject({
      result: { text: "hello there", word_count: 2 },
    });
    expect(inputs()).toEqual([{ audio_file: `data:audio/wav;base64,${wav.toString("base64")}` }]);
  });

  it("are answered as bytes with their type, so that they can be saved as they come", async () => {
    const entry = model({
      task: "text-to-image",
      inputs: { prompt: text, width: { type: "integer" }, height: { type: "integer" } },
      outputSchema: uri,
    });
    const output = `data:image/png;base64,${png.toString("base64")}`;
    const answer = await ask(entry, { prompt: "a cat", width: 64, height: 64 }, output);
    expect(answer.headers.get("content-type")).toBe("image/png");
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(png);
    expect(inputs()).toEqual([{ prompt: "a cat", width: 64, height: 64 }]);
  });

  it("that lie at a URL are named under what they are", async () => {
    const entry = model({
      task: "text-to-video",
      inputs: { prompt: text },
      outputSchema: { type: "array", items: uri },
    });
    const answer = await ask(entry, { prompt: "a cat" }, ["https://cdn.example/cat.mp4"]);
    expect(await answer.json()).toMatchObject({
      result: { video: "https://cdn.example/cat.mp4" },
    });
  });
});

describe("a transcript", () => {
  it("has words, segments and what is known of the sound", async () => {
    const entry = model({ task: "automatic-speech-recognition", inputs: { audio: uri } });
    const answer = await ask(
      entry,
      { audio: [...wav], vad_filter: false },
      { text: "hello", language: "en", segments: [{ start: 0, end: 1.5, text: "hello" }] },
    );
    expect(await answer.json()).toMatchObject({
      result: {
        text: "hello",
        word_count: 1,
        segments: [{ start: 0, end: 1.5, text: "hello" }],
        transcription_info: { language: "en", duration: 1.5 },
      },
    });
  });
});

describe("a batch", () => {
  const speak: Play = (prediction) =>
    prediction.complete({ output: [`re: ${String(prediction.input["prompt"])}`] });
  const queue = `${base}/run/acme/chat?queueRequest=true`;
  const requests = [{ prompt: "a", external_reference: "first" }, { prompt: "b" }];

  it("is accepted whole, recorded, and answered by its id once all are done", async () => {
    harness = await startHarness({ models: [{ ...chatModel, isStreaming: false }] });
    const gate = Promise.withResolvers<void>();
    harness.upstream.gate = () => gate.promise;
    harness.coglet.play(speak);
    const queued = (await (await harness.call(queue, { body: { requests } })).json()) as {
      result: { status: string; request_id: string; model: string };
    };
    expect(queued.result).toMatchObject({ status: "queued", model: "acme/chat" });
    // Accepted means not lost: both are in the store before the answer.
    expect(harness.predictions.records.size).toBe(2);
    const poll = (): Promise<Response> =>
      harness.call(queue, { body: { request_id: queued.result.request_id } });
    expect(await (await poll()).json()).toMatchObject({ result: { status: "queued" } });
    gate.resolve();
    await until("the batch has ended", () =>
      [...harness.predictions.records.values()].every(({ status }) => status === "succeeded"),
    );
    expect(await (await poll()).json()).toMatchObject({
      success: true,
      result: {
        responses: [
          { id: 0, success: true, result: { response: "re: a" }, external_reference: "first" },
          { id: 1, success: true, result: { response: "re: b" }, external_reference: null },
        ],
        usage: { total_tokens: expect.any(Number) as number },
      },
    });
  });

  it("begins nothing when one of its requests is wrong", async () => {
    harness = await startHarness();
    const refused = await harness.call(queue, { body: { requests: [{ prompt: "a" }, "b"] } });
    expect(refused.status).toBe(400);
    expect(harness.predictions.records.size).toBe(0);
  });

  it.each(["nothing", "a.b", "x.W10"])("%s is not the id of one", async (request_id) => {
    harness = await startHarness();
    const answer = await harness.call(queue, { body: { request_id } });
    expect(answer.status).toBe(404);
  });
});

describe("options", () => {
  it("rejectIfBusy answers 3040 instead of letting the caller wait", async () => {
    harness = await startHarness();
    Object.assign(harness.upstream, { state: () => "busy" });
    const answer = await harness.call(`${base}/run`, {
      body: { model: "acme/chat", input: { prompt: "x" }, options: { rejectIfBusy: true } },
    });
    expect(answer.status).toBe(429);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 3040 }] });
    expect(harness.upstream.acquired).toEqual([]);
  });

  it("requestTimeoutMs ends a call that says nothing, with 3007", async () => {
    harness = await startHarness();
    harness.coglet.play((prediction) => prediction.start());
    const answer = await harness.call(`${base}/run`, {
      body: {
        model: "acme/chat",
        input: { prompt: "x" },
        options: { gateway: { id: "g", requestTimeoutMs: 50 } },
      },
    });
    expect(answer.status).toBe(408);
    expect(await answer.json()).toMatchObject({ errors: [{ code: 3007 }] });
  });

  it.each([
    [{ tags: ["a b"] }, "options.tags"],
    [{ tags: ["1", "2", "3", "4", "5", "6"] }, "options.tags"],
    [{ tags: ["x".repeat(51)] }, "options.tags"],
    [{ metadata: { a: { b: 1 } } }, "options.metadata"],
    [{ gateway: { metadata: "x" } }, "options.gateway.metadata"],
    [{ gateway: { requestTimeoutMs: -1 } }, "options.gateway.requestTimeoutMs"],
    [[], "options"],
  ])("%j are refused by name", async (options, where) => {
    harness = await startHarness();
    const answer = await harness.call(`${base}/run`, {
      body: { model: "acme/chat", input: { prompt: "x" }, options },
    });
    expect(answer.status).toBe(400);
    const { errors } = (await answer.json()) as { errors: { message: string }[] };
    expect(errors[0]?.message).toContain(where);
  });
});

describe("the catalog", () => {
  it("pages, filters by task, author and source, and has tasks and authors", async () => {
    const other = { ...chatModel, id: "zeta/draw", task: "text-to-image" as const };
    harness = await startHarness({ models: [chatModel, other] });
    const search = async (query: string): Promise<unknown> => {
      const answer = await harness.call(`${base}/models/search?${query}`);
      const { result } = (await answer.json()) as { result: { name: string }[] };
      return result.map(({ name }) => name);
    };
    expect(await search("per_page=1&page=2")).toEqual(["zeta/draw"]);
    expect(await search("task=text-to-image")).toEqual(["zeta/draw"]);
    expect(await search("task=Text Gen")).toEqual(["acme/chat"]);
    expect(await search("author=zeta&search=dra")).toEqual(["zeta/draw"]);
    expect(await search("source=2")).toEqual([]);
    const openRouter = (await (
      await harness.call(`${base}/models/search?format=openrouter`)
    ).json()) as { data: { id: string }[] };
    expect(openRouter.data.map(({ id }) => id)).toEqual(["acme/chat", "zeta/draw"]);
    const tasks = await (await harness.call(`${base}/tasks/search`)).json();
    expect(tasks).toMatchObject({
      result: [{ name: "Text Generation" }, { name: "Text-to-Image" }],
    });
    const authors = await (await harness.call(`${base}/authors/search`)).json();
    expect(authors).toMatchObject({ result: [{ name: "acme" }, { name: "zeta" }] });
  });
});
