import OpenAI from "openai";
import {
  chatModels,
  failure,
  own,
  question,
  third,
  type Access,
  type ClientCall,
} from "./client-call.ts";

const client = ({ url, apiKey }: Access): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const messages = [{ role: "user" as const, content: question }];
const limits = { max_tokens: 24, temperature: 0 };

const chats: readonly ClientCall[] = chatModels.flatMap(({ model, says }) => [
  {
    client: "openai",
    call: "chat.completions",
    model,
    expected: says,
    run: async (access) => {
      const answer = await client(access).chat.completions.create({ model, messages, ...limits });
      return answer.choices[0]?.message.content ?? "";
    },
  },
  {
    client: "openai",
    call: "chat.completions, streamed",
    model,
    expected: says,
    run: async (access) => {
      const request = { model, messages, ...limits, stream: true as const };
      let text = "";
      for await (const chunk of await client(access).chat.completions.create(request)) {
        text += chunk.choices[0]?.delta.content ?? "";
      }
      return text;
    },
  },
  {
    client: "openai",
    call: "responses, streamed",
    model,
    expected: says,
    run: async (access) => {
      const stream = await client(access).responses.create({
        model,
        input: question,
        temperature: 0,
        max_output_tokens: 24,
        stream: true,
      });
      let text = "";
      let last = "";
      for await (const event of stream) {
        last = event.type;
        if (event.type === "response.output_text.delta") text += event.delta;
      }
      if (last !== "response.completed" && last !== "response.incomplete") {
        throw new Error(`the stream ended with ${last}`);
      }
      return text;
    },
  },
]);

export const openAiCalls: readonly ClientCall[] = [
  ...chats,
  {
    client: "openai",
    call: "responses in the background, polled",
    model: own.chat,
    expected: /hello/i,
    run: async (access) => {
      const { responses } = client(access);
      const request = { model: own.chat, input: question, temperature: 0, max_output_tokens: 24 };
      let response = await responses.create({ ...request, background: true });
      while (response.status === "queued" || response.status === "in_progress") {
        await new Promise((resolve) => setTimeout(resolve, 100));
        response = await responses.retrieve(response.id);
      }
      return response.output_text;
    },
  },
  {
    client: "openai",
    call: "embeddings",
    model: own.embeddings,
    expected: /^2 × 384, like nearer$/,
    run: async (access) => {
      const { data } = await client(access).embeddings.create({
        model: own.embeddings,
        input: ["A cat sleeps on the sofa.", "A kitten naps on the couch.", "Interest rates rose."],
      });
      const [cat = [], kitten = [], rates = []] = data.map(({ embedding }) => embedding);
      const dot = (a: readonly number[], b: readonly number[]): number =>
        a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
      const near = dot(cat, kitten) > dot(cat, rates) ? "like nearer" : "unlike nearer";
      return `${data.length - 1} × ${cat.length}, ${near}`;
    },
  },
  {
    client: "openai",
    call: "models",
    model: "all",
    expected: /own and third party/,
    run: async (access) => {
      const ids: string[] = [];
      for await (const { id } of client(access).models.list()) ids.push(id);
      const hasBoth = ids.includes(own.ocr) && ids.includes(third);
      return hasBoth ? `own and third party, ${ids.length}` : ids.join(" ");
    },
  },
  {
    client: "openai",
    call: "chat.completions, no such model",
    model: "test/nothing",
    expected: /404 model_not_found/,
    run: (access) =>
      failure(client(access).chat.completions.create({ model: "test/nothing", messages })),
  },
  {
    client: "openai",
    call: "chat.completions, wrong key",
    model: own.chat,
    expected: /401 invalid_api_key/,
    run: ({ url }) => {
      const stranger = client({ url, apiKey: "byom_wrong" });
      return failure(stranger.chat.completions.create({ model: own.chat, messages }));
    },
  },
];
