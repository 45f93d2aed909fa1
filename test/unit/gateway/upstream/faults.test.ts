import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHarness, until, type Harness } from "../harness.ts";
import type { Play } from "../fake-coglet.ts";

// What the instance can do wrong, and what the caller is told. Each of these once ended somewhere as a clean answer.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const chat = (fields: Record<string, unknown> = {}): { body: unknown } => ({
  body: { model: "acme/chat", messages: [{ role: "user", content: "hi" }], ...fields },
});
const ocr = { body: { image: "data:,x" } };
const say =
  (text: string): Play =>
  async (prediction) => {
    prediction.start();
    await prediction.output(text);
    prediction.complete();
  };
const busy: Play = (prediction) =>
  prediction.answer(409, { error: "At capacity - all prediction slots busy", status: "failed" });
const notReady: Play = (prediction) => prediction.answer(503, { error: "not ready" });

describe("an instance that did not begin", () => {
  it.each([
    ["is busy", busy, "done"],
    ["is not ready", notReady, "failed"],
  ])(
    "%s: another slot is taken, the caller sees only the answer",
    async (_name, refuse, outcome) => {
      harness.coglet.play(refuse, say("ok"));
      const response = await harness.call("/v1/chat/completions", chat());
      expect(await response.json()).toMatchObject({ choices: [{ message: { content: "ok" } }] });
      expect(harness.upstream.released).toEqual([outcome, "done"]);
    },
  );

  it("stays busy: 503 with Retry-After after a bounded number of tries", async () => {
    harness.coglet.play(busy);
    const response = await harness.call("/v1/chat/completions", chat());
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("2");
    expect(harness.coglet.predictions).toHaveLength(6);
  });

  it("cannot be reached: the next slot serves, and the dead one is reported", async () => {
    const { origin } = harness.coglet;
    harness.upstream.origin = "http://127.0.0.1:9";
    harness.upstream.gate = async () => {
      if (harness.upstream.acquired.length === 2) harness.upstream.origin = origin;
    };
    harness.coglet.play(say("ok"));
    expect((await harness.call("/v1/chat/completions", chat())).status).toBe(200);
    expect(harness.upstream.released).toEqual(["failed", "done"]);
  });

  it("refuses to stream although its schema says it does: it is asked for a whole answer", async () => {
    harness.coglet.play(
      (prediction) => prediction.answer(406, { error: "not streaming" }),
      (prediction) => prediction.complete({ output: ["wh", "ole"] }),
    );
    const text = await (await harness.call("/v1/chat/completions", chat({ stream: true }))).text();
    const said = [...text.matchAll(/"content":"([^"]*)"/g)].map(([, piece]) => piece);
    expect(said.join("")).toBe("whole");
    expect(text).toContain("[DONE]");
  });
});

describe("an instance that answers wrongly", () => {
  it.each<[string, Play, number, string]>([
    ["500", (p) => p.answer(500, "boom"), 502, "upstream_failed"],
    ["not JSON", (p) => p.answer(200, "<html>"), 502, "upstream_failed"],
    ["not a prediction", (p) => p.answer(200, "[]"), 502, "upstream_failed"],
    ["a cut connection", (p) => p.cut(), 502, "upstream_failed"],
  ])("with %s", async (_name, play, status, code) => {
    harness.coglet.play(play);
    const response = await harness.call("/models/acme/ocr/predictions", {
      body: { input: ocr.body },
    });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ status: "failed", code });
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  it("with a broken event in its stream", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("a");
      await prediction.raw("event: completed\ndata: {nonsense\n\n");
      prediction.end();
    });
    const text = await (await harness.call("/v1/chat/completions", chat({ stream: true }))).text();
    expect(text).toContain('"code":"upstream_failed"');
    expect(text).not.toContain("[DONE]");
  });

  it("refuses the input itself: the caller reads which one and why", async () => {
    harness.coglet.play((prediction) =>
      prediction.answer(422, {
        detail: [
          { loc: ["body", "input", "image"], msg: "cannot be fetched", type: "value_error" },
        ],
      }),
    );
    const response = await harness.call("/client/v4/accounts/a/ai/run/acme/ocr", ocr);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      errors: [{ code: 5004, message: "image cannot be fetched" }],
    });
    expect(harness.upstream.released).toEqual(["done"]);
  });
});

