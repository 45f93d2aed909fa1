import { measured, median, type Row } from "../report.ts";
import type { Called } from "./call.ts";
import type { CopyRates, EmptyStart } from "./machine.ts";
import type { Model } from "./models.ts";

/** What the rounds of one model brought. */
export interface Samples {
  readonly empty: EmptyStart[];
  readonly cold: Called[];
  readonly restored: Called[];
  readonly resumed: Called[];
}

/** DESIGN, section 5: what a restore may take beyond the prediction, the empty start and the memory. */
const overheadMaxMs = 250;
/** DESIGN, section 5: 5 GB/s. */
const goalBytesPerMs = 5e6;

export function toRows(model: Model, samples: Samples, copy: CopyRates): readonly Row[] {
  const { cold, resumed } = samples;
  const starts = samples.empty.map(({ startMs }) => startMs);
  const empty = measured("empty docker start", starts);
  const wake = measured(
    "wake of a paused instance",
    resumed.map(({ start }) => start.totalMs),
  );
  return [
    firstAnswer(model, samples, copy),
    overhead(model, samples),
    ...memoryRate(model, samples, copy),
    {
      work: `${model.name}: first answer from pause`,
      unit: "ms",
      baseline: measured("cold start, first answer", answers(cold)),
      byom: measured("resumed from pause, first answer", answers(resumed)),
      ratio: median(answers(cold)) / median(answers(resumed)),
      goal: "none set",
      met: true,
      phases: medians(resumed),
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

function firstAnswer(model: Model, samples: Samples, copy: CopyRates): Row {
  const cold = measured("cold start, first answer", answers(samples.cold));
  const restored = measured("restored from its snapshot, first answer", answers(samples.restored));
  const ratio = cold.median / restored.median;
  const { goalRatio } = model;
  return {
    work: `${model.name}: first answer from zero`,
    unit: "ms",
    baseline: cold,
    byom: restored,
    ratio,
    goal: goalRatio === undefined ? "none set" : `≥ ${goalRatio}×`,
    met: ratio >= (goalRatio ?? 0),
    phases: {
      ...Object.fromEntries(
        Object.entries(medians(samples.cold)).map(([name, value]) => [`cold: ${name}`, value]),
      ),
      ...againstLimits(samples, copy),
    },
  };
}

/** What a caller waits for beyond what must be: the prediction, Docker's own start, the memory at the goal's rate. */
function overhead(model: Model, samples: Samples): Row {
  const memory = samples.restored.flatMap(({ start }) =>
    start.phases.filter(({ name }) => name === "memory").map(({ bytes = 0 }) => bytes),
  );
  const memoryMs = memory.length === 0 ? 0 : median(memory) / goalBytesPerMs;
  const floor = measured(
    "empty docker start + its memory at 5 GB/s",
    samples.empty.map(({ startMs }) => startMs + memoryMs),
  );
  const beyond = measured(
    "restored, first answer, less its prediction",
    samples.restored.map(({ answeredMs, predictMs }) => answeredMs - predictMs),
  );
  const overheadMs = beyond.median - floor.median;
  return {
    work: `${model.name}: beyond the prediction (${overheadMs.toFixed(0)} ms over the floor)`,
    unit: "ms",
    baseline: floor,
    byom: beyond,
    ratio: floor.median / beyond.median,
    goal: `≤ ${overheadMaxMs} ms over the floor`,
    met: overheadMs <= overheadMaxMs,
  };
}

/** Nothing when CRIU's log did not tell. */
function memoryRate(model: Model, samples: Samples, copy: CopyRates): readonly Row[] {
  const fills = samples.restored.flatMap(({ start }) =>
    start.phases.flatMap(({ name, ms, bytes }) =>
      name === "memory" && bytes !== undefined ? [{ ms, bytes }] : [],
    ),
  );
  const bytes = fills[0]?.bytes;
  if (bytes === undefined) return [];
  const fill = measured(
    `${megabytes(bytes)} filled by CRIU`,
    fills.map(({ ms }) => ms),
  );
  const floor = measured(`the same copied from the page cache, ${rate(copy.warm)}`, [
    bytes / copy.warm,
  ]);
  const bytesPerMs = bytes / fill.median;
  return [
    {
      work: `${model.name}: memory at ${rate(bytesPerMs)}`,
      unit: "ms",
      baseline: floor,
      byom: fill,
      ratio: floor.median / fill.median,
      goal: "≥ 5 GB/s",
      met: bytesPerMs >= goalBytesPerMs,
    },
  ];
}

/** Each phase of a restored start beside what bounds it, and how far it is from there. */
function againstLimits(samples: Samples, copy: CopyRates): Record<string, string> {
  const { restored, resumed, empty } = samples;
  const phase = (name: string): number | undefined => medianOf(restored, name);
  const bytes = restored[0]?.start.phases.find(({ name }) => name === "memory")?.bytes ?? 0;
  const prediction = median(resumed.map(({ predictMs }) => predictMs));
  const limits: Readonly<Record<string, readonly [ms: number, what: string]>> = {
    create: [median(empty.map(({ createMs }) => createMs)), "docker create of an empty container"],
    "engine-start": [median(empty.map(({ startMs }) => startMs)), "an empty docker start"],
    memory: [bytes / copy.warm, `${megabytes(bytes)} copied at ${rate(copy.warm)}`],
    "warm-up": [prediction, "the example's prediction in a warm process"],
  };
  const lines = phaseNames(restored).map((name): [string, string] => {
    const ms = phase(name) ?? 0;
    const limit = limits[name];
    if (limit === undefined) return [name, `${ms.toFixed(0)} ms`];
    const [limitMs, what] = limit;
    const over = (ms - limitMs).toFixed(0);
    return [
      name,
      `${ms.toFixed(0)} ms; limit ${limitMs.toFixed(0)} ms: ${what}; over it ${over} ms`,
    ];
  });
  const own = median(restored.map(({ predictMs }) => predictMs));
  const criu = phase("criu");
  const around = median(
    restored.map(({ answeredMs, predictMs, start }) => answeredMs - predictMs - start.totalMs),
  );
  return {
    ...Object.fromEntries(lines),
    ...(criu !== undefined && {
      "criu without network and memory": `${(criu - (phase("network") ?? 0) - (phase("memory") ?? 0)).toFixed(0)} ms; limit: CRIU's own work on processes, mounts and files`,
    }),
    prediction: `${own.toFixed(0)} ms; limit ${prediction.toFixed(0)} ms: in a warm process; over it ${(own - prediction).toFixed(0)} ms`,
    "gateway and the rest": `${around.toFixed(0)} ms`,
    "memory, 4 KiB pages touched first": `limit ${rate(copy.fresh)} on this machine`,
  };
}

function medians(calls: readonly Called[]): Record<string, string> {
  return Object.fromEntries([
    ...phaseNames(calls).map((name) => [name, `${(medianOf(calls, name) ?? 0).toFixed(0)} ms`]),
    ["prediction", `${median(calls.map(({ predictMs }) => predictMs)).toFixed(0)} ms`],
  ]);
}

function phaseNames(calls: readonly Called[]): readonly string[] {
  return [...new Set(calls.flatMap(({ start }) => start.phases.map(({ name }) => name)))];
}

function medianOf(calls: readonly Called[], name: string): number | undefined {
  const values = calls.flatMap(({ start }) =>
    start.phases.filter((phase) => phase.name === name).map(({ ms }) => ms),
  );
  return values.length === 0 ? undefined : median(values);
}

function answers(calls: readonly Called[]): readonly number[] {
  return calls.map(({ answeredMs }) => answeredMs);
}

function rate(bytesPerMs: number): string {
  return `${(bytesPerMs / 1e6).toFixed(1)} GB/s`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}
