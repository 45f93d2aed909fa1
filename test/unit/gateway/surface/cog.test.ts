import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { startHarness, until, type Harness } from "../harness.ts";
import type { Play } from "../fake-coglet.ts";
import { startReceiver } from "../webhook/receiver.ts";

// A script that spoke to a Cog container speaks to the platform by adding /models/OWNER/NAME to its base URL.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness();
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const path = "/models/acme/chat/predictions";
const sse = { accept: "text/event-stream" };
const create = { body: { input: { prompt: "x" } } };
const waitForCancel: Play = async (prediction) => {
  prediction.start();
  await prediction.output("a");
  await prediction.canceled;
  prediction.complete({ status: "canceled" });
};

describe("a model's Cog API", () => {
  it("passes the model's own answer on, byte for byte", async () => {
    const answer = '{"id":"mine","output":  {"a":1},"status":"succeeded","metrics":{}}';
    harness.coglet.play((prediction) => prediction.answer(200, answer));
    const response = await harness.call("/models/acme/ocr/predictions", {
      body: { id: "mine", input: { image: "data:,x" }, context: { tenant: "t" } },
    });
    expect(response.status).toBe(200);
    expect(response.headers.get("x-byom-instance")).toBe("i-1");
    expect(await response.text()).toBe(answer);
    expect(harness.coglet.predictions[0]?.body).toEqual({
      id: "mine",
      input: { image: "data:,x" },
      context: { tenant: "t" },
    });
  });

  it("has a failed prediction as a 200, as Cog does", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "it broke" });
    });
    const response = await harness.call(path, create);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ status: "failed", error: "it broke" });
  });

  it("streams coglet's events as they are", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.event("log", { data: "hi\n", source: "stdout" });
      await prediction.output("a");
      prediction.complete();
    });
    const response = await harness.call(path, { ...create, headers: sse });
    expect(await response.text()).toBe(
      'event: start\ndata: {"id":"id2","status":"processing"}\n\n' +
        'event: log\ndata: {"data":"hi\\n","source":"stdout"}\n\n' +
        'event: output\ndata: {"chunk":"a","index":0}\n\n' +
        'event: completed\ndata: {"id":"id2","logs":"","metrics":{"predict_time":0.5},"output":["a"],"status":"succeeded"}\n\n',
    );
  });

  it("joins a repeated PUT to the running prediction instead of running it twice", async () => {
    harness.coglet.play(waitForCancel);
    const put = { ...create, method: "PUT" };
    const first = harness.call(`${path}/job-1`, { ...put, headers: sse });
    expect((await first).status).toBe(200);
    const snapshot = await harness.call(`${path}/job-1`, put);
    expect(snapshot.status).toBe(202);
    expect(await snapshot.json()).toMatchObject({ id: "job-1", input: { prompt: "x" } });
    const second = harness.call(`${path}/job-1`, { ...put, headers: sse });
    const cancel = await harness.call(`${path}/job-1/cancel`, { method: "POST" });
    expect([cancel.status, await cancel.text()]).toEqual([200, "{}"]);
    const texts = await Promise.all([first, second].map(async (call) => (await call).text()));
    expect(texts[0]).toBe(texts[1]);
    expect(texts[0]).toContain('"status":"canceled"');
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  it("accepts an asynchronous prediction and records it", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ output: ["a"] });
    });
    const response = await harness.call(path, { ...create, headers: { prefer: "respond-async" } });
    expect([response.status, await response.json()]).toEqual([
      202,
      { id: "id2", status: "starting" },
    ]);
    await until("it ends", () => harness.predictions.get("id2")?.status === "succeeded");
  });

  it("answers a repeated PUT of a recorded prediction with what came of it, also after a restart", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ output: ["a"] });
    });
    const put = { ...create, method: "PUT", headers: { prefer: "wait, Respond-Async" } };
    expect((await harness.call(`${path}/job-7`, put)).status).toBe(202);
    await until("it ends", () => harness.predictions.get("job-7")?.status === "succeeded");
    const { predictions } = harness;
    await harness.close();
    harness = await startHarness({ predictions });
    const again = await harness.call(`${path}/job-7`, put);
    expect([again.status, await again.json()]).toMatchObject([
      200,
      { id: "job-7", status: "succeeded", output: ["a"], input: { prompt: "x" } },
    ]);
    const post = await harness.call(path, {
      body: { ...create.body, id: "job-7" },
      headers: put.headers,
    });
    expect([post.status, await post.json()]).toMatchObject([409, { code: "conflict" }]);
    expect(harness.coglet.predictions).toEqual([]);
  });

  it("tells a webhook in Cog's own words", async () => {
    await harness.close();
    harness = await startHarness({ allowedHosts: ["127.0.0.1"] });
    await using receiver = await startReceiver();
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ output: ["a"] });
    });
    const response = await harness.call(path, {
      body: { ...create.body, webhook: receiver.url, webhook_events_filter: ["completed"] },
    });
    expect(await response.json()).toMatchObject({ status: "succeeded" });
    await until("it is told", () => receiver.deliveries.length === 1);
    expect(receiver.deliveries[0]?.told).toEqual({
      id: "id2",
      input: { prompt: "x" },
      output: ["a"],
      logs: "",
      status: "succeeded",
      metrics: { predict_time: 0.5 },
      created_at: "2026-11-23T12:00:00.000Z",
      started_at: "2026-11-23T12:00:00.000Z",
      completed_at: "2026-11-23T12:00:00.000Z",
    });
  });

  it("describes the model without waking it", async () => {
    const health = await harness.call("/models/acme/chat/health-check");
    expect(await health.json()).toMatchObject({ status: "READY", state: "idle" });
    const schema = await harness.call("/models/acme/chat/openapi.json");
    expect(await schema.json()).toMatchObject({
      paths: { "/predictions": { post: { "x-cog-streaming": true } } },
      components: { schemas: { Input: { required: ["prompt"] } } },
    });
    expect(harness.upstream.acquired).toEqual([]);
  });

  it.each<[string, string, Record<string, unknown>, number, unknown]>([
    [
      "POST",
      path,
      { body: { input: {} } },
      422,
      { detail: [{ loc: ["body", "input", "prompt"], msg: "is required", type: "value_error" }] },
    ],
    [
      "POST",
      path,
      { body: { ...create.body, webhook: "http://x" } },
      422,
      { detail: [{ loc: ["body", "webhook"] }] },
    ],
    [
      "PUT",
      `${path}/a`,
      { body: { ...create.body, id: "b" } },
      422,
      { detail: [{ loc: ["body", "id"] }] },
    ],
    [
      "POST",
      path,
      { body: { ...create.body, id: "a\nb" } },
      422,
      { detail: [{ loc: ["body", "id"] }] },
    ],
    [
      "POST",
      "/models/acme/ocr/predictions",
      { body: { input: { image: "x" } }, headers: sse },
      406,
      { code: "not_acceptable" },
    ],
    ["POST", "/models/acme/none/predictions", create, 404, { code: "model_not_found" }],
    ["POST", `${path}/none/cancel`, {}, 404, {}],
    ["GET", path, {}, 405, { code: "method_not_allowed" }],
    ["POST", "/models/acme/chat/shutdown", {}, 403, { code: "forbidden" }],
    ["POST", "/models/acme/chat/trainings", {}, 405, { code: "method_not_allowed" }],
  ])("%s %s with %j is a %i", async (method, where, options, status, body) => {
    const response = await harness.call(where, { ...options, method });
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject(body as object);
    expect(harness.upstream.acquired).toEqual([]);
  });
});
