import type { CatalogEntry } from "../../../../../gateway/index.ts";
import { callKey, chatModel, type Harness } from "../../harness.ts";

/** An own model that takes all that Anthropic's clients can say. */
export const agentModel: CatalogEntry = {
  ...chatModel,
  id: "acme/agent",
  inputSchema: {
    type: "object",
    properties: {
      messages: { type: "array", items: { type: "object" } },
      max_tokens: { type: "integer" },
      stop: { type: "array" },
      temperature: { type: "number" },
      tools: { type: "array" },
      tool_choice: {},
      parallel_tool_calls: { type: "boolean" },
      response_format: { type: "object" },
      reasoning_effort: { type: "string" },
    },
  },
  modalities: { input: ["text", "image", "file"], output: ["text"] },
};

export const weather: { name: string; description: string; input_schema: object } = {
  name: "weather",
  description: "Weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } } },
};

export const key: Readonly<Record<string, string>> = {
  authorization: "",
  "x-api-key": callKey,
  "anthropic-version": "2023-06-01",
};
export const hi: readonly { role: string; content: string }[] = [{ role: "user", content: "hi" }];

/** A call of `/v1/messages` as Anthropic's clients send it. */
export async function ask(
  harness: Harness,
  fields: Record<string, unknown> = {},
  path = "",
): Promise<Response> {
  return await harness.call(`/v1/messages${path}`, {
    headers: key,
    body: { model: "acme/agent", max_tokens: 50, messages: hi, ...fields },
  });
}

/** Lets the model answer with these chunks. */
export function say(
  harness: Harness,
  chunks: readonly unknown[],
  metrics: object = { input_tokens: 9, output_tokens: 4 },
): void {
  harness.coglet.play(async (prediction) => {
    prediction.start();
    for (const chunk of chunks) await prediction.output(chunk);
    prediction.complete({ metrics });
  });
}
