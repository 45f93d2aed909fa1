import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  createAI,
  InferenceUpstreamError,
  readEvents,
  StreamExpiredError,
  type AI,
  type AIOptions,
} from "../../../client/index.ts";
import type { Play } from "../gateway/fake-coglet.ts";
import { callKey, chatModel, startHarness, type Harness } from "../gateway/harness.ts";

// The client against the gateway itself, over real connections that the tests cut.

let harness: Harness;
let ai: AI;
beforeEach(async () => {
  harness = await startHarness();
  ai = client();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

function client(options: Partial<AIOptions> = {}): AI {
  return createAI({ baseUrl: `${harness.url}/v1/`, apiKey: callKey, ...options });
}

const speak: Play = async (prediction) => {
  prediction.start();
  for (const word of ["one ", "two ", "thrée"]) await prediction.output(word);
  prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
};

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream).text();
}

/** Cuts each of the first answers with a stream after so many bytes. */
function cutting(...cutsAfter: readonly number[]): Partial<AIOptions> {
  const cuts = [...cutsAfter];
  return {
    fetch: async (input, init) => {
      const response = await fetch(input, init);
      const isStream = response.headers.get("content-type") === "text/event-stream";
      const cutAfter = isStream ? cuts.shift() : undefined;
      if (cutAfter === undefined || response.body === null) return response;
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
}

describe("ai.run", () => {
  it("gives the model's answer, and what env.AI tells of the call", async () => {
    harness.coglet.play(speak);
    const answer = await ai.run("acme/chat", { prompt: "x" }, { metadata: { team: "search" } });
    expect(answer.response).toBe("one two thrée");
    expect(ai.lastRequestId).toMatch(/^req_/);
    expect(ai.lastRequestHttpStatusCode).toBe(200);
    const log = await ai.gateway("default").getLog(ai.aiGatewayLogId ?? "");
    expect(log).toMatchObject({ model: "acme/chat", metadata: { team: "search" } });
    expect(log.created_at).toBeInstanceOf(Date);
  });

  it("throws Workers AI's code, and the whole answer with returnRawResponse", async () => {
    const error: unknown = await ai.run("acme/none", { prompt: "x" }).catch((cause) => cause);
    expect(error).toBeInstanceOf(InferenceUpstreamError);
    expect(error).toMatchObject({
      name: "InferenceUpstreamError",
      code: 5007,
      status: 400,
      message: expect.stringMatching(/^5007: There is no model/) as string,
    });
    expect(ai.lastRequestInternalStatusCode).toBe(5007);
    const raw = await ai.run("acme/none", { prompt: "x" }, { returnRawResponse: true });
    expect(raw.status).toBe(400);
  });

  it("stops with the caller's signal and its reason", async () => {
    harness.coglet.play((prediction) => prediction.start());
    const stop = new AbortController();
    const running = ai.run("acme/chat", { prompt: "x" }, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error("enough")), 50);
    await expect(running).rejects.toThrow("enough");
  });

  it("sends bytes and blobs as data URIs, and one stream as the body", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: { lines: [] } }));
    const bytes = new TextEncoder().encode("an image");
    await ai.run("acme/ocr", { image: bytes });
    await ai.run("acme/ocr", { image: new Blob([bytes], { type: "image/png" }), language: "de" });
    const body = new Blob([bytes]).stream();
    await ai.run("acme/ocr", { image: { body, contentType: "image/png" }, language: "de" });
    const base64 = btoa("an image");
    expect(harness.coglet.predictions.map(({ input }) => input)).toEqual([
      { image: `data:application/octet-stream;base64,${base64}` },
      { image: `data:image/png;base64,${base64}`, language: "de" },
      { image: `data:image/png;base64,${base64}`, language: "de" },
    ]);
    const two = { image: { body: new Blob([]).stream() }, mask: { body: new Blob([]).stream() } };
    await expect(ai.run("acme/ocr", two)).rejects.toThrow("Only one input can be a stream");
  });
});

describe("a stream", () => {
  const stream = (from: AI): Promise<ReadableStream<Uint8Array>> =>
    from.run("acme/chat", { prompt: "x", stream: true });

  it("can be read event by event", async () => {
    harness.coglet.play(speak);
    const pieces: string[] = [];
    for await (const { data } of readEvents(await stream(ai))) {
      if (data !== "[DONE]") pieces.push((JSON.parse(data) as { response: string }).response);
    }
    expect(pieces).toEqual(["one ", "two ", "thrée", ""]);
  });

  it("goes on after cuts, within an event or a character, as if nothing had been", async () => {
    harness.coglet.play(speak);
    const whole = await textOf(await stream(ai));
    expect(whole).toMatch(/data: \[DONE\]\n\n$/);
    const ids = /"id\d+"/g;
    for (const cuts of [[0], [5], [25, 30], [whole.indexOf("é") + 1], [40, 0, 0, 10]]) {
      const text = await textOf(await stream(client(cutting(...cuts))));
      expect(text.replaceAll(ids, "")).toBe(whole.replaceAll(ids, ""));
    }
  });

  it("says so when it cannot be taken up again", async () => {
    harness.coglet.play(speak);
    const often = client({ ...cutting(0, 0, 0), reconnectsMax: 1 });
    await expect(textOf(await stream(often))).rejects.toThrow("cut 2 times");
    const { fetch: cut } = cutting(30);
    const expired = client({
      fetch: async (input, init) =>
        input.includes("/resume")
          ? Response.json({ error: "Request not found" }, { status: 404 })
          : ((await cut?.(input, init)) ?? Response.error()),
    });
    const error: unknown = await textOf(await stream(expired)).catch((cause) => cause);
    expect(error).toBeInstanceOf(StreamExpiredError);
    expect(error).toMatchObject({ eventsRead: 1 });
  });

  it("ends when its reader leaves, without coming back", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const reader = (await stream(ai)).getReader();
    await reader.read();
    await reader.cancel();
    await harness.coglet.predictions[0]?.canceled;
  });
});

