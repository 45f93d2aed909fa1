import { afterEach, beforeEach, describe, expect, it } from "vitest";

import type { Deployments } from "../../../../gateway/index.ts";
import { cancelAfterMs } from "../../../../gateway/surface/replicate/duration.ts";
import type { Play } from "../fake-coglet.ts";
import {
  chatModel,
  MemoryPredictions,
  ocrModel,
  startHarness,
  until,
  type Harness,
} from "../harness.ts";

// The parts of Replicate's API beside a plain prediction. An app that uses one of them and finds it missing or half
// there has to be rewritten before it can move.

const gpt = {
  ...chatModel,
  id: "@cf/openai/gpt-oss",
  description: "Somebody else's model",
  upstreams: [{ kind: "provider", provider: "none", model: "gpt" }],
} as const;

let harness: Harness;
beforeEach(async () => {
  harness = await startHarness({ models: [chatModel, ocrModel, gpt] });
});
afterEach(async () => {
  await harness.close();
  expect(harness.coglet.faults).toEqual([]);
});

const path = "/v1/models/acme/chat/predictions";
const create = { body: { input: { prompt: "x" } } };
const say: Play = async (prediction) => {
  prediction.start();
  await prediction.output("a");
  prediction.complete();
};
const json = async (where: string, options?: Parameters<Harness["call"]>[1]): Promise<unknown> =>
  await (await harness.call(where, options)).json();
const never = (_model: string, signal: AbortSignal): Promise<void> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error));
  });

describe("PUT with an id", () => {
  const put = (id: string, body: unknown = { version: "acme/chat", ...create.body }) =>
    harness.call(`/v1/predictions/${id}`, { method: "PUT", body, headers: { prefer: "wait" } });

  it("runs once, however often it is sent, also after a restart", async () => {
    harness.coglet.play(say);
    const first = await put("job-1");
    expect([first.status, await first.json()]).toMatchObject([
      201,
      { id: "job-1", status: "succeeded" },
    ]);
    const second = await put("job-1");
    expect([second.status, await second.json()]).toMatchObject([
      200,
      { status: "succeeded", output: ["a"] },
    ]);
    const predictions = new MemoryPredictions();
    predictions.insert(harness.predictions.get("job-1") ?? (undefined as never));
    await harness.close();
    harness = await startHarness({ predictions });
    const third = await put("job-1");
    expect([third.status, await third.json()]).toMatchObject([200, { output: ["a"] }]);
    expect(harness.coglet.predictions).toEqual([]);
  });

  it("at the same moment is one prediction", async () => {
    harness.coglet.play(say);
    const answers = await Promise.all([put("twice"), put("twice"), put("twice")]);
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 200, 201]);
    expect(harness.coglet.predictions).toHaveLength(1);
  });

  it("of another request is refused", async () => {
    harness.coglet.play(say);
    await put("job-1");
    for (const body of [
      { version: "acme/chat", input: { prompt: "y" } },
      { version: "acme/chat:3", input: { prompt: "x" } },
      { version: "acme/ocr", input: { image: "data:,x" } },
    ]) {
      const response = await put("job-1", body);
      expect([response.status, await response.json()]).toMatchObject([409, { title: "Conflict" }]);
    }
    expect((await put("a b")).status).toBe(422);
  });
});

describe("Cancel-After", () => {
  it.each([
    ["30", 30_000],
    ["30s", 30_000],
    ["1m", 60_000],
    ["1h30m45s", 5_445_000],
    ["  2M ", 120_000],
    [undefined, undefined],
  ])("%j is %j ms", (header, ms) => expect(cancelAfterMs(header)).toBe(ms));

  it.each(["", "4s", "0", "1 m", "-5s", "m", "1d", "5.5s", "1s1m"])("%j is refused", (header) => {
    expect(() => cancelAfterMs(header)).toThrow("Cancel-After");
  });

  it("aborts what has not begun and cancels what has, also when the platform was down at that time", async () => {
    const predictions = new MemoryPredictions();
    const deadline = "2026-11-23T11:59:00.000Z";
    const record = {
      model: "acme/chat",
      version: 3,
      logs: "",
      metrics: {},
      input: { prompt: "x" },
    };
    const createdAt = "2026-11-23T11:00:00.000Z";
    predictions.insert({ ...record, id: "late", status: "starting", createdAt, deadline });
    await harness.close();
    harness = await startHarness({ predictions });
    harness.gateway.recover();
    await until("it is over", () => predictions.get("late")?.status === "aborted");
    expect(harness.upstream.acquired).toEqual([]);

    const headers = { "cancel-after": "5s" };
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    const running = (await json(path, { ...create, headers })) as { id: string; deadline: string };
    expect(running.deadline).toBe("2026-11-23T12:00:05.000Z");
    await until("it runs", () => predictions.get(running.id)?.status === "processing");
    harness.upstream.gate = never;
    const waiting = (await json(path, { ...create, headers })) as { id: string };
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    await until("both are over", () => predictions.unfinished().length === 0);
    expect(predictions.get(running.id)?.status).toBe("canceled");
    expect(predictions.get(waiting.id)).toMatchObject({
      status: "aborted",
      error: "The deadline passed before the prediction began.",
    });
  });
});

