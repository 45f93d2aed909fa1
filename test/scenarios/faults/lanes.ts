import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import Replicate from "replicate";

import type { UpstreamTarget } from "../../../gateway/catalog/entry.ts";
import { platformKey } from "../../support/fault-platform.ts";

// The ways from an unmodified SDK to an upstream that a fault can strike.

/** What the caller's own code gets to see. */
export interface Seen {
  /** As far as it came; after a `restart` from there on. */
  readonly text: string;
  /** What the stream said of other upstreams that took over. */
  readonly turns: readonly string[];
  /** Absent: the SDK took it for a success. */
  readonly failure?: {
    readonly status: number | undefined;
    readonly message: string;
    /** The SDK recognised the failure as one of its API's own. */
    readonly isOwnShape: boolean;
    /** Seconds. */
    readonly retryAfter: string | undefined;
  };
}

export interface Lane {
  readonly name: string;
  /** A prediction with a record: accepted means not lost. */
  readonly isAccepted: boolean;
  /** What the fault strikes; `id` tells the cells apart. */
  readonly first: (id: string) => UpstreamTarget;
  /** What stands ready beside it; of another kind wherever that is harder. */
  readonly second: (id: string) => UpstreamTarget;
  readonly call: (
    url: string,
    request: { readonly model: string; readonly prompt: string; readonly isStreamed: boolean },
  ) => Promise<Seen>;
}

const provider = (name: string): UpstreamTarget => ({
  kind: "provider",
  provider: name,
  model: "m",
});
const deployment = (modelId: string): UpstreamTarget => ({ kind: "deployment", modelId });

export const lanes: readonly Lane[] = [
  {
    name: "openai → its own shape",
    isAccepted: false,
    first: (id) => provider(`sick-openai-${id}`),
    second: (id) => provider(`well-openai-${id}`),
    call: callOpenAi,
  },
  {
    name: "anthropic → OpenAI's shape",
    isAccepted: false,
    first: (id) => provider(`sick-openai-${id}`),
    second: (id) => deployment(`well/${id}`),
    call: callAnthropic,
  },
  {
    name: "anthropic → its own shape",
    isAccepted: false,
    first: (id) => provider(`sick-anthropic-${id}`),
    second: (id) => provider(`well-openai-${id}`),
    call: callAnthropic,
  },
  {
    name: "openai → own model",
    isAccepted: false,
    first: (id) => deployment(`sick/${id}`),
    second: (id) => provider(`well-openai-${id}`),
    call: callOpenAi,
  },
  {
    name: "replicate → own model",
    isAccepted: true,
    first: (id) => deployment(`sick/${id}`),
    second: (id) => provider(`well-anthropic-${id}`),
    call: callReplicate,
  },
];

type Request = Parameters<Lane["call"]>[1];

async function callOpenAi(url: string, { model, prompt, isStreamed }: Request): Promise<Seen> {
  const client = new OpenAI({ apiKey: platformKey, baseURL: `${url}/v1`, maxRetries: 0 });
  const messages = [{ role: "user" as const, content: prompt }];
  let text = "";
  const turns: string[] = [];
  try {
    if (isStreamed) {
      const stream = await client.chat.completions.create({ model, messages, stream: true });
      for await (const chunk of stream) {
        const { byom } = chunk as { readonly byom?: { readonly type: string } };
        if (byom !== undefined) turns.push(byom.type);
        if (byom?.type === "restart") text = "";
        text += chunk.choices[0]?.delta.content ?? "";
      }
    } else {
      const { choices } = await client.chat.completions.create({ model, messages });
      text = choices[0]?.message.content ?? "";
    }
    return { text, turns };
  } catch (error) {
    const { error: body } = error as { readonly error?: { readonly type?: unknown } };
    const isOwnShape = error instanceof OpenAI.APIError && typeof body?.type === "string";
    return { text, turns, failure: failureOf(error, isOwnShape) };
  }
}

async function callAnthropic(url: string, { model, prompt, isStreamed }: Request): Promise<Seen> {
  const client = new Anthropic({ apiKey: platformKey, baseURL: url, maxRetries: 0 });
  const request = { model, max_tokens: 64, messages: [{ role: "user" as const, content: prompt }] };
  let text = "";
  const turns: string[] = [];
  try {
    if (isStreamed) {
      const stream = await client.messages.create({ ...request, stream: true });
      let isEnded = false;
      for await (const event of stream) {
        const name = String(event.type);
        if (name.startsWith("byom.")) turns.push(name.slice("byom.".length));
        if (name === "byom.restart") text = "";
        if (event.type === "content_block_delta" && event.delta.type === "text_delta") {
          text += event.delta.text;
        }
        isEnded ||= event.type === "message_stop";
      }
      if (!isEnded) throw new Error("the stream ended without its last event");
    } else {
      const { content } = await client.messages.create(request);
      for (const block of content) text += block.type === "text" ? block.text : "";
    }
    return { text, turns };
  } catch (error) {
    const { error: body } = error as { readonly error?: { readonly error?: { type?: unknown } } };
    const isOwnShape = error instanceof Anthropic.APIError && typeof body?.error?.type === "string";
    return { text, turns, failure: failureOf(error, isOwnShape) };
  }
}

async function callReplicate(url: string, { model, prompt, isStreamed }: Request): Promise<Seen> {
  const client = new Replicate({ auth: platformKey, baseUrl: `${url}/v1`, useFileOutput: false });
  const name = model as `${string}/${string}`;
  let text = "";
  const turns: string[] = [];
  try {
    if (isStreamed) {
      for await (const { event, data } of client.stream(name, { input: { prompt } })) {
        if (event === "restart" || event === "handover") turns.push(event);
        if (event === "restart") text = "";
        if (event === "output") text += data;
      }
    } else {
      const output: unknown = await client.run(name, { input: { prompt } });
      text = Array.isArray(output) ? output.join("") : JSON.stringify(output);
    }
    return { text, turns };
  } catch (error) {
    const { message } = error as Error;
    const isOwnShape = isStreamed
      ? typeof (tryParse(message.slice(message.indexOf("{"))) as { detail?: unknown }).detail ===
        "string"
      : message.startsWith("Prediction failed: ");
    return { text, turns, failure: failureOf(error, isOwnShape) };
  }
}

function failureOf(error: unknown, isOwnShape: boolean): NonNullable<Seen["failure"]> {
  const { status, headers, message } = error as {
    readonly status?: number;
    readonly headers?: Headers;
    readonly message: string;
  };
  return {
    status,
    message,
    isOwnShape,
    retryAfter: headers?.get?.("retry-after") ?? undefined,
  };
}

function tryParse(text: string): object {
  try {
    return JSON.parse(text) as object;
  } catch {
    return {};
  }
}
