import { startLocalWorker } from "../../support/workerd.ts";
import { chatModels, own, third, type Access, type ClientCall } from "./client-call.ts";

/** A Worker whose only line of interest is the one that its caller asks for. */
const source = `
const lines = {
  run: async (AI, model) => (await AI.run(model, { prompt: "Say hello.", max_tokens: 24, temperature: 0 })).response,
  announced: async (AI, model) =>
    (await AI.run(model, { prompt: "What is AI Gateway?" }, { metadata: { teamId: "AI", userId: 12345 } })).response,
  stream: async (AI, model) => {
    const stream = await AI.run(model, { prompt: "Say hello.", max_tokens: 24, temperature: 0, stream: true });
    const frames = (await new Response(stream).text()).split("\\n\\n").map((frame) => frame.slice("data: ".length));
    return frames.filter((frame) => frame.startsWith("{")).map((frame) => JSON.parse(frame).response ?? "").join("");
  },
  picture: async (AI, model, image) => (await AI.run(model, { image })).text,
  failing: async (AI, model) => {
    try {
      await AI.run(model, { prompt: "Hi" });
      return "it did not fail";
    } catch (error) {
      return error.name + " " + error.message;
    }
  },
};
export default {
  async fetch(request, { AI }) {
    const { line, model, image } = await request.json();
    return new Response(await lines[line](AI, model, image));
  },
};
`;

/** `env.AI` of a real workerd whose binding leads to the platform. */
export function workerCalls(receiptUri: string): readonly ClientCall[] {
  const line = (
    facts: Pick<ClientCall, "call" | "model" | "expected"> & { readonly line: string },
  ): ClientCall => ({
    client: "env.AI in workerd",
    ...facts,
    run: (access) => runInWorker(access, { ...facts, image: receiptUri }),
  });
  return [
    ...chatModels.flatMap(({ model, says }) => [
      line({ call: "run", line: "run", model, expected: says }),
      line({ call: "run, streamed", line: "stream", model, expected: says }),
    ]),
    line({
      call: "run, the announcement's line",
      line: "announced",
      model: third,
      expected: /^Hello$/,
    }),
    line({
      call: "run, the announcement's line",
      line: "announced",
      model: own.chat,
      expected: /\w+ \w+/,
    }),
    line({ call: "run, picture", line: "picture", model: own.ocr, expected: /HARBOUR STREET/ }),
    line({
      call: "run, no such model",
      line: "failing",
      model: "test/nothing",
      expected: /InferenceUpstreamError 5007/,
    }),
  ];
}

async function runInWorker(
  access: Access,
  body: { readonly line: string; readonly model: string; readonly image: string },
): Promise<string> {
  await using worker = await startLocalWorker({
    source,
    gatewayAddress: new URL(access.url).host,
    apiKey: access.apiKey,
  });
  const response = await fetch(worker.url, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`the Worker answered ${response.status}: ${text}`);
  return text;
}