describe("after kill -9", () => {
  it("a waiting prediction runs as it was asked for: its version, its context, its metadata", async () => {
    const predictions = new MemoryPredictions();
    predictions.insert({
      id: "waiting",
      model: "acme/chat",
      version: 3,
      pinnedVersion: 3,
      status: "starting",
      input: { prompt: "x" },
      context: { tenant: "t" },
      metadata: { team: "blue" },
      logs: "",
      metrics: {},
      createdAt: "2026-11-23T11:00:00.000Z",
    });
    await harness.close();
    harness = await startHarness({ predictions });
    harness.coglet.play(say);
    harness.gateway.recover();
    await until("it has run", () => predictions.get("waiting")?.status === "succeeded");
    expect(harness.upstream.acquired).toEqual([{ modelId: "acme/chat", version: 3 }]);
    expect(harness.coglet.predictions[0]?.body).toMatchObject({ context: { tenant: "t" } });
    expect(predictions.get("waiting")).toMatchObject({
      pinnedVersion: 3,
      metadata: { team: "blue" },
    });
  });
});

describe("models and deployments", () => {
  it("with more than two parts in their names are found by their paths", async () => {
    const model = (await json("/v1/models/@cf/openai/gpt-oss")) as { owner: string; name: string };
    expect(model).toMatchObject({ owner: "@cf/openai", name: "gpt-oss" });
    expect(await json("/v1/models/@cf/openai/gpt-oss/versions")).toMatchObject({
      results: [{ openapi_schema: { openapi: "3.0.2" } }],
    });
    const answer = await json("/v1/models/@cf/openai/gpt-oss/predictions", {
      ...create,
      headers: { prefer: "wait" },
    });
    expect(answer).toMatchObject({ model: "@cf/openai/gpt-oss", status: "failed" });
    expect(await json("/models/@cf/openai/gpt-oss/openapi.json")).toMatchObject({
      info: { title: "@cf/openai/gpt-oss" },
    });
  });

  it("are searched by words", async () => {
    const search = async (query: string): Promise<unknown[]> => {
      const found = (await json("/v1/models", { method: "QUERY", body: query })) as {
        results: { name: string }[];
      };
      return found.results.map(({ name }) => name);
    };
    expect(await search("reads text")).toEqual(["ocr"]);
    expect(await search('"OCR"')).toEqual(["ocr"]);
    expect(await search("model")).toEqual(["chat", "gpt-oss"]);
    expect(await search("nothing like it")).toEqual([]);
  });

  it("are called as deployments, when they are", async () => {
    harness.coglet.play(say);
    const made = await json("/v1/deployments/acme/chat/predictions", {
      ...create,
      headers: { prefer: "wait" },
    });
    expect(made).toMatchObject({ deployment: "acme/chat", status: "succeeded" });
    expect((await harness.call("/v1/deployments/@cf/openai/gpt-oss")).status).toBe(404);
    expect(await json("/v1/deployments")).toMatchObject({
      results: [{ name: "chat" }, { name: "ocr" }],
    });
  });

  it("are changed by a key that may deploy, and by nobody else", async () => {
    const changes: unknown[] = [];
    const deployments: Deployments = {
      get: () => ({
        release: 4,
        version: 3,
        minInstances: 1,
        maxInstances: 2,
        changedAt: "2026-11-02T00:00:00.000Z",
      }),
      change: async (modelId, change) => void changes.push([modelId, change]),
      remove: async (modelId) => void changes.push([modelId, "removed"]),
    };
    const patch = { method: "PATCH", body: { min_instances: 0, version: "ab".repeat(32) } };
    await harness.close();
    harness = await startHarness({ deployments });
    expect((await harness.call("/v1/deployments/acme/chat", patch)).status).toBe(403);
    await harness.close();
    harness = await startHarness({
      deployments,
      key: { id: "k", name: "admin", scopes: ["admin"] },
    });
    expect(await json("/v1/deployments/acme/chat", patch)).toMatchObject({
      current_release: { number: 4, configuration: { min_instances: 1, max_instances: 2 } },
    });
    const wrong = { method: "PATCH", body: { max_instances: -1 } };
    expect((await harness.call("/v1/deployments/acme/chat", wrong)).status).toBe(422);
    const removal = await harness.call("/v1/deployments/acme/chat", { method: "DELETE" });
    expect(removal.status).toBe(204);
    expect(changes).toEqual([
      ["acme/chat", { version: 3, minInstances: 0 }],
      ["acme/chat", "removed"],
    ]);
  });

  it.each<[string, string, number]>([
    ["POST", "/v1/models", 422],
    ["POST", "/v1/deployments", 422],
    ["DELETE", `/v1/models/acme/chat/versions/${"ab".repeat(32)}`, 422],
    ["POST", "/v1/trainings", 422],
    ["GET", "/v1/trainings/x", 404],
    ["GET", "/v1/collections/super-resolution", 404],
    ["GET", "/v1/account/x", 404],
    ["DELETE", "/v1/account", 405],
    ["GET", "/v1/webhooks/default", 404],
  ])("%s %s is refused with a reason", async (method, where, status) => {
    const response = await harness.call(where, {
      method,
      ...(method === "POST" ? { body: {} } : {}),
    });
    expect([response.status, await response.json()]).toEqual([
      status,
      { title: expect.any(String), detail: expect.stringMatching(/.{12}/), status },
    ]);
  });
});

