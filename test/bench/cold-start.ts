// How long a caller of a model at zero waits for the first answer: cold, restored from the memory snapshot, resumed
// from pause. The baseline is a cold start of the same version by the same platform, with a warm page cache; beside it
// stands an empty `docker start`, which no container start can beat. Every round runs all of them once.
import { execFileSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import Docker from "dockerode";
import { createByom, type Byom } from "../support/byom.ts";
import { median, measured, type Row } from "./report.ts";
import type { Benchmark } from "./run.ts";

const rounds = 5;

interface Model {
  readonly id: string;
  readonly name: string;
  /** A template, or a fixture's folder. */
  readonly source: string;
  readonly input: () => Promise<Record<string, unknown>>;
  /** Times faster than cold that DESIGN asks for; undefined: none is set. */
  readonly goalRatio?: number;
}

const models: readonly Model[] = [
  {
    id: "bench/ocr",
    name: "RapidOCR (onnxruntime)",
    source: "../../templates/ocr",
    input: async () => ({ image: await dataUri("../../templates/ocr/example.png") }),
    goalRatio: 3.5,
  },
  {
    id: "bench/chat",
    name: "SmolLM2-135M (llama.cpp)",
    source: "../../templates/chat",
    input: async () => ({ prompt: "Say hello.", max_tokens: 4, temperature: 0 }),
  },
  {
    id: "bench/torch",
    name: "torch at GPT-2 size",
    source: "../fixtures/torch-gpt2",
    input: async () => ({ text: "Hi", tokens: 1 }),
    goalRatio: 5,
  },
];

interface Called {
  readonly answeredMs: number;
  readonly metrics: { readonly predict_time?: number };
  readonly start: {
    readonly mode: string;
    readonly reason?: string;
    readonly totalMs: number;
    readonly phases: readonly {
      readonly name: string;
      readonly ms: number;
      readonly bytes?: number;
    }[];
  };
}

interface Samples {
  readonly empty: number[];
  readonly cold: Called[];
  readonly restored: Called[];
  readonly resumed: Called[];
}

const benchmark: Benchmark = async ({ signal, note }) => {
  await using byom = await createByom();
  const workspace = await mkdtemp(join(tmpdir(), "byom-bench-"));
  try {
    await byom.json("up", "--detach", "--port", "0");
    for (const model of models) await deploy(byom, model, workspace, note);
    const samples = new Map(models.map((model) => [model.id, emptySamples()]));
    for (let round = 1; round <= rounds; round += 1) {
      for (const model of models) {
        signal.throwIfAborted();
        note(`round ${round}/${rounds}: ${model.name}`);
        await runRound(byom, model, samples.get(model.id) ?? emptySamples());
      }
    }
    return models.flatMap((model) => toRows(model, samples.get(model.id) ?? emptySamples()));
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
};

export default benchmark;

function emptySamples(): Samples {
  return { empty: [], cold: [], restored: [], resumed: [] };
}

async function deploy(
  byom: Byom,
  model: Model,
  workspace: string,
  note: (text: string) => void,
): Promise<void> {
  note(`building and deploying ${model.name}`);
  const directory = join(workspace, model.id.replace("/", "-"));
  await mkdir(directory);
  await cp(fileURLToPath(new URL(model.source, import.meta.url)), directory, { recursive: true });
  const pushed = await byom.json<{ snapshot: { id?: string; reason?: string } }>(
    "-C",
    directory,
    "push",
    model.id,
  );
  if (pushed.snapshot.id === undefined)
    throw new Error(`${model.id}: no snapshot: ${pushed.snapshot.reason}`);
}

async function runRound(byom: Byom, model: Model, samples: Samples): Promise<void> {
  const input = await model.input();
  samples.empty.push(await startEmptyContainer());
  samples.cold.push(await callFrom(byom, model.id, input, ["--to", "zero", "--next-cold"], "cold"));
  samples.restored.push(await callFrom(byom, model.id, input, ["--to", "zero"], "restored"));
  samples.resumed.push(await callFrom(byom, model.id, input, ["--to", "paused"], "resumed"));
}

/** Lets the instance go, then times one request through the gateway, from sending it to its whole answer. */
async function callFrom(
  byom: Byom,
  modelId: string,
  input: Record<string, unknown>,
  release: readonly string[],
  mode: string,
): Promise<Called> {
  await byom.json("scale", modelId, ...release);
  backFreeMemory();
  const { url, apiKey } = await byom.access();
  const sentAt = performance.now();
  const response = await fetch(`${url}/models/${modelId}/predictions`, {
    method: "POST",
    headers: { authorization: `Bearer ${apiKey}`, "content-type": "application/json" },
    body: JSON.stringify({ input }),
  });
  const prediction = (await response.json()) as { status: string; metrics: Called["metrics"] };
  const answeredMs = performance.now() - sentAt;
  const start = readStart(response.headers);
  if (prediction.status !== "succeeded" || start.mode !== mode) {
    throw new Error(
      `${modelId}: expected a ${mode} start, got ${JSON.stringify({ start, prediction })}`,
    );
  }
  return { answeredMs, metrics: prediction.metrics, start };
}

function readStart(headers: Headers): Called["start"] {
  const phases = (headers.get("x-byom-start-phases") ?? "").matchAll(
    /([\w-]+);dur=([\d.]+)(?:;bytes=(\d+))?/g,
  );
  return {
    mode: headers.get("x-byom-start") ?? "",
    totalMs: Number(headers.get("x-byom-start-ms")),
    phases: [...phases].map(([, name = "", ms, bytes]) => ({
      name,
      ms: Number(ms),
      ...(bytes !== undefined && { bytes: Number(bytes) }),
    })),
  };
}

/** More than any of the models needs. */
const backedBytes = 1.5 * 2 ** 30;

/**
 * A virtual machine may give its free memory back to its host, which then hands it out again page by page, slower than
 * any disk. Memory that was just used and freed is still there, so every start, cold or not, finds the same.
 */
function backFreeMemory(): void {
  execFileSync(process.execPath, ["-e", `Buffer.alloc(${backedBytes}, 1)`]);
}

/** What Docker alone takes, over the Engine API: a container of a small image that only sleeps. */
async function startEmptyContainer(): Promise<number> {
  const docker = new Docker();
  const container = await docker.createContainer({
    Image: "byom-base/python:3.11",
    Entrypoint: ["sleep"],
    Cmd: ["60"],
  });
  try {
    const startedAt = performance.now();
    await container.start();
    return performance.now() - startedAt;
  } finally {
    await container.remove({ force: true });
  }
}

function toRows(model: Model, samples: Samples): readonly Row[] {
  const cold = measured(`${model.name}: cold start, first answer`, answers(samples.cold));
  const restored = measured("restored from its snapshot, first answer", answers(samples.restored));
  const resumed = measured("resumed from pause, first answer", answers(samples.resumed));
  const empty = measured("empty docker start", samples.empty);
  const wake = measured(
    "wake of a paused instance",
    samples.resumed.map(({ start }) => start.totalMs),
  );
  const ratio = cold.median / restored.median;
  const { goalRatio } = model;
  return [
    {
      work: `${model.name}: first answer from zero`,
      unit: "ms",
      baseline: cold,
      byom: restored,
      ratio,
      goal: goalRatio === undefined ? "none set" : `≥ ${goalRatio}×`,
      met: ratio >= (goalRatio ?? 0),
      phases: {
        ...medianPhases(samples.restored),
        prediction: milliseconds(
          samples.restored.map(({ metrics }) => (metrics.predict_time ?? 0) * 1000),
        ),
        "empty docker start": milliseconds(samples.empty),
        "cold: setup": milliseconds(phaseOf(samples.cold, "setup")),
      },
    },
    {
      work: `${model.name}: first answer from pause`,
      unit: "ms",
      baseline: cold,
      byom: resumed,
      ratio: cold.median / resumed.median,
      goal: "none set",
      met: true,
    },
    {
      work: `${model.name}: wake of a paused instance`,
      unit: "ms",
      baseline: empty,
      byom: wake,
      ratio: empty.median / wake.median,
      goal: "≥ 3×",
      met: empty.median / wake.median >= 3,
    },
  ];
}

function answers(calls: readonly Called[]): readonly number[] {
  return calls.map(({ answeredMs }) => answeredMs);
}

function phaseOf(calls: readonly Called[], name: string): readonly number[] {
  return calls.flatMap(({ start }) =>
    start.phases.filter((phase) => phase.name === name).map(({ ms }) => ms),
  );
}

function medianPhases(calls: readonly Called[]): Record<string, string> {
  const names = [...new Set(calls.flatMap(({ start }) => start.phases.map(({ name }) => name)))];
  return Object.fromEntries(
    names.map((name) => {
      const bytes = calls[0]?.start.phases.find((phase) => phase.name === name)?.bytes;
      const ms = median(phaseOf(calls, name));
      const rate =
        bytes === undefined
          ? ""
          : ` (${(bytes / 1e6 / ms).toFixed(1)} GB/s of ${(bytes / 1e6).toFixed(0)} MB)`;
      return [name, `${ms.toFixed(0)} ms${rate}`];
    }),
  );
}

function milliseconds(values: readonly number[]): string {
  return `${median(values).toFixed(0)} ms`;
}

async function dataUri(path: string): Promise<string> {
  const bytes = await readFile(new URL(path, import.meta.url));
  return `data:image/png;base64,${bytes.toString("base64")}`;
}
