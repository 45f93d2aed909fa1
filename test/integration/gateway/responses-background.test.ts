import OpenAI from "openai";
import type { ResponseStreamEvent } from "openai/resources/responses/responses";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  startHarness,
  until,
  type Harness,
  type MemoryPredictions,
} from "../../unit/gateway/harness.ts";
import { client, collect, create, hold, models, say, speak, typesOf } from "./responses-support.ts";

// Responses in the background, with OpenAI's own client unmodified. If one of these fails, somebody waits for ever for
// an answer that was promised, or pays for it twice.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

describe("a response in the background", () => {
  it("is accepted at once, and there when it is asked for again", async () => {
    const { play, begun } = hold();
    harness.coglet.play(play);
    const accepted = await create(harness, { background: true });
    expect(accepted).toMatchObject({ status: "queued", background: true, output: [] });
    const prediction = await begun;
    expect((await client(harness).responses.retrieve(accepted.id)).status).toBe("in_progress");
    await prediction.output("two");
    prediction.complete({ metrics: { input_tokens: 1, output_tokens: 2 } });
    await until("the end", () => harness.events.some(({ type }) => type === "prediction-end"));
    const ended = await client(harness).responses.retrieve(accepted.id);
    expect(ended).toMatchObject({ status: "completed", output_text: "one two" });
  });

  it("streams from any event, to two readers at once, one of them after a cut", async () => {
    const { play, begun } = hold();
    harness.coglet.play(play);
    const first = await client(harness).responses.create({
      model: "acme/chat",
      input: "count",
      background: true,
      stream: true,
    });
    const seen: ResponseStreamEvent[] = [];
    for await (const event of first) {
      seen.push(event);
      if (event.type === "response.output_text.delta") break;
    }
    expect(typesOf(seen).slice(0, 3)).toEqual([
      "response.created",
      "response.queued",
      "response.in_progress",
    ]);
    const created = seen[0];
    const id = created?.type === "response.created" ? created.response.id : "";
    const prediction = await begun;
    const readOn = async (after: number | undefined): Promise<readonly ResponseStreamEvent[]> =>
      collect(
        await client(harness).responses.retrieve(id, {
          stream: true,
          ...(after === undefined ? {} : { starting_after: after }),
        }),
      );
    const cutAt = seen.at(-1)?.sequence_number ?? -1;
    const readers = [readOn(undefined), readOn(cutAt)];
    await new Promise((resolve) => setTimeout(resolve, 50));
    // Longer than the grace in which a caller on the line may come back.
    await prediction.output("two");
    prediction.complete();
    const [all = [], rest = []] = await Promise.all(readers);
    expect([...seen, ...rest]).toEqual(all);
    expect(all.at(-1)?.type).toBe("response.completed");
    // And again after its end: the same events.
    expect(await readOn(undefined)).toEqual(all);
    const lastAt = all.at(-1)?.sequence_number ?? 0;
    expect(await readOn(lastAt - 1)).toEqual(all.slice(-1));
    expect(await readOn(lastAt)).toEqual([]);
    await expect(readOn(lastAt + 1)).rejects.toMatchObject({ param: "starting_after" });
    await expect(
      harness
        .call(`/v1/responses/${id}?stream=true&starting_after=-1`)
        .then(({ status }) => status),
    ).resolves.toBe(400);
  });

  it("is canceled once; a second time and after its end it is as it is", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const { id } = await create(harness, { background: true });
    const events = collect(await client(harness).responses.retrieve(id, { stream: true }));
    await until("the beginning", () => harness.coglet.predictions.length === 1);
    expect((await client(harness).responses.cancel(id)).status).toBe("cancelled");
    expect((await client(harness).responses.cancel(id)).status).toBe("cancelled");
    expect((await client(harness).responses.retrieve(id)).status).toBe("cancelled");
    expect((await events).at(-1)).toMatchObject({ response: { status: "cancelled", error: null } });
    harness.coglet.play(speak);
    const whole = await create(harness, {});
    await expect(client(harness).responses.cancel(whole.id)).rejects.toMatchObject({ status: 400 });
    const done = await create(harness, { background: true });
    await until(
      "the end",
      () => harness.events.filter(({ type }) => type === "prediction-end").length === 3,
    );
    expect((await client(harness).responses.cancel(done.id)).status).toBe("completed");
  });

  it("keeps the failure and its reason", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "no words", output: null });
    });
    const { id } = await create(harness, { background: true });
    await until("the end", () => harness.events.some(({ type }) => type === "prediction-end"));
    const failed = await client(harness).responses.retrieve(id);
    expect(failed).toMatchObject({
      status: "failed",
      error: { code: "server_error", message: "no words" },
    });
    await expect(create(harness, { previous_response_id: id })).rejects.toMatchObject({
      status: 400,
    });
    const events = await collect(await client(harness).responses.retrieve(id, { stream: true }));
    expect(events.at(-1)?.type).toBe("response.failed");
  });

  it("stops when it is deleted, and does not come back", async () => {
    const { play, begun } = hold();
    harness.coglet.play(play);
    const { id } = await create(harness, { background: true });
    const prediction = await begun;
    await client(harness).responses.delete(id);
    await prediction.canceled;
    prediction.complete({ status: "canceled" });
    await until("the end", () => harness.events.some(({ type }) => type === "prediction-end"));
    await expect(client(harness).responses.retrieve(id)).rejects.toBeInstanceOf(
      OpenAI.NotFoundError,
    );
  });
});