describe("files", () => {
  it("of an output come as URLs that need no key, in the prediction, its stream and its record", async () => {
    const image = `data:image/png;base64,${Buffer.alloc(9_000, 5).toString("base64")}`;
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output(image);
      prediction.complete();
    });
    const made = (await json(path, { ...create, headers: { prefer: "wait" } })) as {
      output: string[];
      urls: { stream: string };
    };
    const [url = ""] = made.output;
    const response = await fetch(url);
    expect(response.headers.get("content-type")).toBe("image/png");
    expect(response.headers.get("content-security-policy")).toContain("sandbox");
    expect(Buffer.from(await response.arrayBuffer())).toEqual(Buffer.alloc(9_000, 5));
    expect((await fetch(url.replace(/.$/, "A-"))).status).toBe(401);
    expect((await fetch(url.split("?")[0] ?? "")).status).toBe(401);
    expect(JSON.stringify([...harness.predictions.records.values()])).not.toContain(image);
    const stream = await (await fetch(made.urls.stream)).text();
    expect(stream).toContain(`data: ${url.split("?")[0]}?expires=`);
    expect(stream).not.toContain("base64");
  });

  it("of one key are not another narrow key's", async () => {
    const form = new FormData();
    form.append("content", new Blob(["secret"]), "a.txt");
    const upload = await fetch(`${harness.url}/v1/files`, {
      method: "POST",
      body: form,
      headers: { authorization: "Bearer byom_call_key" },
    });
    const file = (await upload.json()) as { id: string; urls: { get: string }; checksums: unknown };
    expect(file.checksums).toEqual({ sha256: expect.stringMatching(/^2bb80d53/) });
    const { directory } = harness;
    const other = await startHarness({
      directory,
      key: { id: "key-9", name: "narrow", scopes: ["call"], models: ["acme/ocr"] },
    });
    expect((await other.call(`/v1/files/${file.id}`)).status).toBe(404);
    expect((await other.call(`/v1/files/${file.id}/content`)).status).toBe(404);
    expect((await other.call(`/v1/files/${file.id}`, { method: "DELETE" })).status).toBe(404);
    expect(await (await other.call("/v1/files")).json()).toMatchObject({ results: [] });
    await other.close();
  });
});
