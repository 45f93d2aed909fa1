import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import {
  APICallError,
  embedMany,
  generateImage,
  generateText,
  streamText,
  tool,
  type ToolSet,
  transcribe,
} from "ai";
import Cloudflare from "cloudflare";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createWorkersAI, type ProviderPlugin, type WorkersAISettings } from "workers-ai-provider";
import { z } from "zod";

import { createAI, type AIOptions } from "../../../client/index.ts";
import type { CatalogEntry } from "../../../gateway/index.ts";
import type { ProviderDouble } from "../../support/provider-double.ts";
import type { Play } from "../../unit/gateway/fake-coglet.ts";
import {
  callKey,
  chatModel,
  ocrModel,
  startHarness,
  StartError,
  type Harness,
} from "../../unit/gateway/harness.ts";
import {
  kimi,
  kimiDirect,
  moonshotProviders,
  startMoonshot,
} from "../../unit/gateway/third-party.ts";

// Cloudflare's clients as their makers publish them: over the REST API, and over a binding that is `byom/client`.

const text = { type: "string" };
const uri = { type: "string", format: "uri" };
const own = (facts: Partial<CatalogEntry>): CatalogEntry => ({
  ...chatModel,
  isStreaming: false,
  outputSchema: {},
  ...facts,
});
const withTools = own({
  id: "acme/tools",
  isStreaming: true,
  outputSchema: chatModel.outputSchema,
  inputSchema: {
    type: "object",
    properties: { messages: { type: "array" }, tools: { type: "array" }, max_tokens: {} },
  },
});
const embedder = own({
  id: "acme/embed",
  task: "text-embeddings",
  inputSchema: { type: "object", properties: { texts: { type: "array", items: text } } },
});
const whisper = own({
  id: "acme/whisper",
  task: "automatic-speech-recognition",
  inputSchema: { type: "object", properties: { audio: uri, language: text } },
});
const painter = own({
  id: "acme/paint",
  task: "text-to-image",
  outputSchema: uri,
  inputSchema: {
    type: "object",
    properties: { prompt: text, width: { type: "integer" }, height: { type: "integer" } },
  },
});
const gpt: CatalogEntry = { ...kimiDirect, id: "openai/gpt-5" };

