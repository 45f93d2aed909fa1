import { parseReference } from "../../registry-client/index.ts";
import { NotFoundError, SnapshotError } from "../errors.ts";
import { chooseStart } from "../instance/choose.ts";
import { instanceSpec } from "../instance/spec.ts";
import type { InstanceContext } from "../instance/start.ts";
import { adviseOn } from "../snapshot/advice.ts";
import { explainDifference } from "../snapshot/key.ts";
import type { CompatibilityKey, Snapshot, SnapshotVerification } from "../snapshot/snapshot.ts";
import { pullSnapshot } from "../snapshot/transfer/pull.ts";
import { pushSnapshot } from "../snapshot/transfer/push.ts";
import type { PulledSnapshot, PushedSnapshot } from "../snapshot/transfer/transfer.ts";
import type { SnapshotUse } from "../store/starts.ts";
import type { Store } from "../store/store.ts";
import type { Deployment } from "./deployment.ts";
import { measureSnapshot, type SnapshotCreateEvent } from "./measure.ts";
import { KeyedMutex } from "./mutex.ts";
import type {
  SnapshotCreated,
  SnapshotInspection,
  SnapshotReport,
  SnapshotTarget,
  SnapshotUseReport,
  SnapshotVerbs,
  StartOutlook,
  TransferOptions,
} from "./snapshot-verbs.ts";
import { findPlace, type SnapshotTravel } from "./snapshot-travel.ts";
import { snapshotsOff, type Version } from "./version.ts";

export interface SnapshotsContext extends InstanceContext {
  readonly store: Store;
  /** Absent: snapshots stay on this host. */
  readonly travel?: SnapshotTravel | undefined;
  /** Aborts when the platform stops. */
  readonly closing: AbortSignal;
  version(modelId: string, number: number): Version | undefined;
  live(modelId: string): Version | undefined;
  deployment(modelId: string): Deployment | undefined;
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

  async verifySnapshot(
    snapshotId: string,
    { signal }: { signal: AbortSignal },
  ): Promise<SnapshotVerification & { readonly id: string }> {
    const { id } = await this.find(snapshotId);
    return { id, ...(await this.#context.snapshotter.verify(id, { signal })) };
  }

  async pushSnapshot(
    subject: { readonly snapshotId: string } | SnapshotTarget,
    { reference, onEvent, signal }: TransferOptions,
  ): Promise<PushedSnapshot & { readonly snapshotId: string }> {
    const travel = this.#travel();
    const { snapshotId, version } =
      "snapshotId" in subject
        ? await this.#versionOf(subject.snapshotId)
        : await this.#snapshotOf(this.targetVersion(subject), signal);
    const place = await findPlace(travel, { version, reference, signal });
    const { directory, keys } = travel;
    const pushed = await pushSnapshot({ directory, keys, snapshotId, place, onEvent, signal });
    return { ...pushed, snapshotId };
  }

  snapshotKeys(): SnapshotTravel["keys"] {
    return this.#travel().keys;
  }

  async pullSnapshot(
    target: SnapshotTarget | undefined,
    { reference, onEvent, signal }: TransferOptions,
  ): Promise<PulledSnapshot> {
    const { directory, keys } = this.#travel();
    const version =
      target === undefined ? this.#versionAt(reference ?? "") : this.targetVersion(target);
    this.#assertCapable(version);
    const place = await findPlace(this.#travel(), { version, reference, signal });
    const key = await this.keyOf(version, { signal });
    const pulled = await pullSnapshot({ directory, keys, place, key, onEvent, signal });
    const subject = { modelId: version.modelId, version: version.number };
    if (pulled.isNew) this.#context.payoff.captured(subject, pulled.snapshot.id);
    return pulled;
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

  #travel(): SnapshotTravel {
    const { travel } = this.#context;
    if (travel !== undefined) return travel;
    throw new SnapshotError("snapshot_unavailable", "this platform knows no registry", {
      hint: "`byom host setup` sets one up",
    });
  }

  /** A version that starts from it. */
  async #versionOf(snapshotId: string): Promise<{ snapshotId: string; version: Version }> {
    const snapshot = await this.find(snapshotId);
    for (const use of this.#usesOf(snapshot)) {
      const version = this.#context.version(use.modelId, use.version);
      if (version !== undefined) return { snapshotId: snapshot.id, version };
    }
    throw new NotFoundError(
      "version_not_found",
      `no version here is of the image of snapshot ${snapshot.id}`,
    );
  }

  /** The snapshot that a version would start from. */
  async #snapshotOf(
    version: Version,
    signal: AbortSignal,
  ): Promise<{ snapshotId: string; version: Version }> {
    this.#assertCapable(version);
    const found = await this.#context.snapshotter.find(await this.keyOf(version, { signal }));
    if (found.snapshot !== undefined) return { snapshotId: found.snapshot.id, version };
    const { modelId, number } = version;
    throw new NotFoundError("snapshot_not_found", `${modelId}@${number}: ${found.reason}`, {
      hint: `\`byom snapshot create ${modelId}@${number}\` takes one`,
    });
  }

  /** By its image: the digest when the reference has one, else the repository's last two names as the model. */
  #versionAt(reference: string): Version {
    const { repository, digest } = parseReference(reference);
    const { models } = this.#context.store;
    const versions = models.ids().flatMap((modelId) => models.versions(modelId));
    const same = versions.find((version) => digest !== undefined && version.digest === digest);
    if (same !== undefined) return same;
    return this.targetVersion({ modelId: repository.split("/").slice(-2).join("/") });
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
