// A stream that breaks off after its first byte: the caller either hears that it failed, or hears that another upstream
// took over; never a splice without a word, and never half a text that looks whole.
import { afterEach, describe, expect, it } from "vitest";

import { until } from "../harness.ts";
import {
  backed,
  begins,
  breaksAfter,
  chat,
  chunksOf,
  ends,
  mixed,
  says,
  startStage,
  textOf,
  type Stage,
} from "./two-providers.ts";

const messages = [{ role: "user", content: "Count." }];

let stage: Stage;

afterEach(async () => {
  await stage.close();
});

function ask(
  model: string,
  onCut: string | undefined,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Response> {
  return stage.harness.call("/v1/chat/completions", {
    body: { model, messages, stream: true, ...more },
    ...(onCut !== undefined && { headers: { "x-byom-on-cut": onCut } }),
  });
}

describe("a stream that passes through and breaks off", () => {
  it("fails in words unless the route or the call says otherwise, and is counted as far as it came", async () => {
    stage = await startStage();
    stage.replies["first"] = breaksAfter("One, two, three, four, ");
    const text = await (await ask(chat.id, undefined)).text();
    const chunks = chunksOf(text);
    expect(textOf(chunks)).toBe("One, two, three, four, ");
    expect(chunks.at(-1)?.error).toBeDefined();
    expect(text).not.toContain("[DONE]");
    expect(stage.asked).toHaveLength(1);
    expect(stage.legs).toMatchObject([
      { end: { state: "failed", code: "upstream_cut", usage: { isEstimated: true } } },
    ]);
    expect(stage.legs[0]?.end.usage?.outputTokens).toBeGreaterThanOrEqual(5);
  });

  it("begins anew elsewhere, and says that what came before is void", async () => {
    stage = await startStage();
    stage.replies["first"] = breaksAfter("One, tw");
    const answer = await ask(chat.id, "restart");
    const text = await answer.text();
    const chunks = chunksOf(text);
    const markAt = chunks.findIndex(({ byom }) => byom !== undefined);
    expect(chunks[markAt]?.byom).toMatchObject({
      type: "restart",
      leg: 1,
      provider: "second",
      model: chat.id,
    });
    expect(textOf(chunks.slice(0, markAt))).toBe("One, tw");
    expect(textOf(chunks.slice(markAt))).toBe("I am second.");
    expect(text).toMatch(/data: \[DONE\]\n\n$/);
    expect(stage.calls).toMatchObject([{ status: "succeeded", legs: [{}, {}] }]);
  });

  it("goes on elsewhere from where it was", async () => {
    stage = await startStage({ onStreamCut: "continue" });
    stage.replies["first"] = breaksAfter("One, ", "two,");
    stage.replies["second"] = says(" three.");
    const text = await (await ask(chat.id, undefined)).text();
    const chunks = chunksOf(text);
    expect(chunks.find(({ byom }) => byom !== undefined)?.byom).toMatchObject({
      type: "handover",
    });
    expect(textOf(chunks)).toBe("One, two, three.");
    expect(stage.asked[1]?.body["messages"]).toEqual([
      ...messages,
      { role: "assistant", content: "One, two," },
    ]);
  });

  it("reads the same again for a reader who comes back", async () => {
    stage = await startStage();
    stage.replies["first"] = breaksAfter("One, tw");
    const answer = await ask(chat.id, "restart");
    const first = await answer.text();
    const runId = answer.headers.get("cf-aig-run-id");
    const again = await stage.harness.call(
      `/ai-gateway/gateways/default/run/${runId}/resume?from=0`,
    );
    expect(await again.text()).toBe(first);
  });

  it("is taken over by an own deployment, in the caller's shape", async () => {
    stage = await startStage();
    stage.replies["first"] = breaksAfter("One, tw");
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("One, two.");
      prediction.complete();
    });
    const answer = await ask(backed.id, "restart");
    const first = await answer.text();
    const chunks = chunksOf(first);
    const markAt = chunks.findIndex(({ byom }) => byom !== undefined);
    expect(textOf(chunks.slice(markAt))).toBe("One, two.");
    const runId = answer.headers.get("cf-aig-run-id");
    const again = await stage.harness.call(
      `/ai-gateway/gateways/default/run/${runId}/resume?from=0`,
    );
    expect(await again.text()).toBe(first);
  });

  it("does not begin anew within a call of a tool: half of one and a whole one would be run as two", async () => {
    stage = await startStage({ onStreamCut: "restart" });
    stage.replies["first"] = (response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const call = { index: 0, id: "c1", function: { name: "pay", arguments: '{"euro' } };
      const choices = [{ index: 0, delta: { tool_calls: [call] }, finish_reason: null }];
      response.write(`data: ${JSON.stringify({ id: "c", choices })}\n\n`);
      setTimeout(() => response.destroy(), 30);
    };
    const chunks = chunksOf(await (await ask(chat.id, undefined)).text());
    expect(chunks.at(-1)?.error).toBeDefined();
    expect(stage.asked).toHaveLength(1);
  });

  it("counts what a caller had who left in the middle", async () => {
    stage = await startStage();
    stage.replies["first"] = begins("One, two, three, four, ");
    const gone = new AbortController();
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: chat.id, messages, stream: true },
      signal: gone.signal,
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    gone.abort();
    await until("the end of the leg", () => stage.legs.length > 0);
    expect(stage.legs).toMatchObject([
      { end: { state: "canceled", usage: { isEstimated: true } } },
    ]);
    expect(stage.asked).toHaveLength(1);
  });
});

