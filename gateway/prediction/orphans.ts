import type { OnGatewayEvent } from "../events.ts";
import { orphanedRunsMax } from "../limits.ts";
import type { Run } from "./run.ts";

/**
 * Streams that run on although nobody listens, in the order in which they were left. Accepted predictions are none of
 * them: they are for whoever asks later.
 */
export class Orphans {
  readonly #runs = new Set<Run>();
  readonly #onEvent: OnGatewayEvent;
  readonly #max: number;

  constructor(onEvent: OnGatewayEvent, max: number = orphanedRunsMax) {
    this.#onEvent = onEvent;
    this.#max = max;
  }

  get count(): number {
    return this.#runs.size;
  }

  /** Notes that a run is left alone, or not any more; one too many costs the oldest its life. */
  mark(run: Run, isOrphan: boolean): void {
    if (run.request.isRecorded) return;
    if (!isOrphan) {
      this.#runs.delete(run);
      return;
    }
    this.#runs.add(run);
    const [oldest] = this.#runs;
    if (this.#runs.size <= this.#max || oldest === undefined) return;
    this.#runs.delete(oldest);
    this.#onEvent({ type: "orphan-cancel", predictionId: oldest.id, model: oldest.entry.id });
    oldest.cancel();
  }
}
