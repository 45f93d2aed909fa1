import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { systemClock, type Clock } from "../clock.ts";
import type { ContainerSpec, EngineInfo } from "../engine/engine.ts";
import { NotFoundError, SnapshotError } from "../errors.ts";
import {
  ociRuntimeStateDirectory,
  restoreMarker,
  runcRoot as dockerRuncRoot,
  wrapperFiles,
} from "../oci-runtime/wrapper.ts";
import { detectCapability, type Capability } from "./capability.ts";
import { captureInto } from "./capture.ts";
import { findDamage } from "./digests.ts";
import { SnapshotDirectory, type StoredSnapshot } from "./directory.ts";
import { thaw, type RuncPaths } from "./dump.ts";
import { compatibilityKey, explainDifference, keyIdentity } from "./key.ts";
import { parseOutcome, type Outcome } from "./outcome.ts";
import { PageSizeChoice } from "./page-size.ts";
import { introduceInstance, proveInstance } from "./prove.ts";
import { readAhead } from "./read-ahead.ts";
import type { CompatibilityKey, Snapshot, Snapshotter, StartPhase, WarmUp } from "./snapshot.ts";
import { readRestoreLog } from "./restore-log.ts";

export interface SnapshotterOptions {
  readonly engine: EngineInfo;
  /** Where snapshots are kept; made with mode 0700. */
  readonly directory: string;
  /** Absolute path of runc. */
  readonly runc: string;
  /** A directory that holds an executable `criu`. */
  readonly criuDirectory: string;
  readonly isRoot: boolean;
  readonly signal: AbortSignal;
  /** All snapshots together; the one used longest ago makes room. Default: 64 GiB. */
  readonly bytesMax?: number;
  /** The wrapper's, as installed. Default: `/run/byom`. */
  readonly stateDirectory?: string;
  /** Default: where Docker's runc keeps containers. */
  readonly runcRoot?: string;
  readonly clock?: Clock;
}

/** Some dozens of models with a gigabyte of memory each. */
const bytesMaxDefault = 64 * 2 ** 30;

/**
 * Opens the snapshots of this host. A host that cannot snapshot gets a Snapshotter whose `capability` says why.
 * Captures that a killed byom left behind are removed, and their containers run on.
 */
export async function createSnapshotter(options: SnapshotterOptions): Promise<Snapshotter> {
  const paths: RuncPaths = {
    runc: options.runc,
    criuDirectory: options.criuDirectory,
    runcRoot: options.runcRoot ?? dockerRuncRoot,
  };
  const { engine, isRoot, signal } = options;
  const capability = await detectCapability({ engine, paths, isRoot, signal });
  const directory = await SnapshotDirectory.open(options.directory);
  for (const containerId of await directory.sweep()) await thaw(paths, containerId);
  return new HostSnapshotter({
    capability,
    directory,
    paths,
    stateDirectory: options.stateDirectory ?? ociRuntimeStateDirectory,
    bytesMax: options.bytesMax ?? bytesMaxDefault,
    clock: options.clock ?? systemClock,
  });
}

interface Context {
  readonly capability: Capability;
  readonly directory: SnapshotDirectory;
  readonly paths: RuncPaths;
  readonly stateDirectory: string;
  readonly bytesMax: number;
  readonly clock: Clock;
}

class HostSnapshotter implements Snapshotter {
  readonly capability: Snapshotter["capability"];
  readonly #context: Context;
  readonly #pageSizes = new PageSizeChoice();
  /** By key: a second caller joins the first. */
  readonly #captures = new Map<string, Promise<Snapshot>>();

  constructor(context: Context) {
    const { capability } = context;
    this.#context = context;
    this.capability = capability.isAvailable
      ? { isAvailable: true, ociRuntime: capability.ociRuntime }
      : { isAvailable: false, reason: capability.reason };
  }

  async key(
    input: { spec: ContainerSpec; weightsDigest: string },
    { signal }: { signal: AbortSignal },
  ): Promise<CompatibilityKey> {
    signal.throwIfAborted();
    const { capability } = this.#context;
    if (!capability.isAvailable) {
      throw new SnapshotError("snapshot_unavailable", capability.reason);
    }
    return compatibilityKey({ ...input, host: capability.host });
  }

