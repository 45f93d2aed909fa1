// Replicate's models, each in its own words: what was asked for in standard names reaches the model under its names, and
// nothing goes on running, and costing, for nobody.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Task } from "../../../../../../gateway/catalog/entry.ts";
import { GatewayError } from "../../../../../../gateway/errors.ts";
import { createPools } from "../../../../../../gateway/upstream/pools.ts";
import { replicate } from "../../../../../../gateway/upstream/provider/adapters/replicate.ts";
import { cutAfter, json, sse, stall } from "../../../../../support/provider-double.ts";
import {
  runAdapter,
  type AdapterAnswer,
  type AdapterRun,
} from "../../../../../support/run-adapter.ts";
import {
  replicateError,
  replicateFrames,
  replicateKey,
  startReplicateDouble,
  version,
  type ReplicateDouble,
} from "../doubles/replicate.ts";

let double: ReplicateDouble;
beforeEach(async () => {
  double = await startReplicateDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

const llama = "meta/meta-llama-3-8b-instruct";
const flux = "black-forest-labs/flux-schnell";
const createPath = "/v1/models/{owner}/{name}/predictions";

function run(
  task: Task,
  model: string,
  input: Readonly<Record<string, unknown>>,
  options: Partial<AdapterRun> = {},
): Promise<AdapterAnswer> {
  return runAdapter({
    adapter: replicate,
    baseUrl: `${double.baseUrl}/v1`,
    key: replicateKey,
    model,
    task,
    input,
    ...options,
  });
}

/** Bodies of the predictions that were created. */
const created = (): readonly unknown[] =>
  double.requests
    .filter(({ method, path }) => method === "POST" && path.endsWith("/predictions"))
    .map(({ body }) => body);

describe("chat", () => {
  it("streams from the URL that the prediction names, and counts afterwards", async () => {
    const { emitted, output, metrics } = await run("text-generation", llama, {
      prompt: "Hi",
      max_tokens: 5,
      stop: ["a", "b"],
    });
    expect(emitted).toEqual(["Hel", "lo\nyou"]);
    expect(output).toEqual(["Hel", "lo\nyou"]);
    expect(metrics).toEqual({ predict_time: 1.5, input_tokens: 6, output_tokens: 2 });
    expect(created()).toEqual([{ input: { prompt: "Hi", max_tokens: 5, stop_sequences: "a,b" } }]);
  });

  it("makes a prompt of a conversation, and refuses what the model has no input for", async () => {
    await run("text-generation", llama, {
      messages: [
        { role: "system", content: "Be short" },
        { role: "user", content: "Hi" },
      ],
      parallel_tool_calls: true,
    });
    expect(created()).toEqual([{ input: { prompt: "Hi", system_prompt: "Be short" } }]);
    const tools = run("text-generation", llama, { prompt: "Hi", tools: [{ type: "function" }] });
    await expect(tools).rejects.toMatchObject({
      code: "unsupported_parameter",
      parameter: "tools",
    });
    expect(created()).toHaveLength(1);
  });

  it("waits for the whole answer where nobody reads along", async () => {
    const { output } = await run(
      "text-generation",
      llama,
      { prompt: "Hi" },
      { isStreaming: false },
    );
    expect(output).toEqual(["Hel", "lo"]);
  });

  it("does not take half a stream for an answer, and stops the prediction", async () => {
    double.nextAt("/stream/{id}", cutAfter(replicateFrames.slice(0, 2)));
    const work = run("text-generation", llama, { prompt: "Hi" });
    await expect(work).rejects.toMatchObject({ code: "upstream_cut" });
    expect(double.canceled).toEqual(["p1"]);
  });

  it.each([
    ['event: error\ndata: {"detail":"CUDA out of memory"}\n\n', "CUDA out of memory"],
    ['event: done\ndata: {"reason":"canceled"}\n\n', "the prediction is canceled"],
  ])("says why a stream ended without an answer: %s", async (frame, words) => {
    double.nextAt("/stream/{id}", sse([replicateFrames[1], frame]));
    const work = run("text-generation", llama, { prompt: "Hi" });
    await expect(work).rejects.toMatchObject({
      code: "prediction_failed",
      message: `replicate could not finish it: ${words}`,
    });
  });

  it("cancels the prediction of a caller who leaves in the middle of its stream", async () => {
    double.nextAt("/stream/{id}", stall(replicateFrames.slice(0, 2)));
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "over");
    const options = { signal: abort.signal, onEmit: () => abort.abort(reason) };
    await expect(run("text-generation", llama, { prompt: "Hi" }, options)).rejects.toBe(reason);
    expect(double.canceled).toEqual(["p1"]);
  });
});

describe("predictions", () => {
  it("are waited for with one request, under the model's own names", async () => {
    const { output, metrics } = await run("text-to-image", flux, {
      prompt: "a cat",
      n: 2,
      steps: 4,
    });
    expect(output).toEqual(["https://replicate.delivery/a.webp"]);
    expect(metrics).toMatchObject({ predict_time: 1.5 });
    expect(created()).toEqual([
      { input: { prompt: "a cat", num_outputs: 2, num_inference_steps: 4 } },
    ]);
    expect(double.requests.at(-1)?.headers["prefer"]).toBe("wait=60");
  });

  it("are looked at when the wait was not long enough", async () => {
    double.nextAt(createPath, json({ id: "p9", status: "starting" }, { status: 201 }));
    const done = { id: "p9", status: "succeeded", output: ["u"], metrics: { predict_time: 70 } };
    double.nextAt("/v1/predictions/{id}", json({ id: "p9", status: "processing" }), json(done));
    const { output, logs } = await run("text-to-image", flux, { prompt: "a cat" });
    expect(output).toEqual(["u"]);
    expect(logs).toEqual(["job p9", "job p9: processing"]);
  });

  it("run a pinned version", async () => {
    const { output } = await run("text-to-image", version, { prompt: "a cat" });
    expect(output).toEqual(["https://replicate.delivery/a.webp"]);
    expect(created()).toEqual([{ version, input: { prompt: "a cat" } }]);
  });

  it("give one output where a task has one, and a list where it has many", async () => {
    const image = "https://example.com/a.png";
    const painted = await run("image-to-image", "acme/painter", {
      prompt: "bluer",
      image: [image],
    });
    expect(painted.output).toEqual(["https://replicate.delivery/b.png"]);
    expect(created()).toEqual([{ input: { prompt: "bluer", input_image: image } }]);
    const spoken = await run("text-to-speech", "acme/voice", { text: "hello", voice: "Anna" });
    expect(spoken.output).toBe("https://replicate.delivery/c.mp3");
    const heard = await run("automatic-speech-recognition", "acme/whisper", {
      audio: image,
      timestamps: "none",
    });
    expect(heard.output).toEqual({ text: "hello", language: "en", segments: [] });
  });

  it("fail with the model's words", async () => {
    double.nextAt(createPath, json({ id: "p1", status: "failed", error: "NSFW content" }));
    await expect(run("text-to-image", flux, { prompt: "x" })).rejects.toMatchObject({
      code: "prediction_failed",
      message: "replicate could not finish it: NSFW content",
    });
  });

  it("are canceled when their caller leaves while they are waited for or looked at", async () => {
    const abort = new AbortController();
    const reason = new GatewayError("canceled", "over");
    double.nextAt(createPath, async (response) => {
      abort.abort(reason);
      await sleep(20);
      await json({ id: "p7", status: "processing" }, { status: 201 })(response);
    });
    const pools = createPools({ connectMs: 1_000 });
    const early = run("text-to-image", flux, { prompt: "x" }, { signal: abort.signal, pools });
    await expect(early).rejects.toBe(reason);
    await vi.waitFor(() => expect(double.canceled).toEqual(["p7"]));
    await pools.close({ isForced: true });

    const later = new AbortController();
    double.nextAt(createPath, json({ id: "p8", status: "starting" }, { status: 201 }));
    double.nextAt("/v1/predictions/{id}", (response) => {
      later.abort(reason);
      return json({ id: "p8", status: "processing" })(response);
    });
    const work = run("text-to-image", flux, { prompt: "x" }, { signal: later.signal });
    await expect(work).rejects.toBe(reason);
    await vi.waitFor(() => expect(double.canceled).toContain("p8"));
  });

  it("tell a missing model, a rate limit and a bill that was not paid", async () => {
    await expect(run("text-to-image", "acme/none", { prompt: "x" })).rejects.toMatchObject({
      code: "model_not_found",
    });
    double.nextAt(
      createPath,
      replicateError(429, "Too many requests", "Throttled", { "retry-after": "2" }),
      replicateError(402, "Insufficient credit", "You have insufficient credit"),
      replicateError(422, "Input validation failed", "- input.prompt is required"),
    );
    const ask = (): Promise<AdapterAnswer> => run("text-to-image", flux, { prompt: "x" });
    await expect(ask()).rejects.toMatchObject({ code: "rate_limited", retryAfterMs: 2_000 });
    await expect(ask()).rejects.toThrow("You have insufficient credit");
    await expect(ask()).rejects.toMatchObject({ code: "invalid_input" });
  });
});
