import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { MemoryPredictions, startHarness, StartError, until, type Harness } from "../harness.ts";
import type { Play } from "../fake-coglet.ts";

// What a user of Replicate's API loses when these fail: accepted predictions, and streams that can be taken up again.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const create = { body: { input: { prompt: "x" } } };
const path = "/v1/models/acme/chat/predictions";
const twoWords: Play = async (prediction) => {
  prediction.start();
  await prediction.event("log", { data: "thinking\n", source: "stdout" });
  await prediction.output("a");
  await prediction.output("b\nc");
  prediction.complete({ logs: "thinking\n" });
};

describe("a prediction", () => {
  it("is shown whole, in Replicate's shape", async () => {
    harness.coglet.play(twoWords);
    const response = await harness.call(path, { ...create, headers: { prefer: "wait" } });
    expect(response.status).toBe(201);
    expect(response.headers.get("x-byom-start")).toBe("restored");
    const body = (await response.json()) as { urls: { get: string; stream: string } };
    const url = `${harness.url}/v1/predictions/id2`;
    expect(body).toEqual({
      id: "id2",
      model: "acme/chat",
      version: "ab".repeat(32),
      input: { prompt: "x" },
      output: ["a", "b\nc"],
      logs: "thinking\n",
      error: null,
      status: "succeeded",
      created_at: "2026-11-23T12:00:00.000Z",
      started_at: "2026-11-23T12:00:00.000Z",
      completed_at: "2026-11-23T12:00:00.000Z",
      data_removed: false,
      source: "api",
      metrics: { predict_time: 0.5, total_time: 0 },
      urls: {
        get: url,
        cancel: `${url}/cancel`,
        stream: expect.stringMatching(/\/v1\/predictions\/id2\/stream\?token=[\w-]{43}$/),
        web: url,
      },
    });
    expect(await (await harness.call("/v1/predictions/id2")).json()).toEqual(body);
  });

  it("shows output and logs so far while it runs", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.event("log", { data: "thinking\n", source: "stdout" });
      await prediction.output("a");
      await go.promise;
      prediction.complete();
    });
    await harness.call(path, create);
    let shown: Record<string, unknown> = {};
    for (let tries = 0; tries < 200 && !Array.isArray(shown["output"]); tries += 1) {
      shown = (await (await harness.call("/v1/predictions/id2")).json()) as typeof shown;
    }
    expect(shown).toMatchObject({ status: "processing", output: ["a"], logs: "thinking\n" });
    go.resolve();
  });

  it("is in the store before anything begins", async () => {
    const store = harness.predictions;
    harness.upstream.gate = async () => expect(store.log).toEqual(["id2 starting"]);
    harness.coglet.play((prediction) => {
      expect(store.log).toEqual(["id2 starting", "id2 processing"]);
      return twoWords(prediction);
    });
    await harness.call(path, { ...create, headers: { prefer: "wait=5" } });
    expect(store.log).toEqual(["id2 starting", "id2 processing", "id2 succeeded"]);
  });

  it("waits out a model without capacity: accepted means not lost", async () => {
    let tries = 0;
    harness.upstream.gate = () =>
      (tries += 1) < 3 ? Promise.reject(new StartError("capacity", "busy", 5)) : Promise.resolve();
    harness.coglet.play(twoWords);
    const response = await harness.call(path, { ...create, headers: { prefer: "wait" } });
    expect(await response.json()).toMatchObject({ status: "succeeded" });
    expect(tries).toBe(3);
  });

  it("outlasts a busy instance for longer than a caller on the line would wait", async () => {
    const busy: Play = (prediction) => prediction.answer(409, { error: "At capacity" });
    harness.coglet.play(...Array.from({ length: 6 }, () => busy), twoWords);
    const response = await harness.call(path, { ...create, headers: { prefer: "wait" } });
    expect(await response.json()).toMatchObject({ status: "succeeded" });
    expect(harness.coglet.predictions).toHaveLength(7);
  });

  it("fails with the reason when the model cannot start at all", async () => {
    harness.upstream.gate = () => Promise.reject(new StartError("start_failed", "setup() raised"));
    const response = await harness.call(path, { ...create, headers: { prefer: "wait" } });
    expect(await response.json()).toMatchObject({ status: "failed", error: "setup() raised" });
  });

  it("goes on when its caller leaves", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await go.promise;
      prediction.complete({ output: ["late"] });
    });
    const leave = new AbortController();
    const call = harness.call(path, {
      ...create,
      headers: { prefer: "wait" },
      signal: leave.signal,
    });
    await until("the model works", () => harness.coglet.predictions.length === 1);
    leave.abort();
    await expect(call).rejects.toThrow();
    // Longer than the grace that a caller of a synchronous call has.
    await new Promise((resolve) => setTimeout(resolve, 120));
    go.resolve();
    await until("it ends", () => harness.predictions.get("id2")?.status === "succeeded");
  });

  it("is refused with every problem of its input, before anything is woken or recorded", async () => {
    const response = await harness.call(path, {
      body: { input: { max_tokens: 0, temperature: "hot", promt: "x" } },
    });
    expect(response.status).toBe(422);
    expect(await response.json()).toEqual({
      title: "Input validation failed",
      status: 422,
      detail:
        "- input.promt: is not an input of this model; its inputs are prompt, system_prompt, max_tokens, temperature\n" +
        "- input.prompt: is required\n" +
        "- input.max_tokens: must be at least 1, found 0\n" +
        "- input.temperature: must be a number, found a string\n",
      invalid_fields: [
        expect.objectContaining({ type: "unknown", field: "input.promt" }),
        { type: "required", field: "input.prompt", description: "prompt is required" },
        expect.objectContaining({ type: "range", field: "input.max_tokens" }),
        expect.objectContaining({ type: "type", field: "input.temperature" }),
      ],
    });
    expect(harness.upstream.acquired).toEqual([]);
    expect(harness.predictions.log).toEqual([]);
  });

  it.each([
    ["/v1/predictions", { version: "ff".repeat(32), input: {} }, 404],
    ["/v1/predictions", { input: {} }, 400],
    ["/v1/models/acme/none/predictions", { input: {} }, 404],
    ["/v1/models/acme/chat/predictions", { input: [] }, 400],
    ["/v1/models/acme/chat/predictions", "{", 400],
    [
      "/v1/models/acme/chat/predictions",
      { input: { prompt: "x" }, webhook: "http://10.0.0.1" },
      400,
    ],
    [
      "/v1/models/acme/chat/predictions",
      { input: { prompt: "x" }, webhook: "https://x.org", webhook_events_filter: ["done"] },
      400,
    ],
  ])("POST %s with %j is a %i", async (where, body, status) => {
    const response = await harness.call(where, { body });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status, detail: expect.any(String) });
  });
});

