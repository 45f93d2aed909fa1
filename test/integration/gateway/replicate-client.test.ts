import Replicate, { validateWebhook } from "replicate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Play } from "../../unit/gateway/fake-coglet.ts";
import {
  callKey,
  chatModel,
  ocrModel,
  startHarness,
  until,
  type Harness,
} from "../../unit/gateway/harness.ts";
import { startReceiver } from "../../unit/gateway/webhook/receiver.ts";

// Replicate's own client as it is published, against byom. An app that uses it changes its base URL and nothing else.

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ allowedHosts: ["127.0.0.1"], webhookLimits: { intervalMs: 20 } });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const client = (options: ConstructorParameters<typeof Replicate>[0] = {}): Replicate =>
  new Replicate({ auth: callKey, baseUrl: `${harness.url}/v1`, useFileOutput: false, ...options });
const speak: Play = async (prediction) => {
  prediction.start();
  await prediction.event("log", { data: "50%|#####     | 5/10\n", source: "stderr" });
  for (const word of ["one ", "two"]) await prediction.output(word);
  prediction.complete({ logs: "50%|#####     | 5/10\n" });
};
const waitForCancel: Play = async (prediction) => {
  prediction.start();
  await prediction.canceled;
  prediction.complete({ status: "canceled" });
};
const input = { prompt: "count" };
const version = "ab".repeat(32);

describe("run()", () => {
  it("returns the output of a model and of a pinned version, in each way of waiting", async () => {
    harness.coglet.play(speak);
    const seen: string[] = [];
    for (const wait of [{ mode: "block" }, { mode: "poll", interval: 20 }] as const) {
      const run = client().run("acme/chat", { input, wait }, ({ status }) => seen.push(status));
      expect(await run).toEqual(["one ", "two"]);
    }
    expect(await client().run(`acme/chat:${version}`, { input })).toEqual(["one ", "two"]);
    expect(seen).toContain("succeeded");
    expect(harness.upstream.acquired.map((one) => one.version)).toEqual([undefined, undefined, 3]);
  });

  it("throws what the model says when it fails, and what is wrong with an input", async () => {
    harness.coglet.play((prediction) => {
      prediction.start();
      prediction.complete({ status: "failed", error: "out of memory" });
    });
    await expect(client().run("acme/chat", { input })).rejects.toThrow("out of memory");
    const wrong = client().run("acme/chat", { input: { prompt: 7 } });
    await expect(wrong).rejects.toThrow(/422.*input\.prompt: must be a string/s);
    await expect(client().run("acme/none", { input })).rejects.toThrow(/404.*Not found/s);
    await expect(client({ auth: "wrong" }).run("acme/chat", { input })).rejects.toThrow(/401/);
  });

  it("cancels when its signal aborts", async () => {
    harness.coglet.play(waitForCancel);
    const stop = new AbortController();
    const run = client().run("acme/chat", {
      input,
      wait: { mode: "poll", interval: 20 },
      signal: stop.signal,
    });
    await until("it runs", () => harness.coglet.predictions.length === 1);
    stop.abort();
    await run.catch(() => undefined);
    // The client's own cancel goes out with the aborted signal in some versions: then nobody asked.
    await client().predictions.cancel([...harness.predictions.records.keys()][0] ?? "");
    await until("it is canceled", () => harness.predictions.unfinished().length === 0);
  });
});

describe("stream()", () => {
  it("yields the output as it comes, and the end", async () => {
    harness.coglet.play(speak);
    const events: string[] = [];
    for await (const { event, data } of client().stream("acme/chat", { input })) {
      events.push(`${event} ${data}`);
    }
    expect(events).toEqual(["output one ", "output two", "done {}"]);
  });

  it("throws when the model fails in the middle", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      prediction.complete({ status: "failed", error: "it broke" });
    });
    const read = async (): Promise<void> => {
      for await (const { event } of client().stream("acme/chat", { input })) {
        expect(event).toBe("output");
      }
    };
    await expect(read()).rejects.toThrow("it broke");
  });
});

