import OpenAI from "openai";
import type {
  Response as ModelResponse,
  ResponseCreateParamsNonStreaming,
  ResponseStreamEvent,
} from "openai/resources/responses/responses";

import type { CatalogEntry } from "../../../gateway/index.ts";
import type { FakePrediction, Play } from "../../unit/gateway/fake-coglet.ts";
import { callKey, chatModel, type Harness } from "../../unit/gateway/harness.ts";

/** A model that knows messages, tools and formats. */
export const agent: CatalogEntry = {
  ...chatModel,
  id: "acme/agent",
  capabilities: ["vision", "tools", "json"],
  inputSchema: {
    type: "object",
    required: ["messages"],
    properties: {
      messages: { type: "array", items: { type: "object" } },
      tools: { type: "array", items: { type: "object" } },
      tool_choice: {},
      response_format: { type: "object" },
      max_tokens: { type: "integer" },
      reasoning_effort: { type: "string" },
    },
  },
};
export const models: readonly CatalogEntry[] = [chatModel, agent];

/** OpenAI's own client, pointed at a gateway. */
export const client = ({ url }: Pick<Harness, "url">): OpenAI =>
  new OpenAI({ apiKey: callKey, baseURL: `${url}/v1`, maxRetries: 0 });

/** Asks the agent for a response; the fields may be wrong ones. */
export const create = (harness: Harness, fields: object): Promise<ModelResponse> =>
  client(harness).responses.create({
    model: "acme/agent",
    input: "count",
    ...fields,
  } as ResponseCreateParamsNonStreaming);

export const say =
  (chunks: readonly unknown[], metrics: object = { input_tokens: 4, output_tokens: 3 }): Play =>
  async (prediction) => {
    prediction.start();
    for (const chunk of chunks) await prediction.output(chunk);
    prediction.complete({ metrics });
  };
export const speak: Play = say(["one ", "two"]);

export interface Held {
  readonly play: Play;
  /** The prediction, once the model has begun. */
  readonly begun: Promise<FakePrediction>;
}

/** A model that says one word and goes on when the test wants it. */
export function hold(): Held {
  const begun = Promise.withResolvers<FakePrediction>();
  return {
    begun: begun.promise,
    play: async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      begun.resolve(prediction);
    },
  };
}

/** All events of a stream. */
export async function collect(
  stream: AsyncIterable<ResponseStreamEvent>,
): Promise<readonly ResponseStreamEvent[]> {
  const events: ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

export const typesOf = (events: readonly { readonly type: string }[]): readonly string[] =>
  events.map(({ type }) => type);