  async find(
    key: CompatibilityKey,
  ): Promise<{ snapshot: Snapshot } | { snapshot?: undefined; reason: string }> {
    const identity = keyIdentity(key);
    const snapshots = await this.list();
    const same = snapshots.filter((snapshot) => keyIdentity(snapshot.key) === identity);
    const available = same.find((snapshot) => snapshot.status === "available");
    if (available !== undefined) return { snapshot: available };
    if (same[0] !== undefined) {
      return { reason: `snapshot ${same[0].status}: ${same[0].reason ?? "unknown"}` };
    }
    const near = snapshots.find(
      (snapshot) => snapshot.key.imageId === key.imageId && snapshot.status === "available",
    );
    if (near === undefined) return { reason: "no snapshot yet" };
    return { reason: `no snapshot fits: ${explainDifference(near.key, key).join(", ")}` };
  }

  async capture(
    input: { containerId: string; address: string; key: CompatibilityKey; warmUp?: WarmUp },
    { signal }: { signal: AbortSignal },
  ): Promise<Snapshot> {
    signal.throwIfAborted();
    const identity = keyIdentity(input.key);
    const running = this.#captures.get(identity);
    if (running !== undefined) return await running;
    const capture = this.#capture(identity, input, signal);
    this.#captures.set(identity, capture);
    try {
      return await capture;
    } finally {
      this.#captures.delete(identity);
    }
  }

  async prepareRestore(
    input: { containerId: string; snapshot: Snapshot },
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    const { directory, stateDirectory } = this.#context;
    const { containerId, snapshot } = input;
    const stored = await directory.read(snapshot.id);
    if (stored === undefined || stored.snapshot.status !== "available") {
      throw new SnapshotError("snapshot_damaged", `snapshot ${snapshot.id} is gone`);
    }
    const path = directory.pathOf(snapshot.id);
    const damage = await findDamage(path, stored.files, signal);
    if (damage !== undefined) {
      throw new SnapshotError("snapshot_damaged", `the snapshot is damaged: ${damage}`);
    }
    await directory.touch(snapshot.id).catch(() => {});
    // In the background: the engine needs a tenth of a second before it calls the wrapper.
    void readAhead(
      pageImages(stored).map((file) => join(path, file.path)),
      signal,
    ).catch(() => {});
    const { marker } = wrapperFiles(stateDirectory, containerId);
    await mkdir(dirname(marker), { recursive: true, mode: 0o700 });
    const pages = this.#pageSizes.choose(sizeOf(pageImages(stored)));
    const text = restoreMarker(path, { usesHugePages: pages === "huge" });
    await writeFile(`${marker}.new`, text, { mode: 0o600 });
    await rename(`${marker}.new`, marker);
  }

  async outcome(containerId: string): Promise<Outcome> {
    const { stateDirectory, directory } = this.#context;
    const files = wrapperFiles(stateDirectory, containerId);
    const text = await readFile(files.outcome, "utf8").catch(() => "");
    await rm(files.marker, { force: true });
    if (text === "") {
      const reason = "the OCI runtime left no word of a restore";
      return { restored: false, reason, phases: [], usesHugePages: false };
    }
    const path = /^snapshot (.*)$/m.exec(text)?.[1] ?? "";
    const stored = await directory.read(basename(path));
    const memory = stored === undefined ? undefined : sizeOf(pageImages(stored));
    const outcome = parseOutcome(text);
    if (!outcome.restored) return outcome;
    const log = await readFile(join(files.work, "restore.log"), "latin1").catch(() => "");
    const inside = readRestoreLog(log, memory);
    const fill = inside.find((phase) => phase.name === "memory");
    if (fill?.bytes !== undefined) {
      const pages = outcome.usesHugePages ? "huge" : "small";
      this.#pageSizes.record(pages, { bytes: fill.bytes, ms: fill.ms });
    }
    return { ...outcome, phases: [...outcome.phases, ...inside] };
  }

  async prove(
    input: Parameters<Snapshotter["prove"]>[0],
    { signal }: { signal: AbortSignal },
  ): Promise<readonly StartPhase[]> {
    const { clock, directory, paths } = this.#context;
    const helperPids = (await directory.read(input.snapshot.id))?.helperPids ?? [];
    const { runcRoot } = paths;
    return await proveInstance({ ...input, helperPids }, { runcRoot, clock, signal });
  }