describe("a stream of an own model that breaks off", () => {
  it("goes on at a provider, its text in one answer", async () => {
    stage = await startStage({ onStreamCut: "continue" });
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("One, two,").then(() => prediction.raw("event: er"));
      setTimeout(() => prediction.cut(), 50);
    });
    stage.replies["second"] = says(" three.");
    const chunks = chunksOf(await (await ask(mixed.id, undefined)).text());
    expect(textOf(chunks)).toBe("One, two, three.");
    expect(chunks.some(({ byom }) => byom?.["type"] === "handover")).toBe(true);
  });

  it("is told on Anthropic's surface in blocks that its clients can read", async () => {
    stage = await startStage({ onStreamCut: "restart" });
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("One, tw");
      setTimeout(() => prediction.cut(), 50);
    });
    stage.replies["second"] = says("One, two.");
    const answer = await stage.harness.call("/v1/messages", {
      body: { model: mixed.id, messages, max_tokens: 50, stream: true },
    });
    const events = (await answer.text())
      .split("\n\n")
      .flatMap((event) => /^event: (\S+)\ndata: (.*)$/.exec(event)?.slice(1, 2) ?? []);
    expect(events.filter((name) => name !== "ping" && name !== "content_block_delta")).toEqual([
      "message_start",
      "content_block_start",
      "content_block_stop",
      "byom.restart",
      "content_block_start",
      "content_block_stop",
      "message_delta",
      "message_stop",
    ]);
  });
});

describe("a whole answer", () => {
  it("begins anew elsewhere without a word: nobody has a part of it", async () => {
    stage = await startStage();
    stage.harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("One, tw");
      setTimeout(() => prediction.cut(), 50);
    });
    const answer = await stage.harness.call("/v1/chat/completions", {
      body: { model: mixed.id, messages },
    });
    expect(await answer.json()).toMatchObject({
      choices: [{ message: { content: "I am second." } }],
    });
    expect(stage.legs).toMatchObject([
      { provider: "byom", end: { state: "failed", usage: { isEstimated: true } } },
      { provider: "second", end: { state: "succeeded" } },
    ]);
  });
});

describe("a hedged call", () => {
  it("is answered by the first that speaks; the other ends and is told as abandoned", async () => {
    stage = await startStage({ hedgeMs: 20 });
    let isClosed = false;
    stage.replies["first"] = (response) => response.once("close", () => (isClosed = true));
    const chunks = chunksOf(await (await ask(chat.id, undefined)).text());
    expect(textOf(chunks)).toBe("I am second.");
    expect(chunks.some(({ byom }) => byom !== undefined)).toBe(false);
    await until("the loser's connection to close", () => isClosed);
    expect(stage.legs).toMatchObject([
      { provider: "first", end: { state: "abandoned" } },
      { provider: "second", end: { state: "succeeded" } },
    ]);
  });

  it("asks nobody else when the first one speaks in time", async () => {
    stage = await startStage({ hedgeMs: 5_000 });
    const chunks = chunksOf(await (await ask(chat.id, undefined)).text());
    expect(textOf(chunks)).toBe("I am first.");
    expect(stage.asked).toHaveLength(1);
  });

  it("is answered whole by the faster one", async () => {
    stage = await startStage({ hedgeMs: 20 });
    stage.replies["first"] = () => undefined;
    const answer = await ask(chat.id, undefined, { stream: false });
    expect(await answer.json()).toMatchObject({
      choices: [{ message: { content: "I am second." } }],
    });
  });

  it("fails only when both have", async () => {
    stage = await startStage({ hedgeMs: 20, attempts: 1 });
    stage.replies["first"] = (response) => void setTimeout(() => response.destroy(), 80);
    stage.replies["second"] = (response, asked) =>
      void setTimeout(() => {
        begins("late, but whole")(response, asked);
        ends(response);
      }, 150);
    const chunks = chunksOf(await (await ask(chat.id, undefined)).text());
    expect(textOf(chunks)).toBe("late, but whole");
  });
});
