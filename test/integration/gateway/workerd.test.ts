import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { ProviderDouble } from "../../support/provider-double.ts";
import {
  callKey,
  chatModel,
  ocrModel,
  startHarness,
  type Harness,
} from "../../unit/gateway/harness.ts";
import type { Play } from "../../unit/gateway/fake-coglet.ts";
import {
  kimi,
  kimiDirect,
  moonshotProviders,
  startMoonshot,
} from "../../unit/gateway/third-party.ts";
import { startLocalWorker, type LocalWorker } from "../../support/workerd.ts";

// A Worker as people deploy it, in Cloudflare's own runtime with its own AI binding: `env.AI` is the gateway, and the
// Worker's code does not know. What the binding cannot parse, throws on or loses, a Worker's user loses.

/** Does what a request says with `env.AI`, and tells what came of it. */
const source = `
export default {
  async fetch(request, env) {
    const { model, inputs, options, gateway, models, file } = await request.json();
    const AI = env.AI;
    try {
      if (models) return Response.json(await AI.models(models));
      if (gateway) return await callGateway(AI.gateway(gateway.id), gateway);
      if (file) inputs[file.name] = { body: new Blob([file.text]).stream(), contentType: file.type };
      const answer = await AI.run(model, inputs, options);
      const facts = { requestId: AI.lastRequestId, logId: AI.aiGatewayLogId };
      if (answer instanceof Response) {
        return Response.json({ status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() });
      }
      if (answer instanceof ReadableStream) return new Response(answer, { headers: { "x-log": AI.aiGatewayLogId } });
      return Response.json({ answer, ...facts });
    } catch (error) {
      return Response.json({ name: error.name, message: error.message, code: AI.lastRequestInternalStatusCode }, { status: 500 });
    }
  },
};

async function callGateway(gateway, { url, steps, log, patch }) {
  if (url) return Response.json(await gateway.getUrl(url));
  if (patch) return Response.json((await gateway.patchLog(log, patch)) ?? null);
  if (log) return Response.json(await gateway.getLog(log));
  return await gateway.run(steps);
}
`;

let harness: Harness;
let moonshot: ProviderDouble;
let worker: LocalWorker;
beforeAll(async () => {
  moonshot = await startMoonshot();
  harness = await startHarness({
    models: [chatModel, ocrModel, kimi, kimiDirect],
    providers: moonshotProviders(moonshot),
  });
  const gatewayAddress = new URL(harness.url).host;
  worker = await startLocalWorker({ source, gatewayAddress, apiKey: callKey });
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await harness.close();
  await moonshot[Symbol.asyncDispose]();
  expect(harness.coglet.faults).toEqual([]);
});

const speak: Play = async (prediction) => {
  prediction.start();
  for (const word of ["one ", "two ", "thrée"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
};

function ask(body: unknown): Promise<Response> {
  return fetch(worker.url, { method: "POST", body: JSON.stringify(body) });
}

const models = ["acme/chat", "@cf/moonshotai/kimi-k2.5", "moonshot/kimi-k2.5"];

describe.each(models)("env.AI.run(%j)", (model) => {
  const said = model === "acme/chat" ? "one two thrée" : "Hi you";

  it("answers the announcement's line: a prompt, and metadata that its log keeps", async () => {
    harness.coglet.play(speak);
    const options = { metadata: { team: "search" } };
    const ran = (await (await ask({ model, inputs: { prompt: "x" }, options })).json()) as {
      answer: { response: string };
      requestId: string;
      logId: string;
    };
    expect(ran.answer.response).toBe(said);
    expect(ran.requestId).toMatch(/^req_/);
    const log = await ask({ gateway: { id: "default", log: ran.logId } });
    expect(await log.json()).toMatchObject({ model, success: true, metadata: { team: "search" } });
  });

  it("answers messages through a gateway", async () => {
    harness.coglet.play(speak);
    const inputs = { messages: [{ role: "user", content: "x" }] };
    const options = { gateway: { id: "prod", skipCache: true, metadata: { user: 1 } } };
    expect(await (await ask({ model, inputs, options })).json()).toMatchObject({
      answer: { response: said, usage: { prompt_tokens: expect.any(Number) as number } },
    });
  });

  it("streams, piece by piece", async () => {
    harness.coglet.play(speak);
    const answer = await ask({ model, inputs: { prompt: "x", stream: true } });
    const text = await answer.text();
    const pieces = text
      .split("\n\n")
      .map((event) => event.replace(/^data: /, ""))
      .filter((data) => data.startsWith("{"))
      .map(
        (data) =>
          JSON.parse(data) as { response?: string; choices?: { delta?: { content?: string } }[] },
      )
      .map((chunk) => chunk.response ?? chunk.choices?.[0]?.delta?.content ?? "");
    expect(pieces.join("")).toBe(said);
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    expect(answer.headers.get("x-log")).not.toBe("null");
  });

  it("gives the raw answer when asked", async () => {
    harness.coglet.play(speak);
    const raw = await ask({ model, inputs: { prompt: "x" }, options: { returnRawResponse: true } });
    expect(await raw.json()).toMatchObject({
      status: 200,
      headers: { "content-type": "application/json", "cf-aig-model": model },
    });
  });
});

describe("env.AI", () => {
  it("throws with Workers AI's code", async () => {
    const failed = await ask({ model: "acme/none", inputs: { prompt: "x" } });
    expect(await failed.json()).toEqual({
      name: "InferenceUpstreamError",
      message: expect.stringMatching(/^5007: There is no model acme\/none/) as string,
      code: 5007,
    });
    const refused = await ask({ model: "acme/chat", inputs: { prompt: "x", max_tokens: 1000 } });
    expect(await refused.json()).toMatchObject({
      message: "5004: max_tokens must be at most 100, found 1000",
    });
  });

  it("sends a stream among the inputs as the body", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: { lines: ["Total"] } }));
    const file = { name: "image", text: "an image", type: "image/png" };
    const answer = await ask({ model: "acme/ocr", inputs: { language: "de" }, file });
    expect(await answer.json()).toMatchObject({ answer: { lines: ["Total"] } });
    expect(harness.coglet.predictions.at(-1)?.input).toEqual({
      language: "de",
      image: `data:image/png;base64,${btoa("an image")}`,
    });
  });

  it("lists models", async () => {
    const found = (await (await ask({ models: { search: "kimi", per_page: 1 } })).json()) as {
      name: string;
    }[];
    expect(found.map(({ name }) => name)).toEqual(["@cf/moonshotai/kimi-k2.5"]);
  });

  it("has a gateway with steps, URLs and feedback", async () => {
    harness.coglet.play(speak);
    const steps = [
      { provider: "nobody", endpoint: "x", headers: {}, query: {} },
      { provider: "workers-ai", endpoint: "acme/chat", headers: {}, query: { prompt: "x" } },
    ];
    const answer = await ask({ gateway: { id: "g", steps } });
    expect(answer.headers.get("cf-aig-step")).toBe("1");
    expect(await answer.json()).toMatchObject({ result: { response: "one two thrée" } });
    const log = answer.headers.get("cf-aig-log-id");
    expect(await (await ask({ gateway: { id: "g", log, patch: { feedback: 1 } } })).json()).toBe(
      null,
    );
    expect(await (await ask({ gateway: { id: "g", log } })).json()).toMatchObject({ feedback: 1 });
    // The binding's host does not exist: the URL is the address at which the gateway was reached.
    const url = await ask({ gateway: { id: "g", url: "moonshot" } });
    expect(await url.json()).toBe(`${harness.url}/gateway/v1/local/g/moonshot`);
  });
});
