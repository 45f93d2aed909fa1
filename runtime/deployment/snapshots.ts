import { NotFoundError, SnapshotError } from "../errors.ts";
import { chooseStart } from "../instance/choose.ts";
import { instanceSpec } from "../instance/spec.ts";
import type { InstanceContext } from "../instance/start.ts";
import { adviseOn, type Advice } from "../snapshot/advice.ts";
import { explainDifference } from "../snapshot/key.ts";
import type { PayoffVerdict } from "../snapshot/payoff.ts";
import type { CompatibilityKey, Snapshot } from "../snapshot/snapshot.ts";
import type { SnapshotUse, StartSubject } from "../store/starts.ts";
import type { Store } from "../store/store.ts";
import type { Deployment } from "./deployment.ts";
import { measureSnapshot, type MeasuredSnapshot, type SnapshotCreateEvent } from "./measure.ts";
import { KeyedMutex } from "./mutex.ts";
import { snapshotsOff, type Version } from "./version.ts";

/** What a snapshot has been good for, for one version; several models may run one image. */
export interface SnapshotUseReport extends StartSubject {
  readonly restores: number;
  readonly savedMs: number;
  /** ISO 8601. */
  readonly lastRestoredAt?: string;
  readonly payoff: PayoffVerdict;
}

/** A snapshot as it is listed. */
export interface SnapshotReport extends Snapshot {
  /** Versions that start from it, or whose image it is of. */
  readonly uses: readonly SnapshotUseReport[];
}

export interface SnapshotInspection extends SnapshotReport {
  readonly fit: {
    /** Absent: no version here is of its image, so that nothing would be started from it. */
    readonly fitsHost?: boolean;
    /** What changed since, such as `the kernel changed from 6.1.0 to 6.1.2`. */
    readonly reasons: readonly string[];
  };
  /** The change that makes it smaller by most first. */
  readonly advice: readonly Advice[];
}

/** How a version would be started from nothing now, and how long it took so far. */
export interface StartOutlook {
  readonly mode: "restored" | "cold";
  /** Why not restored. */
  readonly reason?: string;
  readonly payoff: PayoffVerdict;
}

export interface SnapshotTarget {
  readonly modelId: string;
  /** Default: the version with the largest share of the traffic. */
  readonly version?: number;
}

export interface SnapshotsContext extends InstanceContext {
  readonly store: Store;
  /** Aborts when the platform stops. */
  readonly closing: AbortSignal;
  version(modelId: string, number: number): Version | undefined;
  live(modelId: string): Version | undefined;
  deployment(modelId: string): Deployment | undefined;
}

/** What an operator does with snapshots. */
export interface SnapshotVerbs {
  snapshots(): Promise<readonly SnapshotReport[]>;
  /** By its ID or a beginning that only it has. Rejects with NotFoundError, as all of these do. */
  snapshot(snapshotId: string, options: { signal: AbortSignal }): Promise<SnapshotInspection>;
  /**
   * Takes a snapshot now, whether there is one or not, and measures whether it pays, on instances of its own. Rejects
   * with SnapshotError when it cannot be taken or restored, with StartError when no instance starts.
   */
  createSnapshot(
    target: SnapshotTarget,
    options: { onEvent: (event: SnapshotCreateEvent) => void; signal: AbortSignal },
  ): Promise<SnapshotCreated>;
  removeSnapshot(snapshotId: string): Promise<void>;
}

export interface SnapshotCreated extends MeasuredSnapshot {
  readonly modelId: string;
  readonly version: number;
}

/** Snapshots as an operator sees and handles them. */
export class Snapshots implements SnapshotVerbs {
  readonly #context: SnapshotsContext;
  /** Two measurements of a model at once would measure each other. */
  readonly #mutex = new KeyedMutex();
  readonly #running = new Set<Promise<unknown>>();

  constructor(context: SnapshotsContext) {
    this.#context = context;
  }

