// Third parties' media behind the surfaces that people use: a video as an asynchronous prediction, speech and a
// transcript through OpenAI's API.
import { setTimeout as sleep } from "node:timers/promises";

import { afterEach, describe, expect, test } from "vitest";

import type { CatalogEntry, Task } from "../../../../../gateway/catalog/entry.ts";
import { standardShape } from "../../../../../gateway/catalog/standard-schemas.ts";
import type { ProviderAdapter } from "../../../../../gateway/upstream/provider/adapter.ts";
import { assemblyai } from "../../../../../gateway/upstream/provider/adapters/assemblyai.ts";
import { inworld } from "../../../../../gateway/upstream/provider/adapters/inworld.ts";
import { vidu } from "../../../../../gateway/upstream/provider/adapters/vidu.ts";
import { json, type ProviderDouble } from "../../../../support/provider-double.ts";
import { startHarness, type Harness } from "../../harness.ts";
import { startAssemblyaiDouble } from "./doubles/assemblyai.ts";
import { startInworldDouble } from "./doubles/inworld.ts";
import { startViduDouble, viduWaiting } from "./doubles/vidu.ts";

const open: { readonly harness: Harness; readonly double: ProviderDouble }[] = [];
afterEach(async () => {
  for (const { harness, double } of open.splice(0)) {
    await harness.close();
    await double[Symbol.asyncDispose]();
  }
});

interface Served {
  readonly adapter: ProviderAdapter;
  readonly double: ProviderDouble;
  readonly model: string;
  readonly task: Task;
  /** Instead of the task's shape. */
  readonly entry?: Partial<CatalogEntry>;
}

function entryOf({ adapter, model, task, entry }: Served): CatalogEntry {
  const { isStreaming, requestFormats, inputSchema, outputSchema } = standardShape(task);
  return {
    id: `${adapter.id}/${model}`,
    description: "A third party's",
    task,
    inputSchema,
    outputSchema,
    isStreaming,
    requestFormats,
    hardware: "",
    version: 1,
    digest: `sha256:${"ef".repeat(32)}`,
    createdAt: "2026-11-01T00:00:00.000Z",
    upstreams: [{ kind: "provider", provider: adapter.id, model }],
    ...entry,
  };
}

/** A gateway with one provider, whose pauses between two looks are short. */
async function serve(served: Served): Promise<Harness> {
  const { double } = served;
  const adapter: ProviderAdapter = {
    ...served.adapter,
    run: (call) => served.adapter.run({ ...call, pause: () => call.pause(1) }),
  };
  const provider = { name: adapter.id, adapter, baseUrl: double.baseUrl, key: "test-key-123456" };
  const harness = await startHarness({
    models: [entryOf(served)],
    providers: {
      get: (name) => (name === adapter.id ? provider : undefined),
      list: () => [provider],
    },
  });
  open.push({ harness, double });
  return harness;
}

interface Prediction {
  readonly id: string;
  readonly status: string;
  readonly output: unknown;
  readonly logs: string;
  readonly error: string | null;
  readonly metrics: Readonly<Record<string, unknown>>;
}

async function settled(harness: Harness, id: string): Promise<Prediction> {
  for (;;) {
    const prediction = (await (await harness.call(`/v1/predictions/${id}`)).json()) as Prediction;
    if (!["starting", "processing"].includes(prediction.status)) return prediction;
    await sleep(5);
  }
}

