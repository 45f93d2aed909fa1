// Every stream can be read again by the id of its run: from any event, by any of the ways that clients know, with the
// same bytes in this process and the next one. If this fails, a browser that lost its line starts over, or an app that
// left pays for an answer that nobody hears.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { KeyIdentity } from "../../../../gateway/index.ts";
import { chatModel, startHarness, until, type Harness } from "../harness.ts";
import type { Play } from "../fake-coglet.ts";

let directory: string;
let harness: Harness;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-resume-"));
  harness = await startHarness({ directory });
});
afterEach(async () => {
  await harness.close();
  await rm(directory, { recursive: true, force: true });
});

const speak: Play = async (prediction) => {
  prediction.start();
  for (const piece of ["one ", "twö\n", "three"]) await prediction.output(piece);
  prediction.complete();
};

/** Says one piece and waits to be canceled. */
const linger: Play = async (prediction) => {
  prediction.start();
  await prediction.output("one ");
  await prediction.canceled;
  prediction.complete({ status: "canceled" });
};

const messages = [{ role: "user", content: "x" }];
const chat = { model: chatModel.id, messages, stream: true };

async function begin(headers: Record<string, string> = {}): Promise<Response> {
  return await harness.call("/v1/chat/completions", { body: chat, headers });
}

const runIdOf = (response: Response): string => response.headers.get("cf-aig-run-id") ?? "";

const read = async (path: string, headers: Record<string, string> = {}): Promise<string> =>
  await (await harness.call(path, { headers })).text();

