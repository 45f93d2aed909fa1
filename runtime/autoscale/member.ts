import {
  assertTransition,
  type Instance,
  type InstanceState,
  type ReadyInstance,
} from "../instance/instance.ts";
import type { StartReport } from "../snapshot/snapshot.ts";

/** A running or paused instance as its pool sees it: its state, its slots, and one change at a time. */
export class Member {
  readonly id: string;
  readonly modelId: string;
  readonly version: number;
  readonly containerId: string;
  readonly createdAt: string;
  origin: string;
  start: StartReport;
  inFlight = 0;
  /** On the clock that never jumps; since when it is idle, paused or draining. */
  sinceMs: number;
  checkedAtMs: number;
  /** Nobody gets a slot while it is checked, captured or changed. */
  isHeld = false;
  #state: InstanceState;
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(instance: ReadyInstance, nowMs: number, state: "ready" | "paused" = "ready") {
    this.id = instance.id;
    this.modelId = instance.modelId;
    this.version = instance.version;
    this.containerId = instance.containerId;
    this.createdAt = instance.createdAt;
    this.origin = instance.origin;
    this.start = instance.start;
    this.sinceMs = nowMs;
    this.checkedAtMs = nowMs;
    this.#state = state;
  }

  get state(): InstanceState {
    return this.#state;
  }

  /** It serves, or will as soon as a slot or a check is done. */
  get isLive(): boolean {
    return this.#state === "ready" || this.#state === "busy";
  }

  moveTo(state: InstanceState, nowMs: number): void {
    assertTransition(this.id, this.#state, state);
    if (state !== this.#state) this.sinceMs = nowMs;
    this.#state = state;
  }

  hasSlot(concurrency: number): boolean {
    return this.isLive && !this.isHeld && this.inFlight < concurrency;
  }

  take(nowMs: number): void {
    this.inFlight += 1;
    this.moveTo("busy", nowMs);
  }

  give(nowMs: number): void {
    this.inFlight -= 1;
    if (this.inFlight === 0 && this.#state === "busy") this.moveTo("ready", nowMs);
  }

  /** Runs one change of the container after those that were asked for before. */
  async change<Result>(work: () => Promise<Result>): Promise<Result> {
    const run = this.#lastChange.then(work, work);
    this.#lastChange = run.catch(() => {});
    return await run;
  }

  describe(): Instance {
    const { id, modelId, version, createdAt, containerId, origin, start, inFlight } = this;
    const facts = { id, modelId, version, createdAt };
    const running = { ...facts, containerId, origin, start };
    switch (this.#state) {
      case "busy":
      case "draining":
        return { ...running, state: this.#state, inFlight };
      case "ready":
      case "paused":
        return { ...running, state: this.#state };
      case "starting":
        return { ...facts, state: "starting", containerId };
      default:
        return { ...facts, state: "stopped", reason: "removed" };
    }
  }
}

/** The member with the fewest predictions among those that have a slot free. */
export function leastLoaded(members: readonly Member[], concurrency: number): Member | undefined {
  let best: Member | undefined;
  for (const member of members) {
    if (!member.hasSlot(concurrency)) continue;
    if (best === undefined || member.inFlight < best.inFlight) best = member;
  }
  return best;
}
