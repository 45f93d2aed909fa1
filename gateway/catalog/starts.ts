import type { LeaseStart } from "../upstream/upstream.ts";

/** Starts of one model and mode that a median is made of. */
const startsKeptMax = 50;
/** Models whose starts are kept; the one that started longest ago goes first. */
const modelsKeptMax = 10_000;

export type StartMode = Exclude<LeaseStart["mode"], "running">;

/** How long instances of a model took to start, as observed since the platform runs. */
export interface StartSummary {
  readonly count: number;
  readonly medianMs: number;
  readonly lastMs: number;
}

export class StartHistory {
  readonly #byModel = new Map<string, Map<StartMode, number[]>>();

  /** Calls that found a running instance say nothing about a start. */
  record(modelId: string, { mode, totalMs }: LeaseStart): void {
    if (mode === "running") return;
    const modes = this.#byModel.get(modelId) ?? new Map<StartMode, number[]>();
    const times = modes.get(mode) ?? [];
    times.push(totalMs);
    if (times.length > startsKeptMax) times.shift();
    modes.set(mode, times);
    this.#byModel.delete(modelId);
    this.#byModel.set(modelId, modes);
    if (this.#byModel.size > modelsKeptMax) {
      const [oldest] = this.#byModel.keys();
      if (oldest !== undefined) this.#byModel.delete(oldest);
    }
  }

  /** By mode; empty while no instance has been started. */
  of(modelId: string): Readonly<Partial<Record<StartMode, StartSummary>>> {
    const summaries: Partial<Record<StartMode, StartSummary>> = {};
    for (const [mode, times] of this.#byModel.get(modelId) ?? []) {
      const sorted = times.toSorted((a, b) => a - b);
      summaries[mode] = {
        count: times.length,
        medianMs: Math.round(sorted[Math.floor((sorted.length - 1) / 2)] ?? 0),
        lastMs: Math.round(times.at(-1) ?? 0),
      };
    }
    return summaries;
  }
}
