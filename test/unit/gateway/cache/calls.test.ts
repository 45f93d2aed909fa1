import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { ProviderDouble } from "../../../support/provider-double.ts";
import type { Play } from "../fake-coglet.ts";
import { chatModel, startHarness, until, type Harness } from "../harness.ts";
import { kimiDirect, moonshotProviders, startMoonshot } from "../third-party.ts";

let harness: Harness;
let moonshot: ProviderDouble;

beforeEach(async () => {
  moonshot = await startMoonshot();
  harness = await startHarness({
    models: [chatModel, kimiDirect],
    providers: moonshotProviders(moonshot),
  });
});

afterEach(async () => {
  await harness.close();
  await moonshot.close();
  moonshot.verify();
  expect(harness.coglet.faults).toEqual([]);
});

const ttl = { "cf-aig-cache-ttl": "60" };

/** Says two words, the second one different for each prediction. */
function sayCounted(): void {
  let said = 0;
  harness.coglet.play((prediction) => {
    said += 1;
    if (prediction.isStreaming) {
      prediction.start();
      void prediction.output("Hello ");
      void prediction.output(`no. ${said}`);
      prediction.complete();
    } else prediction.complete({ output: ["Hello ", `no. ${said}`] });
  });
}

const sayFine: Play = (prediction) => {
  prediction.start();
  void prediction.output("fine");
  prediction.complete();
};

const greeting = { model: "acme/chat", messages: [{ role: "user", content: "Hi" }] };

const chat = (
  fields: Record<string, unknown> = {},
  headers: Record<string, string> = ttl,
  signal?: AbortSignal,
): Promise<Response> =>
  harness.call("/v1/chat/completions", {
    body: { ...greeting, ...fields },
    headers,
    ...(signal !== undefined && { signal }),
  });

async function textOf(response: Response): Promise<string> {
  const body = (await response.json()) as { choices: { message: { content: string } }[] };
  return body.choices.map(({ message }) => message.content).join("|");
}

function streamed(text: string): string {
  return text
    .split("\n\n")
    .filter((frame) => frame.startsWith("data: {"))
    .map((frame) => JSON.parse(frame.slice(6)) as { choices: { delta: { content?: string } }[] })
    .map(({ choices }) => choices[0]?.delta.content ?? "")
    .join("");
}

describe("a call of a model of one's own", () => {
  test("that was answered is answered from the cache, costs nothing and says so", async () => {
    sayCounted();
    const first = await chat();
    expect(first.headers.get("cf-aig-cache-status")).toBe("MISS");
    expect(await textOf(first)).toBe("Hello no. 1");
    const second = await chat();
    expect(second.headers.get("cf-aig-cache-status")).toBe("HIT");
    expect(second.headers.get("age")).toBe("0");
    expect(second.headers.get("x-byom-legs")).toMatch(/^0;.*state=cached.*;usd=0$/);
    expect(second.headers.get("x-byom-prediction")).not.toBe(
      first.headers.get("x-byom-prediction"),
    );
    expect(await textOf(second)).toBe("Hello no. 1");
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  test("is streamed from what was stored whole, and the other way round", async () => {
    sayCounted();
    await (await chat()).text();
    const again = await chat({ stream: true });
    expect(again.headers.get("cf-aig-cache-status")).toBe("HIT");
    const text = await again.text();
    expect(streamed(text)).toBe("Hello no. 1");
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    const other = { messages: [{ role: "user", content: "Other" }] };
    await (await chat({ ...other, stream: true })).text();
    expect(await textOf(await chat(other))).toBe("Hello no. 2");
    expect(harness.coglet.predictions).toHaveLength(2);
  });

  test("of another surface shares the answer, when the input is the same", async () => {
    sayCounted();
    const options = { body: { input: { prompt: "Hi" } }, headers: { ...ttl, prefer: "wait" } };
    await (await harness.call("/v1/models/acme/chat/predictions", options)).json();
    const body = { model: "acme/chat", prompt: "Hi" };
    const ai = await harness.call("/client/v4/accounts/a/ai/run/acme/chat", { body, headers: ttl });
    expect(ai.status).toBe(200);
    const again = await harness.call("/v1/models/acme/chat/predictions", options);
    expect(again.headers.get("cf-aig-cache-status")).toBe("HIT");
    expect(await again.json()).toMatchObject({ status: "succeeded", output: ["Hello ", "no. 1"] });
  });

  test("is not cached unless somebody says so, and not when the caller wants it fresh", async () => {
    sayCounted();
    expect((await chat({}, {})).headers.get("cf-aig-cache-status")).toBeNull();
    await (await chat()).text();
    expect(await textOf(await chat({}, { ...ttl, "cf-aig-skip-cache": "true" }))).toBe(
      "Hello no. 3",
    );
    expect(await textOf(await chat({}, {}))).toBe("Hello no. 4");
    expect(await textOf(await chat())).toBe("Hello no. 2");
  });

  test("is another one with another input; a key of the caller's own stands for the input", async () => {
    sayCounted();
    expect(await textOf(await chat({ temperature: 0.1 }))).toBe("Hello no. 1");
    expect(await textOf(await chat({ temperature: 0.2 }))).toBe("Hello no. 2");
    const named = { "cf-aig-cache-key": "greeting" };
    expect(await textOf(await chat({ temperature: 0.3 }, named))).toBe("Hello no. 3");
    expect(await textOf(await chat({ temperature: 0.4 }, named))).toBe("Hello no. 3");
  });

  test("with two choices gets two answers, and the same two again", async () => {
    sayCounted();
    const body = { model: "acme/chat", prompt: ["Hi", "Hi"] };
    const ask = async (): Promise<readonly string[]> => {
      const response = await harness.call("/v1/completions", { body, headers: ttl });
      const { choices } = (await response.json()) as { choices: { text: string }[] };
      return choices.map(({ text }) => text);
    };
    const first = await ask();
    expect(first.toSorted()).toEqual(["Hello no. 1", "Hello no. 2"]);
    expect(await ask()).toEqual(first);
    expect(harness.coglet.predictions).toHaveLength(2);
  });

  test("that fails is not stored", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "no luck", output: null });
    }, sayFine);
    const first = await chat();
    expect(first.status).toBeGreaterThanOrEqual(500);
    await first.text();
    expect(await textOf(await chat())).toBe("fine");
  });

  test("with a time or a key out of bounds is refused, naming the header", async () => {
    for (const [name, value] of [
      ["cf-aig-cache-ttl", "59"],
      ["cf-aig-cache-ttl", "99999999"],
      ["cf-aig-cache-key", "x".repeat(1_025)],
    ] as const) {
      const response = await chat({}, { [name]: value });
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({
        error: { message: expect.stringContaining(name) },
      });
    }
  });

  test("from the cache can be read again by its own id, byte for byte", async () => {
    sayCounted();
    await (await chat({ stream: true })).text();
    const hit = await chat({ stream: true });
    const id = hit.headers.get("cf-aig-run-id") ?? "";
    const whole = await hit.text();
    const resumed = await harness.call(`/ai-gateway/gateways/g/run/${id}/resume?from=1`);
    expect(whole.endsWith(await resumed.text())).toBe(true);
    expect(harness.coglet.predictions).toHaveLength(1);
  });
});