describe("a video", () => {
  const path = "/v1/models/vidu/viduq3-pro/predictions";
  const start = async (): Promise<{
    readonly harness: Harness;
    readonly double: ProviderDouble;
  }> => {
    const double = await startViduDouble();
    const task = "text-to-video";
    return { double, harness: await serve({ adapter: vidu, double, model: "viduq3-pro", task }) };
  };

  test("is an asynchronous prediction whose log follows the provider's job", async () => {
    const { harness } = await start();
    const created = await harness.call(path, {
      body: { input: { prompt: "A kite", duration: 5 } },
    });
    expect(created.status).toBe(201);
    const { id, status } = (await created.json()) as Prediction;
    expect(["starting", "processing"]).toContain(status);
    const prediction = await settled(harness, id);
    expect(prediction).toMatchObject({
      status: "succeeded",
      output: ["https://prod-ss-vidu.s3.amazonaws.com/v.mp4"],
      metrics: { videos: 1, seconds: 5, credits: 8 },
    });
    expect(prediction.logs).toBe(
      ["", ": created", ": queueing", ": processing"]
        .map((said) => `job 836981282091204608${said}\n`)
        .join(""),
    );
    expect(harness.predictions.get(id)?.status).toBe("succeeded");
  });

  test("that moderation refused is a failed prediction with the provider's word", async () => {
    const { harness, double } = await start();
    const failed = { ...viduWaiting, state: "failed", err_code: "AuditSubmitIllegal" };
    double.nextAt("/tasks/{id}/creations", json(failed));
    const created = await harness.call(path, { body: { input: { prompt: "x" } } });
    const prediction = await settled(harness, ((await created.json()) as Prediction).id);
    expect(prediction.status).toBe("failed");
    expect(prediction.error).toMatch(/AuditSubmitIllegal/);
  });

  test("that is canceled is canceled at the provider too", async () => {
    const { harness, double } = await start();
    let look = (): void => undefined;
    const looked = new Promise<void>((resolve) => (look = resolve));
    const waiting = Array.from({ length: 500 }, () => json(viduWaiting));
    double.nextAt("/tasks/{id}/creations", (response) => {
      look();
      return json(viduWaiting)(response);
    });
    double.nextAt("/tasks/{id}/creations", ...waiting);
    const created = await harness.call(path, { body: { input: { prompt: "x" } } });
    const { id } = (await created.json()) as Prediction;
    await looked;
    await harness.call(`/v1/predictions/${id}/cancel`, { method: "POST" });
    expect((await settled(harness, id)).status).toBe("canceled");
    expect(double.requests.at(-1)).toMatchObject({
      method: "POST",
      path: "/ent/v2/tasks/836981282091204608/cancel",
    });
  });

  test("with an input that the provider does not have is refused before anything is paid", async () => {
    const { harness, double } = await start();
    const body = { input: { prompt: "x", fps: 60 } };
    const created = await harness.call(path, { body, headers: { prefer: "wait" } });
    const text = await created.text();
    expect(text).toMatch(/fps/);
    expect(text).toMatch(/no input for fps/);
    expect(double.requests).toEqual([]);
  });
});

test("speech answers OpenAI's audio/speech with the sound itself", async () => {
  const double = await startInworldDouble();
  const model = "inworld-tts-1.5-max";
  const harness = await serve({ adapter: inworld, double, model, task: "text-to-speech" });
  const response = await harness.call("/v1/audio/speech", {
    body: { model: `inworld/${model}`, input: "Hello", voice: "Dennis", response_format: "mp3" },
    headers: { "content-type": "application/json" },
  });
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("audio/mpeg");
  expect(Buffer.from(await response.arrayBuffer()).toString()).toBe("Hello");
  expect(double.requests[0]?.body).toMatchObject({
    voiceId: "Dennis",
    audioConfig: { audioEncoding: "MP3" },
  });
});

test("speech of a model whose entry yields pieces is heard piece by piece, and is one sound", async () => {
  const double = await startInworldDouble();
  const model = "inworld-tts-1.5-mini";
  const outputSchema = {
    type: "array",
    items: { type: "string", format: "uri" },
    "x-cog-array-type": "iterator",
  };
  const entry = { isStreaming: true, outputSchema };
  const task = "text-to-speech";
  const harness = await serve({ adapter: inworld, double, model, task, entry });
  const response = await harness.call("/v1/audio/speech", {
    body: { model: `inworld/${model}`, input: "Hello there you", voice: "alloy" },
    headers: { "content-type": "application/json" },
  });
  expect(response.headers.get("content-type")).toBe("audio/mpeg");
  expect(Buffer.from(await response.arrayBuffer()).toString()).toBe("Hello there you");
  expect(double.requests[0]).toMatchObject({
    path: "/tts/v1/voice:stream",
    body: { voiceId: "Ashley" },
  });
});

test("a recording sent to OpenAI's audio/transcriptions is uploaded, transcribed and answered", async () => {
  const double = await startAssemblyaiDouble();
  const model = "universal-3-5-pro";
  const task = "automatic-speech-recognition";
  const harness = await serve({ adapter: assemblyai, double, model, task });
  const form = new FormData();
  form.set("model", `assemblyai/${model}`);
  form.set("file", new Blob(["RIFF"], { type: "audio/wav" }), "a.wav");
  form.set("response_format", "verbose_json");
  form.set("timestamp_granularities[]", "word");
  const response = await fetch(`${harness.url}/v1/audio/transcriptions`, {
    method: "POST",
    headers: { authorization: "Bearer byom_call_key" },
    body: form,
  });
  expect(response.status).toBe(200);
  expect(await response.json()).toMatchObject({
    text: "The sun",
    duration: 7,
    words: [
      { word: "The", start: 0.032, end: 0.129 },
      { word: "sun", start: 0.129, end: 0.404 },
    ],
  });
  expect(double.requests[0]).toMatchObject({ path: "/v2/upload", body: Buffer.from("RIFF") });
});