describe("a platform that is killed", () => {
  let next: Harness | undefined;
  afterEach(async () => {
    await next?.close();
    next = undefined;
  });
  const restart = async (predictions: MemoryPredictions): Promise<Harness> => {
    next = await startHarness({ models, predictions, directory: harness.directory });
    return next;
  };

  it("runs a response again that had not begun, and has the ended ones", async () => {
    harness.coglet.play(speak);
    const before = await create(harness, {});
    harness.upstream.gate = (_id, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason as Error));
      });
    const waiting = await create(harness, { background: true, input: "later" });
    // The first gateway is never closed before the second one runs: that is what kill -9 leaves.
    const second = await restart(harness.predictions);
    const after = client(second);
    expect((await after.responses.retrieve(waiting.id)).status).toBe("queued");
    second.coglet.play(say(["after ", "all"]));
    second.gateway.recover();
    await until("the end", () => second.events.some(({ type }) => type === "prediction-end"));
    expect(await after.responses.retrieve(waiting.id)).toMatchObject({
      status: "completed",
      output_text: "after all",
    });
    expect(await after.responses.retrieve(before.id)).toMatchObject({ output_text: "one two" });
    // The single events went with the process; the stream still tells the whole answer, and ends.
    const events = await collect(await after.responses.retrieve(before.id, { stream: true }));
    expect(events.map(({ type }) => type)).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.delta",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.completed",
    ]);
    const rest = await collect(
      await after.responses.retrieve(before.id, { stream: true, starting_after: 4 }),
    );
    expect(rest).toMatchObject([{ type: "response.completed", sequence_number: 9 }]);
    const turn = await after.responses.create({
      model: "acme/agent",
      input: "go on",
      previous_response_id: before.id,
    });
    expect(turn.status).toBe("completed");
    expect(second.coglet.predictions.at(-1)?.input["messages"]).toHaveLength(3);
  });

  it("says that one which had begun is lost, instead of leaving it queued for ever", async () => {
    const { play, begun } = hold();
    harness.coglet.play(play);
    const { id } = await create(harness, { background: true });
    await begun;
    const second = await restart(harness.predictions);
    second.gateway.recover();
    expect(await client(second).responses.retrieve(id)).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("stopped while this prediction ran") },
    });
  });
});