describe("an instance that goes silent", () => {
  it.each<[string, Partial<Record<string, number>>, Play, string]>([
    ["before the head", { firstByteMs: 100 }, () => undefined, "did not begin"],
    ["in its stream", { idleMs: 100 }, (p) => p.start(), "went silent"],
    ["for too long in all", { totalMs: 100 }, (p) => p.start(), "longer than 100 ms"],
  ])("%s: 504, and the connection is given up", async (_name, deadlines, play, message) => {
    await harness.close();
    harness = await startHarness({ deadlines });
    harness.coglet.play(play);
    const response = await harness.call("/v1/chat/completions", chat());
    expect(response.status).toBe(504);
    expect(await response.json()).toMatchObject({
      error: { code: "upstream_timeout", message: expect.stringContaining(message) },
    });
    await harness.coglet.predictions[0]?.closed;
    expect(harness.upstream.released).toEqual(["failed"]);
  });
});

describe("a caller who leaves", () => {
  it("has its prediction canceled after the grace, so that no one computes for nobody", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("a");
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const leave = new AbortController();
    const response = await harness.call("/v1/chat/completions", {
      ...chat({ stream: true }),
      signal: leave.signal,
    });
    expect(response.status).toBe(200);
    leave.abort();
    await harness.coglet.predictions[0]?.canceled;
    await until("the slot is free", () => harness.upstream.released.length === 1);
    expect(harness.upstream.released).toEqual(["done"]);
  });

  it("while the model starts gives up its place", async () => {
    const aborted = Promise.withResolvers<void>();
    harness.upstream.gate = (_model, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => {
          aborted.resolve();
          reject(signal.reason as Error);
        });
      });
    const leave = new AbortController();
    const call = harness.call("/v1/chat/completions", { ...chat(), signal: leave.signal });
    await until("the model is asked for", () => harness.upstream.acquired.length === 1);
    leave.abort();
    await expect(call).rejects.toThrow();
    await aborted.promise;
    expect(harness.coglet.predictions).toEqual([]);
  });

  it("cuts a model that does not listen to the cancel", async () => {
    await harness.close();
    harness = await startHarness({ deadlines: { cancelMs: 50 } });
    harness.coglet.play((prediction) => prediction.start());
    const leave = new AbortController();
    const call = harness.call("/v1/chat/completions", { ...chat(), signal: leave.signal });
    await until("the model works", () => harness.coglet.predictions.length === 1);
    leave.abort();
    await expect(call).rejects.toThrow();
    await harness.coglet.predictions[0]?.closed;
    await until("the slot is given back", () => harness.upstream.released.length === 1);
    expect(harness.upstream.released).toEqual(["failed"]);
  });
});

describe("a caller who reads slowly", () => {
  it("does not stall the model, and gets every byte in order", async () => {
    const piece = "x".repeat(64 * 1024);
    const pieces = 300;
    const written = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (let index = 0; index < pieces; index += 1) await prediction.output(`${index}:${piece}`);
      written.resolve();
      prediction.complete({ output: [] });
    });
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    await written.promise;
    await until(
      "the slot is free while nothing was read",
      () => harness.upstream.released.length === 1,
    );
    const text = await response.text();
    const numbers = [...text.matchAll(/"content":"(\d+):x/g)].map((match) => Number(match[1]));
    expect(numbers).toEqual(Array.from({ length: pieces }, (_, index) => index));
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("is disconnected when it takes nothing at all for long", async () => {
    await harness.close();
    harness = await startHarness({ deadlines: { stalledReaderMs: 100 } });
    const piece = "x".repeat(256 * 1024);
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (let index = 0; index < 80; index += 1) await prediction.output(piece);
      prediction.complete({ output: [] });
    });
    const response = await harness.call("/v1/chat/completions", chat({ stream: true }));
    await until("the request is over", () =>
      harness.events.some((event) => event.type === "request-end"),
    );
    await expect(response.text()).rejects.toThrow();
  });
});

describe("connections to an instance", () => {
  it("are closed for a snapshot, and opened again by the next call", async () => {
    harness.coglet.play(say("ok"));
    await (await harness.call("/v1/chat/completions", chat())).text();
    await harness.gateway.closeOrigin(harness.coglet.origin);
    await until("no connection is open", () => harness.coglet.openConnections() === 0);
    expect((await harness.call("/v1/chat/completions", chat())).status).toBe(200);
  });
});