describe("a prediction's stream", () => {
  const streamUrl = async (): Promise<string> => {
    const response = await harness.call(path, create);
    const { urls } = (await response.json()) as { urls: { stream: string } };
    return urls.stream.slice(harness.url.length);
  };
  const open = (url: string, headers: Record<string, string> = {}): Promise<Response> =>
    harness.call(url, { headers: { authorization: "", ...headers } });
  const a = "event: output\nid: 2\ndata: a\n\n";
  const b = "event: output\nid: 3\ndata: b\ndata: c\n\n";
  const done = "event: done\nid: 4\ndata: {}\n\n";

  it("needs only its URL, and can be read again from any event", async () => {
    harness.coglet.play(twoWords);
    const url = await streamUrl();
    expect(await (await open(url)).text()).toBe(a + b + done);
    expect(await (await open(url)).text()).toBe(a + b + done);
    expect(await (await open(url, { "last-event-id": "2" })).text()).toBe(b + done);
    expect(await (await open(url, { "last-event-id": "4" })).text()).toBe("");
  });

  it("goes on live for a reader that comes back", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("a");
      await go.promise;
      await prediction.output("b");
      prediction.complete();
    });
    const url = await streamUrl();
    const first = await open(url);
    const reader = first.body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const second = open(url, { "last-event-id": "1" });
    setTimeout(go.resolve, 50);
    expect(await (await second).text()).toContain("event: output\nid: 2\ndata: b\n\n");
  });

  it("of a chat is its text alone, without reasoning and tool calls in between", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output({ type: "reasoning", text: "hm" });
      await prediction.output("a");
      await prediction.output({ type: "tool_call", index: 0, id: "c", name: "f", arguments: "{}" });
      prediction.complete();
    });
    const text = await (await open(await streamUrl())).text();
    expect(text.match(/^data: .*$/gm)).toEqual(["data: a", "data: {}"]);
  });

  it("ends with an error when the model fails", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "it broke" });
    });
    const text = await (await open(await streamUrl())).text();
    expect(text).toBe(
      'event: error\nid: 1\ndata: {"detail":"it broke"}\n\nevent: done\nid: 2\ndata: {"reason":"error"}\n\n',
    );
  });

  it("is closed to who has neither key nor token", async () => {
    harness.coglet.play(twoWords);
    const url = await streamUrl();
    expect((await open(url.replace(/token=.*/, "token=x"))).status).toBe(401);
    expect((await open(url.replace("id2", "id9"))).status).toBe(401);
    expect((await open("/v1/predictions/id2")).status).toBe(401);
  });
});

describe("after kill -9", () => {
  const record = (id: string, status: "starting" | "processing") => ({
    id,
    model: "acme/chat",
    version: 3,
    status,
    input: { prompt: id },
    logs: "",
    metrics: {},
    createdAt: "2026-11-23T11:00:00.000Z",
  });

  it("what had not begun runs again, what had is failed with the reason", async () => {
    await harness.close();
    const predictions = new MemoryPredictions();
    predictions.insert(record("waiting", "starting"));
    predictions.insert(record("begun", "processing"));
    predictions.insert({ ...record("orphan", "starting"), model: "acme/gone" });
    harness = await startHarness({ predictions });
    harness.coglet.play(twoWords);
    harness.gateway.recover();
    await until("the first has run", () => predictions.get("waiting")?.status === "succeeded");
    expect(predictions.get("waiting")).toMatchObject({ createdAt: "2026-11-23T11:00:00.000Z" });
    expect(predictions.get("begun")).toMatchObject({
      status: "failed",
      error: expect.stringContaining("had begun"),
    });
    expect(predictions.get("orphan")).toMatchObject({ status: "failed" });
    expect(harness.coglet.predictions.map(({ id }) => id)).toEqual(["waiting"]);
  });

  it("an orderly stop leaves waiting predictions to the next process and refuses new ones", async () => {
    harness.upstream.gate = (_model, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    await harness.call(path, create);
    const stop = new AbortController();
    const closing = harness.gateway.close({ signal: stop.signal });
    const refused = await harness.call(path, create);
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("5");
    stop.abort();
    await closing;
    expect(harness.predictions.unfinished().map(({ id }) => id)).toEqual(["id2"]);
    expect(harness.predictions.get("id2")?.status).toBe("starting");
  });
});