let harness: Harness;
let moonshot: ProviderDouble;
beforeEach(async () => {
  moonshot = await startMoonshot();
  harness = await startHarness({
    models: [chatModel, ocrModel, withTools, embedder, whisper, painter, kimi, gpt],
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
  for (const word of ["one ", "two ", "thrée"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
};

/** The provider has no base URL: an app leads its requests to the gateway by `fetch`. */
function overRest(): WorkersAISettings {
  return {
    accountId: "local",
    apiKey: callKey,
    fetch: (input, init) => {
      const url = (input instanceof Request ? input.url : input.toString())
        .replace("https://api.cloudflare.com", harness.url)
        .replace("https://gateway.ai.cloudflare.com", `${harness.url}/gateway`);
      return fetch(url, init);
    },
  };
}

function overBinding(options: Partial<AIOptions> = {}): WorkersAISettings {
  const ai = createAI({ baseUrl: harness.url, apiKey: callKey, ...options });
  // The provider's own type of a binding stands in a package that is not needed here.
  return { binding: ai } as unknown as WorkersAISettings;
}

const ways = [
  ["the REST API", overRest],
  ["a binding", overBinding],
] as const;

describe.each(ways)("workers-ai-provider over %s", (way, settings) => {
  const provider = (): ReturnType<typeof createWorkersAI> => createWorkersAI(settings());

  it.each([
    ["acme/chat", "one two thrée", { inputTokens: 4, outputTokens: 3 }],
    ["@cf/moonshotai/kimi-k2.5", "Hi you", { inputTokens: 6, outputTokens: 2 }],
  ])("generates text with %s", async (model, said, usage) => {
    harness.coglet.play(speak);
    const answer = await generateText({ model: provider()(model), prompt: "x" });
    expect(answer.text).toBe(said);
    expect(answer.usage).toMatchObject(usage);
    expect(answer.finishReason).toBe("stop");
  });

  it.each(["acme/chat", "@cf/moonshotai/kimi-k2.5", "openai/gpt-5"])(
    "streams text with %s, through a gateway with metadata",
    async (model) => {
      harness.coglet.play(speak);
      const gateway = { id: "prod", metadata: { team: "search" } };
      const workersAi = createWorkersAI({ ...settings(), gateway } as WorkersAISettings);
      const { textStream, usage } = streamText({ model: workersAi(model), prompt: "x" });
      const pieces: string[] = [];
      for await (const piece of textStream) pieces.push(piece);
      expect(pieces).toEqual(model === "acme/chat" ? ["one ", "two ", "thrée"] : ["Hi ", "you"]);
      expect((await usage).outputTokens).toBe(model === "acme/chat" ? 3 : 2);
    },
  );

  it("calls tools, streamed and not", async () => {
    const call = '<tool_call>{"name":"weather","arguments":{"city":"Oslo"}}</tool_call>';
    const play: Play = async (prediction) => {
      prediction.start();
      await prediction.output(call.slice(0, 20));
      await prediction.output(call.slice(20));
      prediction.complete();
    };
    harness.coglet.play(play);
    const weather = tool({ inputSchema: z.object({ city: z.string() }) });
    // Their types are not made for exact optional properties.
    const tools = { weather } as unknown as ToolSet;
    const model = provider()("acme/tools");
    const answer = await generateText({ model, prompt: "x", tools });
    expect(answer.toolCalls).toMatchObject([{ toolName: "weather", input: { city: "Oslo" } }]);
    expect(answer.finishReason).toBe("tool-calls");
    const streamed = streamText({ model, prompt: "x", tools });
    expect(await streamed.toolCalls).toMatchObject([
      { toolName: "weather", input: { city: "Oslo" } },
    ]);
    expect(await streamed.finishReason).toBe("tool-calls");
  });

  it("embeds", async () => {
    harness.coglet.play((prediction) =>
      prediction.complete({
        output: [
          [1, 2],
          [3, 4],
        ],
      }),
    );
    const model = provider().textEmbedding("acme/embed");
    const { embeddings } = await embedMany({ model, values: ["a", "b"] });
    expect(embeddings).toEqual([
      [1, 2],
      [3, 4],
    ]);
  });

  it("transcribes", async () => {
    harness.coglet.play((prediction) =>
      prediction.complete({
        output: { text: "hello", segments: [{ start: 0, end: 1, text: "hello" }] },
      }),
    );
    const audio = new Uint8Array(Buffer.from("RIFF....WAVEfmt data"));
    const model = provider().transcription("acme/whisper");
    const transcript = await transcribe({ model, audio });
    expect(transcript.text).toBe("hello");
    expect(transcript.segments).toEqual([{ text: "hello", startSecond: 0, endSecond: 1 }]);
  });

  // The REST shim of this release reads every answer as JSON, so an image's bytes reach an app only over a binding.
  it.runIf(way === "a binding")("draws", async () => {
    const png = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");
    const output = `data:image/png;base64,${png.toString("base64")}`;
    harness.coglet.play((prediction) => prediction.complete({ output }));
    const model = provider().image("acme/paint");
    const { image } = await generateImage({ model, prompt: "a cat", size: "64x32" });
    expect(Buffer.from(image.uint8Array)).toEqual(png);
    expect(harness.coglet.predictions[0]?.input).toEqual({
      prompt: "a cat",
      width: 64,
      height: 32,
    });
  });

  it("retries a model without capacity, and nothing that cannot succeed", async () => {
    harness.coglet.play(speak);
    let refusals = 0;
    harness.upstream.gate = () => {
      refusals += 1;
      return refusals === 1
        ? Promise.reject(new StartError("capacity", "all busy", 10))
        : Promise.resolve();
    };
    const model = provider()("acme/chat");
    const answer = await generateText({ model, prompt: "x", maxRetries: 1 });
    expect(answer.text).toBe("one two thrée");
    const missing = provider()("acme/none");
    const error: unknown = await generateText({ model: missing, prompt: "x" }).catch((e) => e);
    expect(APICallError.isInstance(error) && error).toMatchObject({
      statusCode: 400,
      isRetryable: false,
    });
  });
});

describe("workers-ai-provider's catalog models over a binding", () => {
  /** Cuts the first stream after so many bytes. */
  function cutting(cutAfter: number): { options: Partial<AIOptions>; resumes: () => number } {
    let streams = 0;
    let resumes = 0;
    const options: Partial<AIOptions> = {
      // The provider takes streams up again by itself; the client must not do it for it.
      reconnectsMax: 0,
      fetch: async (input, init) => {
        if (input.includes("/resume")) resumes += 1;
        const response = await fetch(input, init);
        const isStream = response.headers.get("content-type") === "text/event-stream";
        if (isStream) streams += 1;
        if (!isStream || streams > 1 || response.body === null) return response;
        const bytes = new Uint8Array(await response.arrayBuffer()).subarray(0, cutAfter);
        let isSent = false;
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (isSent) controller.error(new TypeError("terminated"));
            else controller.enqueue(bytes);
            isSent = true;
          },
        });
        return new Response(body, { status: response.status, headers: response.headers });
      },
    };
    return { options, resumes: () => resumes };
  }

  const openAi: ProviderPlugin = {
    wireFormat: "openai",
    create: ({ modelId, fetch: fetcher }) =>
      createOpenAICompatible({
        name: "gateway",
        baseURL: "https://api.openai.com/v1",
        fetch: fetcher,
        includeUsage: true,
      }).chatModel(modelId),
  };

  it("go on after a cut stream: the provider resumes it by its count of events", async () => {
    const { options, resumes } = cutting(260);
    const workersAi = createWorkersAI({
      ...overBinding(options),
      providers: [openAi],
    } as WorkersAISettings);
    const { textStream } = streamText({ model: workersAi("openai/gpt-5"), prompt: "x" });
    const pieces: string[] = [];
    for await (const piece of textStream) pieces.push(piece);
    expect(pieces.join("")).toBe("Hi you");
    expect(resumes()).toBe(1);
  });
});

describe("cloudflare", () => {
  const client = (): Cloudflare =>
    new Cloudflare({ apiToken: callKey, baseURL: `${harness.url}/client/v4`, maxRetries: 0 });
  const account_id = "local";

  it("runs own and third parties' models", async () => {
    harness.coglet.play(speak);
    for (const model of ["acme/chat", "@cf/moonshotai/kimi-k2.5"]) {
      const answer = await client().ai.run(model, { account_id, prompt: "x" });
      expect(answer).toMatchObject({ response: expect.stringMatching(/thrée|Hi you/) as string });
    }
  });

  it("pages through models, and has their schemas, tasks and authors", async () => {
    const names: string[] = [];
    for await (const model of client().ai.models.list({ account_id, per_page: 3 })) {
      names.push((model as { name: string }).name);
    }
    expect(names).toHaveLength(8);
    const schema = await client().ai.models.schema.get({ account_id, model: "acme/chat" });
    expect(schema.input).toMatchObject({ required: ["prompt"] });
    const tasks: unknown[] = [];
    for await (const task of client().ai.tasks.list({ account_id })) tasks.push(task);
    expect(tasks).toContainEqual(expect.objectContaining({ name: "Text Generation" }));
    const authors: unknown[] = [];
    for await (const author of client().ai.authors.list({ account_id })) authors.push(author);
    expect(authors).toContainEqual(expect.objectContaining({ name: "moonshotai" }));
  });

  it("throws with Cloudflare's code", async () => {
    const running = client().ai.run("acme/none", { account_id, prompt: "x" });
    await expect(running).rejects.toMatchObject({ status: 400, errors: [{ code: 5007 }] });
    const refused = new Cloudflare({
      apiToken: "wrong",
      baseURL: `${harness.url}/client/v4`,
    }).ai.run("acme/chat", { account_id, prompt: "x" });
    await expect(refused).rejects.toMatchObject({ status: 401 });
  });
});
