import { validateWebhook } from "replicate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Play } from "../fake-coglet.ts";
import { MemoryPredictions, startHarness, until, type Harness } from "../harness.ts";
import { startReceiver, type Receiver } from "./receiver.ts";

// An app that does not poll knows of its predictions only by these messages: one that is lost, forged or told in the
// wrong order is a customer who waits for an image for ever.

const limits = {
  retryDelayMs: 5,
  retryDelayMaxMs: 20,
  attemptsMax: 4,
  attemptMs: 300,
  intervalMs: 60,
};
const start = (options: Parameters<typeof startHarness>[0] = {}): Promise<Harness> =>
  startHarness({ allowedHosts: ["127.0.0.0/8"], webhookLimits: limits, ...options });

let harness: Harness;
let receiver: Receiver;
beforeEach(async () => {
  harness = await start();
  receiver = await startReceiver();
});
afterEach(async () => {
  await harness.close();
  await receiver[Symbol.asyncDispose]();
});

const path = "/v1/models/acme/chat/predictions";
const create = async (fields: Record<string, unknown> = {}): Promise<string> => {
  const body = { input: { prompt: "x" }, webhook: receiver.url, ...fields };
  const response = await harness.call(path, { body });
  expect(response.status).toBe(201);
  return ((await response.json()) as { id: string }).id;
};
const completed = { webhook_events_filter: ["completed"] };
const succeed: Play = async (prediction) => {
  prediction.start();
  await prediction.output("a");
  prediction.complete();
};
const ids = (): readonly unknown[] =>
  receiver.deliveries.map(({ headers }) => headers["webhook-id"]);
const told = (count: number): Promise<void> =>
  until(`${count} deliveries`, () => receiver.deliveries.length >= count);
const settled = (id: string): Promise<void> =>
  until("the webhook is settled", () => harness.predictions.settled.has(id));
const ending = (): unknown => harness.events.find(({ type }) => type === "webhook-end");

describe("a prediction's messages", () => {
  it("are signed so that Replicate's own validation accepts them, and no changed one", async () => {
    harness.coglet.play(succeed);
    const id = await create(completed);
    await told(1);
    const [delivery] = receiver.deliveries;
    const answer = await harness.call("/v1/webhooks/default/secret");
    const { key: secret } = (await answer.json()) as { key: string };
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    const message = {
      id: String(delivery?.headers["webhook-id"]),
      timestamp: String(delivery?.headers["webhook-timestamp"]),
      signature: String(delivery?.headers["webhook-signature"]),
      body: delivery?.body ?? "",
      secret,
    };
    expect(message.signature).toMatch(/^v1,/);
    expect(message.timestamp).toBe(String(Date.parse("2026-11-23T12:00:00Z") / 1000));
    expect(await validateWebhook(message)).toBe(true);
    expect(await validateWebhook({ ...message, body: `${message.body} ` })).toBe(false);
    expect(await validateWebhook({ ...message, timestamp: "1" })).toBe(false);
    expect(await (await harness.call(`/v1/predictions/${id}`)).json()).toMatchObject({
      webhook: receiver.url,
      webhook_events_filter: ["completed"],
      ...delivery?.told,
      urls: { get: `${harness.url}/v1/predictions/${id}` },
    });
  });

  it("come in order, from the start over the output to the end", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.event("log", { data: "thinking\n", source: "stdout" });
      await prediction.output("a");
      await go.promise;
      prediction.complete();
    });
    await create();
    await told(2);
    await until("output is told", () =>
      receiver.deliveries.some(({ told: { output } }) => Array.isArray(output)),
    );
    go.resolve();
    await until(
      "the end is told",
      () => receiver.deliveries.at(-1)?.told["status"] === "succeeded",
    );
    const statuses = receiver.deliveries.map(({ told: { status } }) => status);
    expect(statuses[0]).toBe("processing");
    expect(receiver.deliveries[0]?.told["output"]).toBeNull();
    expect(statuses.filter((status) => status === "succeeded")).toHaveLength(1);
    expect(new Set(ids()).size).toBe(receiver.deliveries.length);
  });

  it("are few although the output comes in many pieces", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      for (let piece = 0; piece < 50; piece += 1) await prediction.output(`${piece} `);
      await new Promise((resolve) => setTimeout(resolve, 150));
      prediction.complete();
    });
    await create({ webhook_events_filter: ["output", "completed"] });
    await until(
      "the end is told",
      () => receiver.deliveries.at(-1)?.told["status"] === "succeeded",
    );
    expect(receiver.deliveries.length).toBeLessThan(8);
    expect(receiver.deliveries.at(-1)?.told["output"]).toHaveLength(50);
  });

  it("tell only what was asked for, and of a failed or canceled one too", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "it broke" });
    });
    const failed = await create(completed);
    await settled(failed);
    harness.upstream.gate = (_model, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    const canceled = await create(completed);
    await harness.call(`/v1/predictions/${canceled}/cancel`, { method: "POST" });
    await settled(canceled);
    expect(
      receiver.deliveries.map(({ told: { id, status, error } }) => [id, status, error]),
    ).toEqual([
      [failed, "failed", "it broke"],
      [canceled, "canceled", "The prediction was canceled."],
    ]);
  });
});