describe("GET /v1/streams/{id}", () => {
  it("gives the stream again, from any event, by number or by Last-Event-ID", async () => {
    harness.coglet.play(speak);
    const response = await begin();
    const whole = await response.text();
    const frames = whole.split(/(?<=\n\n)/);
    const path = `/v1/streams/${runIdOf(response)}`;
    expect(frames).toHaveLength(6);
    for (let from = 0; from <= frames.length + 1; from += 1) {
      const rest = frames.slice(from).join("");
      expect(await read(`${path}?from=${from}`)).toBe(rest);
      expect(await read(path, { "last-event-id": String(from) })).toBe(rest);
    }
    const numbered = await read(`${path}?ids=true&from=4`);
    expect(numbered).toBe(`id: 5\n${frames[4]}id: 6\n${frames[5]}`);
  });

  it.each([
    ["chat", "/v1/chat/completions", chat],
    [
      "chat with usage and a limit",
      "/v1/chat/completions",
      { ...chat, max_tokens: 3, stream_options: { include_usage: true } },
    ],
    [
      "completion",
      "/v1/completions",
      { model: chatModel.id, prompt: "x", stream: true, echo: true },
    ],
    ["message", "/v1/messages", { ...chat, max_tokens: 9 }],
    ["response", "/v1/responses", { model: chatModel.id, input: "x", stream: true, store: false }],
    ["Workers AI", `/client/v4/accounts/a/ai/run/${chatModel.id}`, { prompt: "x", stream: true }],
    [
      "Workers AI, in OpenAI's words",
      `/client/v4/accounts/a/ai/run/${chatModel.id}`,
      { messages, stream: true, stream_options: { include_usage: true } },
    ],
  ])("gives the same bytes in the next process: %s", async (_, path, body) => {
    harness.coglet.play(speak);
    const response = await harness.call(path, { body });
    const whole = await response.text();
    const id = runIdOf(response);
    expect(await read(`/v1/streams/${id}`)).toBe(whole);
    await harness.close();
    harness = await startHarness({ directory, models: [] });
    expect(await read(`/v1/streams/${id}`)).toBe(whole);
    expect(await read(`/ai-gateway/gateways/g/run/${id}/resume?from=1`)).toBe(
      whole.slice(whole.indexOf("\n\n") + 2),
    );
    expect(harness.coglet.predictions).toEqual([]);
  });

  it("gives a failed stream's failure again, in the next process too", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      prediction.cut();
    });
    const response = await begin();
    const whole = await response.text();
    expect(whole).toContain("upstream_cut");
    await harness.close();
    harness = await startHarness({ directory });
    expect(await read(`/v1/streams/${runIdOf(response)}`)).toBe(whole);
  });

  it("takes up a stream that came from the cache as any other, without another upstream call", async () => {
    harness.coglet.play(speak);
    const headers = { "cf-aig-cache-ttl": "60" };
    const words = (text: string): string => text.replaceAll(/chatcmpl-\w+/g, "");
    const first = await (await begin(headers)).text();
    const cached = await begin(headers);
    expect(cached.headers.get("cf-aig-cache-status")).toBe("HIT");
    const whole = await cached.text();
    expect(words(whole)).toBe(words(first));
    expect(await read(`/v1/streams/${runIdOf(cached)}?from=2`)).toBe(
      whole
        .split(/(?<=\n\n)/)
        .slice(2)
        .join(""),
    );
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  it("follows a stream that still runs, and one upstream call serves all readers", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await go.promise;
      await prediction.output("two");
      prediction.complete();
    });
    const response = await begin();
    const others = [0, 1, 2].map((from) => read(`/v1/streams/${runIdOf(response)}?from=${from}`));
    go.resolve();
    const whole = await response.text();
    const frames = whole.split(/(?<=\n\n)/);
    expect(await Promise.all(others)).toEqual([0, 1, 2].map((from) => frames.slice(from).join("")));
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  it("is of its key and of admins alone, and says so when there is nothing", async () => {
    harness.coglet.play(speak);
    const response = await begin();
    await response.text();
    const id = runIdOf(response);
    await harness.close();
    const another: KeyIdentity = { id: "key-9", name: "other", scopes: ["call"] };
    harness = await startHarness({ directory, key: another });
    const requests = [
      harness.call(`/v1/streams/${id}`),
      harness.call(`/v1/streams/${id}`, { method: "DELETE" }),
      harness.call(`/v1/streams/${id}/cancel`, { method: "POST" }),
      harness.call("/v1/streams/none"),
    ];
    for (const { status } of await Promise.all(requests)) expect(status).toBe(404);
    expect((await harness.call(`/v1/streams/${id}?from=x`)).status).toBe(400);
    await harness.close();
    harness = await startHarness({ directory, key: { ...another, scopes: ["admin"] } });
    expect((await harness.call(`/v1/streams/${id}`)).status).toBe(200);
  });

  it("forgets a stream when it is told to, for good", async () => {
    harness.coglet.play(speak);
    const response = await begin();
    await response.text();
    const path = `/v1/streams/${runIdOf(response)}`;
    const deleted = await harness.call(path, { method: "DELETE" });
    expect(await deleted.json()).toEqual({ id: runIdOf(response), deleted: true });
    expect((await harness.call(path)).status).toBe(404);
    await harness.close();
    harness = await startHarness({ directory });
    expect((await harness.call(path)).status).toBe(404);
  });

  it("keeps a stream no longer than its caller wants", async () => {
    harness.coglet.play(speak);
    const response = await begin({ "x-byom-stream-ttl": "0" });
    await response.text();
    expect((await harness.call(`/v1/streams/${runIdOf(response)}`)).status).toBe(404);
    expect((await begin({ "x-byom-stream-ttl": "soon" })).status).toBe(400);
  });
});

describe("a stream that nobody reads", () => {
  /** Begins one and leaves it after its first bytes. */
  async function abandon(headers: Record<string, string>): Promise<string> {
    const leaving = new AbortController();
    const response = await harness.call("/v1/chat/completions", {
      body: chat,
      headers,
      signal: leaving.signal,
    });
    await response.body?.getReader().read();
    leaving.abort();
    return runIdOf(response);
  }

  const ended = (id: string): boolean =>
    harness.events.some((event) => event.type === "prediction-end" && event.predictionId === id);

  it("ends at once with detach never, after its grace otherwise", async () => {
    harness.coglet.play(linger);
    for (const detach of ["never", "grace=0s"]) {
      const id = await abandon({ "x-byom-detach": detach });
      await until(`${detach} is canceled`, () => ended(id));
    }
    expect((await begin({ "x-byom-detach": "sometimes" })).status).toBe(400);
    expect((await begin({ "x-byom-detach": "grace=99999s" })).status).toBe(400);
  });

  it("goes on with detach always, until it is canceled by its id", async () => {
    harness.coglet.play(linger);
    const id = await abandon({ "x-byom-detach": "always" });
    // Four times the grace of others.
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(ended(id)).toBe(false);
    const canceled = await harness.call(`/v1/streams/${id}/cancel`, { method: "POST" });
    expect(await canceled.json()).toEqual({ id, status: "canceled" });
    expect(await read(`/v1/streams/${id}`)).toMatch(/"one ".*canceled/s);
  });
});
