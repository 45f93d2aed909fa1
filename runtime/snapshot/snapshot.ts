import type { ContainerSpec } from "../engine/engine.ts";
import type { GpuSelection, GpuSuspension } from "../gpu/gpu.ts";
import type { SnapshotFacts } from "./facts.ts";
import type { InstanceIdentity } from "./identity.ts";

/** The memory image of a warmed-up instance and its changed files. A cache entry, never the truth. */
export interface Snapshot {
  readonly id: string;
  readonly key: CompatibilityKey;
  readonly status: "pending" | "available" | "failed" | "expired";
  /** Why it failed or expired. */
  readonly reason?: string;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly captureMs: number;
  readonly warmUp?: WarmUp;
  /** What it holds, counted at the capture. */
  readonly facts?: SnapshotFacts;
  /** Names of the secrets that setup() was given: they are in its memory, so it is never pushed. */
  readonly holdsSecrets?: readonly string[];
  /** The GPU side of its processes. */
  readonly gpu?: GpuSuspension;
  /** How often in a row a capture or a restore of this key failed; none since the last proven restore. */
  readonly failures?: number;
  /** Of a failed one: the platform makes another by itself; without it an operator must ask. */
  readonly mayRetry?: boolean;
}

/** What a look at every byte of a snapshot found. */
export interface SnapshotVerification {
  /** Empty: it is what was captured. Otherwise it is not restored any more. */
  readonly damage: readonly string[];
  readonly files: number;
  readonly bytes: number;
  readonly ms: number;
}

/** Everything that must be equal for a restore to be tried (reference: CRIU, CPU dispatch, mounts). */
export interface CompatibilityKey {
  readonly imageId: string;
  readonly weightsDigest: string;
  readonly cpuFeatures: string;
  readonly kernel: string;
  readonly criu: string;
  readonly ociRuntime: string;
  readonly cgroupVersion: string;
  readonly gpu: string;
  /** Mount destinations, sorted. */
  readonly mounts: readonly string[];
  /** Digest over the environment variables that setup() may have read. */
  readonly environment: string;
}

/** A prediction whose answer is known, replayed after each restore before traffic. */
export interface WarmUp {
  readonly input: Readonly<Record<string, unknown>>;
  /** The answer when two runs before the capture agreed; otherwise only success is compared. */
  readonly output?: unknown;
}

/** How an instance came up, phase by phase, for the response header, the log and the metrics. */
export interface StartReport {
  readonly mode: "running" | "resumed" | "restored" | "cold";
  /** Why it was not the faster mode: `snapshot failed: kernel changed from …`. */
  readonly reason?: string;
  readonly phases: readonly StartPhase[];
  readonly totalMs: number;
}

export interface StartPhase {
  /** `slot`, `create`, `engine-start`, `criu`, `memory`, `setup`, `hooks`, `warm-up`, `unpause`, … */
  readonly name: string;
  readonly ms: number;
  /** Memory phases: bytes filled, so that a rate can be shown. */
  readonly bytes?: number;
}

/** Captures and restores; the instance life cycle drives it. Every method honours the signal. */
export interface Snapshotter {
  /** Undefined with a reason when this host cannot snapshot (no CRIU, no runtime, remote engine, GPU). */
  readonly capability: {
    readonly isAvailable: boolean;
    readonly reason?: string;
    readonly ociRuntime?: string;
    /** Restores may switch the host's huge pages on while they fill memory. */
    readonly hugePages?: boolean;
  };
  key(
    input: { spec: ContainerSpec; weightsDigest: string },
    options: { signal: AbortSignal },
  ): Promise<CompatibilityKey>;
  /** The available snapshot of this key; or why there is none, with the failed one that has this key. */
  find(
    key: CompatibilityKey,
  ): Promise<
    { snapshot: Snapshot } | { snapshot?: undefined; reason: string; failed?: Snapshot | undefined }
  >;
  /**
   * Quiesces (hooks, allocator), dumps the running container and its changed files, publishes atomically.
   * The container goes on serving. One capture per key at a time, in all processes that use the directory: a second
   * caller gets what the first one made.
   */
  capture(
    input: {
      containerId: string;
      address: string;
      key: CompatibilityKey;
      warmUp?: WarmUp;
      /** Names of the secrets that setup() was given. */
      holdsSecrets?: readonly string[];
      gpus?: GpuSelection;
    },
    options: { signal: AbortSignal },
  ): Promise<Snapshot>;
  /**
   * Reads every byte of a snapshot and compares it with its digests; a damaged one is taken out of use.
   * @throws NotFoundError; the signal's reason.
   */
  verify(snapshotId: string, options: { signal: AbortSignal }): Promise<SnapshotVerification>;
  /** Between create and start: tells the OCI runtime wrapper to restore this container. */
  prepareRestore(
    input: { containerId: string; snapshot: Snapshot },
    options: { signal: AbortSignal },
  ): Promise<void>;
  /** After start: what the wrapper did (it starts cold by itself when a restore fails), with phases. */
  outcome(
    containerId: string,
  ): Promise<{ restored: boolean; reason?: string; phases: readonly StartPhase[] }>;
  /** After the container of a failed start is gone from the engine: removes what is left of it. Never rejects. */
  forget(containerId: string): Promise<void>;
  /**
   * Gives a restored instance its identity, host name and secrets, reseeds generators in every Python process, runs
   * after_restore hooks, replays the warm-up. Rejects on mismatch.
   */
  prove(
    input: {
      containerId: string;
      address: string;
      snapshot: Snapshot;
      identity: InstanceIdentity;
      gpus?: GpuSelection | undefined;
    },
    options: { signal: AbortSignal },
  ): Promise<readonly StartPhase[]>;
  /**
   * Tells a container that came up cold who it is, by the same files; again when secrets were withheld before.
   * Rejects only when there are secrets and they cannot be delivered.
   */
  introduce(
    input: { containerId: string; identity: InstanceIdentity },
    options: { signal: AbortSignal },
  ): Promise<void>;
  quarantine(snapshot: Snapshot, reason: string): Promise<void>;
  list(): Promise<readonly Snapshot[]>;
  remove(snapshotId: string): Promise<void>;
}