describe("a data directory that a former gateway has left", () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-cache-"));
    const former = await startHarness({ models: [chatModel], directory });
    former.coglet.play(sayFine);
    const response = await former.call("/v1/chat/completions", { body: greeting, headers: ttl });
    await response.text();
    await former.close();
  });

  afterEach(() => rm(directory, { recursive: true, force: true }));

  test("still answers what was answered", async () => {
    const latter = await startHarness({ models: [chatModel], directory });
    try {
      const response = await latter.call("/v1/chat/completions", { body: greeting, headers: ttl });
      expect(response.headers.get("cf-aig-cache-status")).toBe("HIT");
      expect(await textOf(response)).toBe("fine");
      expect(latter.coglet.predictions).toHaveLength(0);
    } finally {
      await latter.close();
    }
  });

  test("does not answer a key that may call other models, nor a new image of the model", async () => {
    const key = { id: "key-9", name: "other", scopes: ["call"], models: ["acme/*"] } as const;
    const changed = { ...chatModel, digest: `sha256:${"99".repeat(32)}` };
    for (const options of [{ models: [chatModel], key }, { models: [changed] }]) {
      const latter = await startHarness({ ...options, directory });
      try {
        latter.coglet.play(sayFine);
        const response = await latter.call("/v1/chat/completions", {
          body: greeting,
          headers: ttl,
        });
        expect(response.headers.get("cf-aig-cache-status")).toBe("MISS");
        expect(await textOf(response)).toBe("fine");
      } finally {
        await latter.close();
      }
    }
  });
});