  async introduce(
    input: Parameters<Snapshotter["introduce"]>[0],
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    await introduceInstance(input, { runcRoot: this.#context.paths.runcRoot, signal });
  }

  async quarantine(snapshot: Snapshot, reason: string): Promise<void> {
    const { directory } = this.#context;
    const stored = await directory.read(snapshot.id);
    if (stored !== undefined) await directory.retire(stored, "failed", reason);
  }

  async list(): Promise<readonly Snapshot[]> {
    return (await this.#context.directory.list()).map((stored) => stored.snapshot);
  }

  async remove(snapshotId: string): Promise<void> {
    const { directory } = this.#context;
    if ((await directory.read(snapshotId)) === undefined) {
      throw new NotFoundError("snapshot_not_found", `there is no snapshot ${snapshotId}`);
    }
    await directory.remove(snapshotId);
  }

  /** A failure of the dump becomes a failed snapshot, so that it is not tried for every start; an abort rejects. */
  async #capture(
    identity: string,
    input: { containerId: string; address: string; key: CompatibilityKey; warmUp?: WarmUp },
    signal: AbortSignal,
  ): Promise<Snapshot> {
    const { directory, paths, clock } = this.#context;
    const snapshotId = `${identity}-${randomBytes(4).toString("hex")}`;
    const startedAt = clock.monotonicMs();
    let unfinished = await directory.begin(snapshotId, input.containerId);
    let stored: StoredSnapshot;
    try {
      stored = await captureInto(unfinished, { ...input, snapshotId }, { paths, clock, signal });
    } catch (error) {
      await directory.discard(unfinished);
      signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      unfinished = await directory.begin(snapshotId, input.containerId);
      const captureMs = clock.monotonicMs() - startedAt;
      stored = failedSnapshot({ snapshotId, key: input.key, error, captureMs, now: clock.now() });
    }
    await directory.publish(unfinished, stored);
    await this.#removeOlder(stored.snapshot);
    await this.#makeRoom(snapshotId);
    return stored.snapshot;
  }

  async #removeOlder(kept: Snapshot): Promise<void> {
    const identity = keyIdentity(kept.key);
    for (const { id, key } of await this.list()) {
      if (id !== kept.id && keyIdentity(key) === identity) await this.#context.directory.remove(id);
    }
  }

  /** Expires the snapshots used longest ago until all fit; the one just made stays, whatever its size. */
  async #makeRoom(keptId: string): Promise<void> {
    const { directory, bytesMax } = this.#context;
    const all = await Promise.all(
      (await directory.list()).map(async (stored) => ({
        stored,
        usedMs: await directory.lastUsedMs(stored.snapshot.id),
      })),
    );
    let bytes = all.reduce((sum, { stored }) => sum + stored.snapshot.sizeBytes, 0);
    for (const { stored } of all.toSorted((a, b) => a.usedMs - b.usedMs)) {
      if (bytes <= bytesMax) return;
      if (stored.snapshot.id === keptId || stored.snapshot.sizeBytes === 0) continue;
      bytes -= stored.snapshot.sizeBytes;
      await directory.retire(stored, "expired", "it made room for a newer snapshot");
    }
  }
}

function failedSnapshot(facts: {
  readonly snapshotId: string;
  readonly key: CompatibilityKey;
  readonly error: Error;
  readonly captureMs: number;
  readonly now: number;
}): StoredSnapshot {
  const { snapshotId, key, error, captureMs, now } = facts;
  const hint = error instanceof SnapshotError && error.hint ? ` (${error.hint})` : "";
  return {
    snapshot: {
      id: snapshotId,
      key,
      status: "failed",
      reason: error.message + hint,
      sizeBytes: 0,
      createdAt: new Date(now).toISOString(),
      captureMs,
    },
    files: [],
    helperPids: [],
  };
}

function pageImages(stored: StoredSnapshot): readonly { path: string; sizeBytes: number }[] {
  return stored.files.filter(({ path }) => /^images\/pages-\d+\.img$/.test(path));
}

function sizeOf(files: readonly { sizeBytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