describe("predictions", () => {
  it("are created, waited for, got, and listed page by page", async () => {
    harness.coglet.play(speak);
    for (let count = 0; count < 102; count += 1) {
      await client().predictions.create({ version, input, wait: true });
    }
    const pages: number[] = [];
    const ids = new Set<string>();
    const { predictions } = client();
    for await (const page of client().paginate(() => predictions.list())) {
      pages.push(page.length);
      for (const { id } of page) ids.add(id);
    }
    expect([pages, ids.size]).toEqual([[100, 2], 102]);
    const [id = ""] = ids;
    expect(await client().predictions.get(id)).toMatchObject({
      status: "succeeded",
      source: "api",
      version,
      logs: expect.stringContaining("5/10"),
    });
  });

  it("are canceled while they wait and while they run", async () => {
    harness.coglet.play(waitForCancel);
    const running = await client().predictions.create({ model: "acme/chat", input });
    await until("it runs", () => harness.coglet.predictions.length === 1);
    expect((await client().predictions.cancel(running.id)).status).toBe("canceled");
    expect((await client().predictions.cancel(running.id)).status).toBe("canceled");
  });
});

describe("webhooks", () => {
  it("are validated by the client with the secret that it fetches", async () => {
    await using receiver = await startReceiver();
    harness.coglet.play(speak);
    const { id } = await client().predictions.create({
      model: "acme/chat",
      input,
      webhook: receiver.url,
      webhook_events_filter: ["completed"],
    });
    await until("it is told", () => receiver.deliveries.length === 1);
    const [delivery] = receiver.deliveries;
    const { key } = await client().webhooks.default.secret.get();
    const request = (body: string): Request =>
      new Request("https://app.example.com/hook", {
        method: "POST",
        headers: Object.entries(delivery?.headers ?? {}).map(([name, value]) => [
          name,
          String(value),
        ]),
        body,
      });
    expect(await validateWebhook(request(delivery?.body ?? ""), key)).toBe(true);
    expect(await validateWebhook(request('{"status":"succeeded"}'), key)).toBe(false);
    expect(delivery?.told).toMatchObject({ id, status: "succeeded", output: ["one ", "two"] });
  });
});

describe("files", () => {
  it("are created with metadata, got, listed, used as an input, and deleted", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: prediction.input["image"] }));
    const { files } = client();
    const file = await files.create(new Blob(["PNG"], { type: "image/png" }), { page: 1 });
    expect(file).toMatchObject({ content_type: "image/png", size: 3, metadata: { page: 1 } });
    expect(await files.get(file.id)).toEqual(file);
    expect((await files.list()).results).toEqual([file]);
    const output = await client().run("acme/ocr", { input: { image: file.urls.get } });
    expect(output).toBe(`data:image/png;base64,${Buffer.from("PNG").toString("base64")}`);
    expect(await files.delete(file.id)).toBe(true);
    await expect(files.get(file.id)).rejects.toThrow(/404/);
  });

  it("of an output are URLs that the client can fetch without a key", async () => {
    const bytes = Buffer.alloc(6_000, 3);
    harness.coglet.play((prediction) =>
      prediction.complete({ output: `data:image/webp;base64,${bytes.toString("base64")}` }),
    );
    const url: unknown = await client().run("acme/ocr", { input: { image: "data:,x" } });
    const response = await fetch(url as string);
    expect(response.headers.get("content-type")).toBe("image/webp");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(bytes);
  });
});

describe("models, deployments and the account", () => {
  it("are described", async () => {
    const model = await client().models.get("acme", "chat");
    expect(model).toMatchObject({ owner: "acme", name: "chat", latest_version: { id: version } });
    const { versions } = client().models;
    expect((await versions.list("acme", "chat")) as unknown).toMatchObject({
      results: [{ id: version }],
    });
    expect(await versions.get("acme", "chat", version)).toMatchObject({ id: version });
    expect((await client().models.list()).results.map(({ name }) => name)).toEqual(["chat", "ocr"]);
    expect((await client().models.search("images")).results.map(({ name }) => name)).toEqual([
      "ocr",
    ]);
    expect(await client().accounts.current()).toMatchObject({
      type: "organization",
      username: "byom",
    });
    expect(await client().hardware.list()).toEqual([{ sku: "cpu", name: "CPU" }]);
    expect((await client().collections.list()).results).toEqual([]);
  });

  it("are called by a deployment's name", async () => {
    harness.coglet.play(speak);
    const made = await client().deployments.predictions.create("acme", "chat", { input, wait: 5 });
    expect(made).toMatchObject({ status: "succeeded", deployment: "acme/chat" });
    expect(await client().deployments.get("acme", "chat")).toMatchObject({
      owner: "acme",
      current_release: { model: chatModel.id, configuration: { hardware: "cpu" } },
    });
    const { results } = await client().deployments.list();
    expect(results.map(({ current_release: { model } }) => model)).toEqual([
      chatModel.id,
      ocrModel.id,
    ]);
    const change = client().deployments.update("acme", "chat", { min_instances: 1 });
    await expect(change).rejects.toThrow(/403.*may not change deployments/s);
  });
});