describe("calls of one kind at the same time", () => {
  test("are one call upstream, with an answer for each", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      void prediction.output("one ");
      await go.promise;
      void prediction.output("answer");
      prediction.complete();
    });
    const calls = Array.from({ length: 20 }, (_, index) => chat({ stream: index % 2 === 0 }));
    await until("the first one is there", () => harness.coglet.predictions.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    go.resolve();
    const responses = await Promise.all(calls);
    const states = responses.map(({ headers }) => headers.get("cf-aig-cache-status"));
    expect(states.filter((state) => state === "MISS")).toHaveLength(1);
    // On a busy machine the last ones may come when it is over.
    const others = states.filter((state) => state !== "MISS");
    expect(others.filter((state) => state !== "JOINED" && state !== "HIT")).toEqual([]);
    expect(others).toContain("JOINED");
    const texts = await Promise.all(
      responses.map(async (response, index) =>
        index % 2 === 0 ? streamed(await response.text()) : await textOf(response),
      ),
    );
    expect(new Set(texts)).toEqual(new Set(["one answer"]));
    expect(harness.coglet.predictions).toHaveLength(1);
    expect((await chat()).headers.get("cf-aig-cache-status")).toBe("HIT");
  });

  test("go on when the first caller leaves, and end when the last one has", async () => {
    harness.coglet.play((prediction) => prediction.start());
    const first = new AbortController();
    const second = new AbortController();
    const one = chat({ stream: true }, ttl, first.signal).catch(() => undefined);
    await until("it is sent", () => harness.coglet.predictions.length === 1);
    const two = chat({ stream: true }, ttl, second.signal).catch(() => undefined);
    const [prediction] = harness.coglet.predictions;
    let isCanceled = false;
    void prediction?.canceled.then(() => (isCanceled = true));
    await new Promise((resolve) => setTimeout(resolve, 50));
    first.abort();
    await one;
    // Twice the grace of a caller who is gone.
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(isCanceled).toBe(false);
    second.abort();
    await two;
    await until("the model is asked to stop", () => isCanceled);
    prediction?.complete({ status: "canceled" });
  });

  test("share a failure of the model, and the next call tries again", async () => {
    const go = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await go.promise;
      prediction.complete({ status: "failed", error: "no luck", output: null });
    }, sayFine);
    const calls = [chat(), chat(), chat()];
    await until("it is sent", () => harness.coglet.predictions.length === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    go.resolve();
    for (const call of calls) {
      const response = await call;
      expect(response.status).toBeGreaterThanOrEqual(500);
      expect(await response.text()).toContain("no luck");
    }
    expect(await textOf(await chat())).toBe("fine");
    expect(harness.coglet.predictions).toHaveLength(2);
  });

  test("of which the first is canceled before it said anything: another takes its place", async () => {
    const stop = Promise.withResolvers<void>();
    harness.coglet.play(
      async (prediction) => {
        prediction.start();
        await prediction.canceled;
        stop.resolve();
        prediction.complete({ status: "canceled" });
      },
      (prediction) => {
        prediction.start();
        void prediction.output("second try");
        prediction.complete();
      },
    );
    const recorded = await harness.call("/v1/models/acme/chat/predictions", {
      body: { input: { prompt: "user: Hi" } },
      headers: { "cf-aig-cache-key": "k" },
    });
    const { id } = (await recorded.json()) as { id: string };
    await until("it is sent", () => harness.coglet.predictions.length === 1);
    const joined = chat({ stream: true }, { "cf-aig-cache-key": "k" });
    await new Promise((resolve) => setTimeout(resolve, 50));
    await harness.call(`/v1/predictions/${id}/cancel`, { method: "POST", body: {} });
    await stop.promise;
    const response = await joined;
    expect(streamed(await response.text())).toBe("second try");
    expect(response.headers.get("cf-aig-cache-status")).toBe("MISS");
  });
});

describe("a call that passes through to a provider", () => {
  const pass = (fields: Record<string, unknown> = {}, headers: Record<string, string> = ttl) =>
    harness.call("/v1/chat/completions", {
      body: { model: kimiDirect.id, messages: [{ role: "user", content: "Hi" }], ...fields },
      headers,
    });

  test("is answered again with the provider's own bytes, without asking it", async () => {
    const first = await pass();
    expect(first.headers.get("cf-aig-cache-status")).toBe("MISS");
    const second = await pass();
    expect(second.headers.get("cf-aig-cache-status")).toBe("HIT");
    expect(await second.text()).toBe(await first.text());
    expect(moonshot.requests).toHaveLength(1);
  });

  test("is streamed again byte for byte; a stream and a whole answer are two", async () => {
    const first = await (await pass({ stream: true })).text();
    const again = await pass({ stream: true });
    expect(again.headers.get("cf-aig-cache-status")).toBe("HIT");
    expect(await again.text()).toBe(first);
    expect((await pass()).headers.get("cf-aig-cache-status")).toBe("MISS");
    expect(moonshot.requests).toHaveLength(2);
  });

  test("of callers with different provider keys of their own are different calls", async () => {
    await (await pass()).text();
    const response = await pass({}, { ...ttl, "x-byom-provider-key": "sk-moonshot" });
    expect(response.headers.get("cf-aig-cache-status")).toBe("MISS");
    expect(moonshot.requests).toHaveLength(2);
  });
});

describe("AI.run of a Worker", () => {
  test("is cached as its options say, and fresh when they say so", async () => {
    sayCounted();
    const run = async (gateway: Record<string, unknown>): Promise<unknown> => {
      const response = await harness.call("/run?version=3", {
        body: { inputs: { prompt: "Hi" }, options: { gateway: { id: "g", ...gateway } } },
        headers: { "content-type": "application/json", "cf-consn-model-id": "acme/chat" },
      });
      const { response: text } = (await response.json()) as { response: string };
      return [response.headers.get("cf-aig-cache-status"), text];
    };
    expect(await run({ cacheTtl: 60 })).toEqual(["MISS", "Hello no. 1"]);
    expect(await run({ cacheTtl: 60 })).toEqual(["HIT", "Hello no. 1"]);
    expect(await run({ cacheTtl: 60, skipCache: true })).toEqual(["MISS", "Hello no. 2"]);
    expect(await run({ cacheKey: "mine" })).toEqual(["MISS", "Hello no. 3"]);
    expect(await run({ cacheKey: "mine" })).toEqual(["HIT", "Hello no. 3"]);
  });
});