describe("a receiver", () => {
  it("that fails is told again, under the same id", async () => {
    harness.coglet.play(succeed);
    receiver.react(500, 429, 200);
    await settled(await create(completed));
    expect(receiver.deliveries).toHaveLength(3);
    expect(new Set(ids()).size).toBe(1);
    expect(ending()).toMatchObject({ isDelivered: true, attempts: 3 });
  });

  it("that hangs is told again, and holds up nobody else's messages", async () => {
    harness.coglet.play(succeed);
    await using other = await startReceiver();
    receiver.react("hang", "hang", 200);
    const slow = await create(completed);
    const quick = await create({ ...completed, webhook: other.url });
    await settled(quick);
    expect(harness.predictions.settled.has(slow)).toBe(false);
    await settled(slow);
    expect(receiver.deliveries).toHaveLength(3);
  });

  it("that never answers well is given up after a bounded number of tries", async () => {
    harness.coglet.play(succeed);
    receiver.react(503);
    await settled(await create(completed));
    expect(receiver.deliveries).toHaveLength(limits.attemptsMax);
    expect(ending()).toMatchObject({ isDelivered: false, error: "the receiver answered 503" });
  });

  it("that redirects is not followed, and one that is gone is left alone", async () => {
    harness.coglet.play(succeed);
    await using other = await startReceiver();
    receiver.react({ location: other.url }, 410);
    await settled(await create(completed));
    expect([receiver.deliveries.length, other.deliveries.length]).toEqual([2, 0]);
  });

  it("in a private network is refused unless the operator allows it", async () => {
    await harness.close();
    harness = await start({ allowedHosts: [] });
    for (const webhook of [receiver.url, "https://localhost/", "https://[::ffff:10.0.0.1]/"]) {
      const response = await harness.call(path, { body: { input: { prompt: "x" }, webhook } });
      expect([response.status, await response.json()]).toMatchObject([400, { status: 400 }]);
    }
    expect(harness.predictions.log).toEqual([]);
  });
});

describe("after kill -9", () => {
  const record = {
    id: "done",
    model: "acme/chat",
    version: 3,
    status: "succeeded",
    input: { prompt: "x" },
    output: ["a"],
    logs: "",
    metrics: {},
    createdAt: "2026-11-23T11:00:00.000Z",
    completedAt: "2026-11-23T11:00:01.000Z",
  } as const;
  const webhook = (): {
    url: string;
    events: ["completed"];
    format: "replicate";
    baseUrl: string;
  } => ({
    url: receiver.url,
    events: ["completed"],
    format: "replicate",
    baseUrl: "https://models.example.com",
  });

  it("a completed webhook that was owed is delivered, with the id that it had before", async () => {
    harness.coglet.play(succeed);
    receiver.react(503);
    const id = await create(completed);
    await told(1);
    const predictions = new MemoryPredictions();
    predictions.insert(harness.predictions.get(id) ?? { ...record });
    predictions.insert({ ...record, webhook: webhook() });
    await harness.close();
    receiver.react(200);
    const before = ids()[0];
    harness = await start({ predictions });
    harness.gateway.recover();
    await until("both are settled", () => predictions.settled.size === 2);
    const again = receiver.deliveries.filter(({ headers }) => headers["webhook-id"] === before);
    expect(again.length).toBeGreaterThan(1);
    expect(receiver.deliveries.at(-1)?.told).toMatchObject({ status: "succeeded" });
    const delivered = receiver.deliveries.find(({ told: { id: one } }) => one === "done");
    expect(delivered?.told["urls"]).toMatchObject({
      get: "https://models.example.com/v1/predictions/done",
    });
  });

  it("who waits for a prediction that had begun is told that it failed, and of one that runs again how it went", async () => {
    const predictions = new MemoryPredictions();
    const { completedAt: _, output: __, ...waiting } = { ...record, webhook: webhook() };
    predictions.insert({ ...waiting, id: "begun", status: "processing" });
    predictions.insert({ ...waiting, id: "waiting", status: "starting" });
    await harness.close();
    harness = await start({ predictions });
    harness.coglet.play(succeed);
    harness.gateway.recover();
    await until("both are settled", () => predictions.settled.size === 2);
    const statuses = receiver.deliveries.map(({ told: { id, status } }) => [id, status].join(" "));
    expect(statuses.toSorted()).toEqual(["begun failed", "waiting succeeded"]);
  });
});