describe("predictions, files and the catalog", () => {
  it("accept a call, wait for it, stream it and list it", async () => {
    harness.coglet.play(speak);
    const accepted = await ai.predictions.create({ model: "acme/chat", input: { prompt: "x" } });
    const pieces: string[] = [];
    for await (const piece of ai.predictions.stream(accepted)) pieces.push(piece);
    expect(pieces.join("")).toBe("one two thrée");
    const done = await ai.predictions.wait(accepted, { pollMs: 10 });
    expect(done).toMatchObject({ status: "succeeded", output: ["one ", "two ", "thrée"] });
    expect((await ai.predictions.get(accepted.id)).status).toBe("succeeded");
    expect((await ai.predictions.list()).results.map(({ id }) => id)).toEqual([accepted.id]);
    const error: unknown = await ai.predictions.get("nothing").catch((cause) => cause);
    expect(error).toMatchObject({ status: 404 });
  });

  it("cancel a prediction, whose stream then ends", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const accepted = await ai.predictions.create({ model: "acme/chat", input: { prompt: "x" } });
    const pieces: string[] = [];
    for await (const piece of ai.predictions.stream(accepted.id)) {
      pieces.push(piece);
      await ai.predictions.cancel(accepted.id);
    }
    expect(pieces).toEqual(["one "]);
    expect((await ai.predictions.wait(accepted.id, { pollMs: 10 })).status).toBe("canceled");
  });

  it("throw what a streamed prediction failed with", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "out of ideas", output: null });
    });
    const accepted = await ai.predictions.create({ model: "acme/chat", input: { prompt: "x" } });
    const read = async (): Promise<void> => {
      for await (const piece of ai.predictions.stream(accepted)) expect(piece).toBe("");
    };
    await expect(read()).rejects.toThrow("out of ideas");
  });

  it("keep a file until it is deleted", async () => {
    const file = await ai.files.create(new TextEncoder().encode("text"), {
      name: "note.txt",
      contentType: "text/plain",
    });
    expect(file).toMatchObject({ name: "note.txt", content_type: "text/plain", size: 4 });
    expect((await ai.files.get(file.id)).id).toBe(file.id);
    await ai.files.delete(file.id);
    await expect(ai.files.get(file.id)).rejects.toThrow(InferenceUpstreamError);
  });

  it("find models and their schemas", async () => {
    const page = await ai.catalog.list({ per_page: 1 });
    expect(page).toMatchObject({ page: 1, perPage: 1, totalCount: 2 });
    expect((await ai.catalog.search("ocr")).models.map(({ name }) => name)).toEqual(["acme/ocr"]);
    expect((await ai.catalog.get("acme/chat"))?.description).toBe(chatModel.description);
    expect(await ai.catalog.get("acme/cha")).toBeUndefined();
    expect((await ai.catalog.schema("acme/chat")).input).toEqual(chatModel.inputSchema);
    expect((await ai.models({ author: "acme" })).length).toBe(2);
  });
});

describe("ai.gateway and ai.fetch", () => {
  it("try steps in order, and reach the gateway by the name that Workers use for it", async () => {
    harness.coglet.play(speak);
    const answer = await ai.gateway("g").run([
      { provider: "nobody", endpoint: "x", query: {} },
      { provider: "byom", endpoint: "acme/chat", query: { prompt: "x" } },
    ]);
    expect(answer.headers.get("cf-aig-step")).toBe("1");
    expect(await answer.json()).toMatchObject({ result: { response: "one two thrée" } });
    await ai.gateway("g").patchLog(answer.headers.get("cf-aig-log-id") ?? "", { feedback: 1 });
    expect(await ai.gateway("g").getUrl("openai")).toBe(`${harness.url}/gateway/v1/local/g/openai`);
    const models = await ai.fetch("https://workers-binding.ai/ai-api/models/search");
    expect(models.status).toBe(200);
    const request = new Request("https://workers-binding.ai/run?version=3", {
      method: "POST",
      headers: { "content-type": "application/json", "cf-consn-model-id": "acme/chat" },
      body: JSON.stringify({ inputs: { prompt: "x" }, options: {} }),
    });
    expect(await (await ai.fetch(request)).json()).toMatchObject({ response: "one two thrée" });
  });
});