  async snapshots(): Promise<readonly SnapshotReport[]> {
    const snapshots = await this.#context.snapshotter.list();
    return snapshots.map((snapshot) => ({ ...snapshot, uses: this.#usesOf(snapshot) }));
  }

  async snapshot(
    snapshotId: string,
    { signal }: { signal: AbortSignal },
  ): Promise<SnapshotInspection> {
    const snapshot = await this.find(snapshotId);
    const uses = this.#usesOf(snapshot);
    return {
      ...snapshot,
      uses,
      fit: await this.#fitOf(snapshot, uses, signal),
      advice: adviseOn(snapshot),
    };
  }

  async removeSnapshot(snapshotId: string): Promise<void> {
    const { id } = await this.find(snapshotId);
    await this.#context.snapshotter.remove(id);
    this.#context.store.starts.removeSnapshot(id);
  }

  async createSnapshot(
    target: SnapshotTarget,
    options: { onEvent: (event: SnapshotCreateEvent) => void; signal: AbortSignal },
  ): Promise<SnapshotCreated> {
    const { onEvent } = options;
    const version = this.targetVersion(target);
    const { modelId, number } = version;
    this.#assertCapable(version);
    const signal = AbortSignal.any([options.signal, this.#context.closing]);
    if (this.#mutex.isHeld(modelId)) onEvent({ type: "snapshot-wait", modelId });
    const run = this.#mutex.run(modelId, signal, () =>
      measureSnapshot(this.#context, {
        version,
        concurrency: this.#concurrencyOf(modelId),
        onEvent,
        signal,
      }),
    );
    return { ...(await this.#track(run)), modelId, version: number };
  }

  /** How a version would start now; starts nothing and pulls nothing. */
  async outlook(version: Version, { signal }: { signal: AbortSignal }): Promise<StartOutlook> {
    const { modelId, number } = version;
    const spec = this.#specOf(version);
    const choice = await chooseStart(this.#context, { version, spec, signal });
    const payoff = this.#context.payoff.verdict({ modelId, version: number });
    return choice.snapshot === undefined
      ? { mode: "cold", reason: choice.reason, payoff }
      : { mode: "restored", payoff };
  }

  /** Resolves when nothing is under way any more, however it ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  /** By its ID or a beginning that only it has. @throws NotFoundError */
  async find(snapshotId: string): Promise<Snapshot> {
    const snapshots = await this.#context.snapshotter.list();
    const exact = snapshots.find(({ id }) => id === snapshotId);
    if (exact !== undefined) return exact;
    const [first, ...others] = snapshots.filter(({ id }) => id.startsWith(snapshotId));
    if (first !== undefined && others.length === 0 && snapshotId !== "") return first;
    throw new NotFoundError(
      "snapshot_not_found",
      first === undefined
        ? `there is no snapshot ${snapshotId}`
        : `${others.length + 1} snapshots begin with ${snapshotId}`,
      { hint: "`byom snapshot list` shows them" },
    );
  }

  /** @throws NotFoundError `model_not_found`, `version_not_found` */
  targetVersion({ modelId, version: number }: SnapshotTarget): Version {
    const context = this.#context;
    const found = number === undefined ? context.live(modelId) : context.version(modelId, number);
    if (found !== undefined) return found;
    if (context.store.models.has(modelId)) {
      throw new NotFoundError(
        "version_not_found",
        number === undefined
          ? `${modelId} has no version that serves`
          : `${modelId} has no version ${number}`,
        { hint: `\`byom versions ${modelId}\` lists them` },
      );
    }
    throw new NotFoundError("model_not_found", `there is no model ${modelId}`, {
      hint: "`byom models` lists those that are deployed; `byom push` deploys one",
    });
  }

  /** What an instance of this version on this host asks of a snapshot. */
  async keyOf(version: Version, { signal }: { signal: AbortSignal }): Promise<CompatibilityKey> {
    const spec = this.#specOf(version);
    const { weightsDigest } = version;
    return await this.#context.snapshotter.key({ spec, weightsDigest }, { signal });
  }

  #specOf(version: Version): ReturnType<typeof instanceSpec> {
    const { platformId, network, snapshotter } = this.#context;
    return instanceSpec({
      version,
      imageId: version.image.imageId,
      instanceId: "i-000000000000",
      platformId,
      network,
      concurrency: this.#concurrencyOf(version.modelId),
      ociRuntime:
        snapshotsOff(version.settings) === undefined
          ? snapshotter.capability.ociRuntime
          : undefined,
      secrets: this.#context.secrets,
    });
  }

  #concurrencyOf(modelId: string): number {
    return this.#context.deployment(modelId)?.scaling.concurrency ?? 1;
  }

  #assertCapable({ modelId, settings }: Version): void {
    const { capability } = this.#context.snapshotter;
    const off = snapshotsOff(settings);
    if (off !== undefined) {
      throw new SnapshotError("snapshot_unavailable", `${modelId}: ${off}`, {
        hint: "change `snapshot` in byom.yaml and run `byom push`",
      });
    }
    if (capability.isAvailable) return;
    throw new SnapshotError(
      "snapshot_unavailable",
      capability.reason ?? "this host cannot snapshot",
      { hint: "`byom host check` says what is missing and what it would take" },
    );
  }

  #usesOf(snapshot: Snapshot): readonly SnapshotUseReport[] {
    const { store, payoff } = this.#context;
    const recorded = store.starts.uses(snapshot.id);
    const known = recorded.length > 0 ? recorded : this.#versionsOf(snapshot);
    return known.map(({ modelId, version, restores, savedMs, lastRestoredAt }) => ({
      modelId,
      version,
      restores,
      savedMs,
      ...(lastRestoredAt !== undefined && { lastRestoredAt }),
      payoff: payoff.verdict({ modelId, version }),
    }));
  }

  /** Versions of its image: for one that was taken before uses were recorded, or came from a registry. */
  #versionsOf({ id: snapshotId, key }: Snapshot): readonly SnapshotUse[] {
    const { models } = this.#context.store;
    return models.ids().flatMap((modelId) =>
      models
        .versions(modelId)
        .filter(({ image }) => image.imageId === key.imageId)
        .map(({ number }) => ({ snapshotId, modelId, version: number, restores: 0, savedMs: 0 })),
    );
  }

  async #fitOf(
    snapshot: Snapshot,
    uses: readonly SnapshotUseReport[],
    signal: AbortSignal,
  ): Promise<SnapshotInspection["fit"]> {
    const { capability } = this.#context.snapshotter;
    if (!capability.isAvailable) {
      return { fitsHost: false, reasons: [capability.reason ?? "this host cannot snapshot"] };
    }
    const versions = uses.flatMap(
      ({ modelId, version }) => this.#context.version(modelId, version) ?? [],
    );
    let closest: readonly string[] | undefined;
    for (const version of versions) {
      const differences = explainDifference(snapshot.key, await this.keyOf(version, { signal }));
      if (closest === undefined || differences.length < closest.length) closest = differences;
    }
    if (closest === undefined) return { reasons: ["no version here is of its image"] };
    return { fitsHost: closest.length === 0, reasons: closest };
  }

  async #track<Result>(work: Promise<Result>): Promise<Result> {
    this.#running.add(work);
    try {
      return await work;
    } finally {
      this.#running.delete(work);
    }
  }
}
