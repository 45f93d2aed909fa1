import { ConflictError } from "../errors.ts";
import type { StartReport } from "../snapshot/snapshot.ts";

/** What every state of an instance knows. */
interface InstanceFacts {
  /** `i-` and 12 hex digits. */
  readonly id: string;
  readonly modelId: string;
  readonly version: number;
  /** ISO 8601. */
  readonly createdAt: string;
}

interface RunningFacts extends InstanceFacts {
  readonly containerId: string;
  /** Such as `http://172.18.0.3:5000`. */
  readonly origin: string;
  readonly start: StartReport;
}

/** Announced to the store, so that its container is never an orphan; there may be none yet. */
export interface CreatedInstance extends InstanceFacts {
  readonly state: "created";
}
export interface StartingInstance extends InstanceFacts {
  readonly state: "starting";
  readonly containerId: string;
}
export interface ReadyInstance extends RunningFacts {
  readonly state: "ready";
}
export interface BusyInstance extends RunningFacts {
  readonly state: "busy";
  readonly inFlight: number;
}
export interface PausedInstance extends RunningFacts {
  readonly state: "paused";
}
export interface DrainingInstance extends RunningFacts {
  readonly state: "draining";
  readonly inFlight: number;
}
export interface StoppedInstance extends InstanceFacts {
  readonly state: "stopped";
  readonly reason: string;
}

export type Instance =
  | CreatedInstance
  | StartingInstance
  | ReadyInstance
  | BusyInstance
  | PausedInstance
  | DrainingInstance
  | StoppedInstance;

export type InstanceState = Instance["state"];

/** The edges of the life cycle; `starting → ready` is also how a paused instance comes back. */
const next: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  created: ["starting", "stopped"],
  starting: ["ready", "stopped"],
  ready: ["busy", "paused", "draining", "stopped"],
  busy: ["ready", "draining", "stopped"],
  paused: ["starting", "draining", "stopped"],
  draining: ["stopped"],
  stopped: [],
};

/** Rejects a step that the life cycle does not have: a programming error, caught before it reaches a container. */
export function assertTransition(id: string, from: InstanceState, to: InstanceState): void {
  if (from === to || next[from].includes(to)) return;
  throw new ConflictError("invalid_transition", `instance ${id} cannot go from ${from} to ${to}`);
}
