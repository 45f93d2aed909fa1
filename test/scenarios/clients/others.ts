import Anthropic from "@anthropic-ai/sdk";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, streamText } from "ai";
import Cloudflare from "cloudflare";
import Replicate from "replicate";
import { createWorkersAI } from "workers-ai-provider";
import { createAI } from "../../../client/index.ts";
import {
  chatModels,
  failure,
  own,
  question,
  thirdAlias,
  type Access,
  type ClientCall,
} from "./client-call.ts";

const anthropic = ({ url, apiKey }: Access): Anthropic =>
  new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const replicate = ({ url, apiKey }: Access): Replicate =>
  new Replicate({ auth: apiKey, baseUrl: `${url}/v1` });
const cloudflare = ({ url, apiKey }: Access): Cloudflare =>
  new Cloudflare({ apiToken: apiKey, baseURL: `${url}/client/v4`, maxRetries: 0 });
const aiSdk = ({ url, apiKey }: Access): ReturnType<typeof createOpenAICompatible> =>
  createOpenAICompatible({ name: "byom", baseURL: `${url}/v1`, apiKey });
const byom = ({ url, apiKey }: Access): ReturnType<typeof createAI> =>
  createAI({ baseUrl: url, apiKey });

/** What each vendor's client is tried with, for an own model and a third party's alike. */
const chats: readonly ClientCall[] = chatModels.flatMap(({ model, says }) => {
  const message = { role: "user" as const, content: question };
  const asked = { model, max_tokens: 24, temperature: 0, messages: [message] };
  const prompted = { prompt: question, max_tokens: 24, temperature: 0 };
  return [
    {
      client: "@anthropic-ai/sdk",
      call: "messages",
      model,
      expected: says,
      run: async (access) => {
        const { content } = await anthropic(access).messages.create(asked);
        return content.flatMap((block) => (block.type === "text" ? block.text : [])).join("");
      },
    },
    {
      client: "@anthropic-ai/sdk",
      call: "messages, streamed",
      model,
      expected: says,
      run: async (access) => await anthropic(access).messages.stream(asked).finalText(),
    },
    {
      client: "cloudflare",
      call: "ai.run",
      model,
      expected: says,
      run: async (access) => {
        const answer = (await cloudflare(access).ai.run(model, {
          account_id: "local",
          ...prompted,
        })) as unknown as { response: string };
        return answer.response;
      },
    },
    {
      client: "ai + @ai-sdk/openai-compatible",
      call: "generateText",
      model,
      expected: says,
      run: async (access) =>
        (
          await generateText({
            model: aiSdk(access)(model),
            prompt: question,
            temperature: 0,
            maxOutputTokens: 24,
          })
        ).text,
    },
    {
      client: "ai + @ai-sdk/openai-compatible",
      call: "streamText",
      model,
      expected: says,
      run: async (access) =>
        await streamText({
          model: aiSdk(access)(model),
          prompt: question,
          temperature: 0,
          maxOutputTokens: 24,
        }).text,
    },
    {
      client: "ai + workers-ai-provider",
      call: "streamText through byom/client",
      model,
      expected: says,
      run: async (access) => {
        const binding = byom(access) as unknown as NonNullable<
          Parameters<typeof createWorkersAI>[0]["binding"]
        >;
        const workersAi = createWorkersAI({ binding });
        return await streamText({
          model: workersAi(model as Parameters<typeof workersAi>[0]),
          prompt: question,
          temperature: 0,
          maxOutputTokens: 24,
        }).text;
      },
    },
    {
      client: "byom/client",
      call: "run",
      model,
      expected: says,
      run: async (access) => {
        const answer = await byom(access).run(model, prompted, { metadata: { team: "docs" } });
        return (answer as unknown as { response: string }).response;
      },
    },
  ] satisfies readonly ClientCall[];
});

const replicateRuns = ([own.chat, thirdAlias] as const).map((model): ClientCall => ({
  client: "replicate",
  call: "run",
  model,
  expected: /hello/i,
  run: async (access) => {
    const output = await replicate(access).run(model, {
      input: { prompt: question, max_tokens: 24, temperature: 0 },
    });
    const pieces = output as unknown as readonly unknown[];
    return pieces.filter((piece) => typeof piece === "string").join("");
  },
}));

/** What only own models can be tried with here, and what must fail. */
export function otherCalls(receiptUri: string): readonly ClientCall[] {
  return [
    ...chats,
    ...replicateRuns,
    {
      client: "replicate",
      call: "run, picture",
      model: own.ocr,
      expected: /HARBOUR STREET BAKERY/,
      run: async (access) => {
        const output = await replicate(access).run(own.ocr, { input: { image: receiptUri } });
        return (output as { text: string }).text;
      },
    },
    {
      client: "replicate",
      call: "stream",
      model: own.chat,
      expected: /hello/i,
      run: async (access) => {
        let text = "";
        const input = { prompt: question, max_tokens: 24, temperature: 0 };
        for await (const event of replicate(access).stream(own.chat, { input })) {
          if (event.event === "output") text += event.data;
        }
        return text;
      },
    },
    {
      client: "replicate",
      call: "predictions.create, unknown input",
      model: own.ocr,
      expected: /is not an input of this model/,
      run: (access) =>
        failure(replicate(access).predictions.create({ model: own.ocr, input: { picture: "x" } })),
    },
    {
      client: "cloudflare",
      call: "ai.run, picture",
      model: own.ocr,
      expected: /HARBOUR STREET BAKERY/,
      run: async (access) => {
        const body = { account_id: "local", image: receiptUri };
        const answer = await cloudflare(access).ai.run(
          own.ocr,
          body as unknown as Parameters<Cloudflare["ai"]["run"]>[1],
        );
        return (answer as unknown as { text: string }).text;
      },
    },
    {
      client: "@anthropic-ai/sdk",
      call: "messages, no such model",
      model: "test/nothing",
      expected: /404 .*not_found_error/,
      run: (access) =>
        failure(
          anthropic(access).messages.create({ model: "test/nothing", max_tokens: 1, messages: [] }),
        ),
    },
    {
      client: "ai + @ai-sdk/openai-compatible",
      call: "embedMany",
      model: own.embeddings,
      expected: /^2 × 384$/,
      run: async (access) => {
        const model = aiSdk(access).embeddingModel(own.embeddings);
        const { embeddings } = await embedMany({ model, values: ["one", "two"] });
        return `${embeddings.length} × ${embeddings[0]?.length}`;
      },
    },
    {
      client: "byom/client",
      call: "run, no such model",
      model: "test/nothing",
      expected: /InferenceUpstreamError .*5007/,
      run: (access) => failure(byom(access).run("test/nothing", { prompt: question })),
    },
  ];
}
