import { readFile, rm } from "node:fs/promises";
import { basename, join } from "node:path";

import { systemClock, type Clock } from "../clock.ts";
import type { ContainerSpec, EngineInfo } from "../engine/engine.ts";
import { NotFoundError, SnapshotError } from "../errors.ts";
import type { GpuCheckpointer } from "../gpu/gpu.ts";
import {
  ociRuntimeStateDirectory,
  runcRoot as dockerRuncRoot,
  wrapperFiles,
} from "../oci-runtime/wrapper.ts";
import { markForRestore } from "../oci-runtime/marker.ts";
import { forgetContainer, sweepRestores } from "../oci-runtime/sweep.ts";
import { detectCapability, type Capability } from "./capability.ts";
import { Captures } from "./captures.ts";
import { checkContent } from "./content-check.ts";
import { SnapshotDirectory, type StoredSnapshot } from "./directory.ts";
import type { RuncPaths } from "./dump.ts";
import { findSnapshot } from "./find.ts";
import { giveMemoryBack, gpuPartOfKey } from "./gpu-memory.ts";
import { compatibilityKey } from "./key.ts";
import { parseOutcome, type Outcome } from "./outcome.ts";
import { PageSizeChoice } from "./page-size.ts";
import { introduceInstance, proveInstance } from "./prove.ts";
import { readAhead } from "./read-ahead.ts";
import { readRestoreLog } from "./restore-log.ts";
import type {
  CompatibilityKey,
  Snapshot,
  Snapshotter,
  SnapshotVerification,
  StartPhase,
} from "./snapshot.ts";
import { sweepCaptures } from "./sweep.ts";
import { verifySnapshot } from "./verify-content.ts";

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
  /** Whether restores may switch the host's huge pages on while they fill memory. Default: true. */
  readonly hugePages?: boolean;
  /** All snapshots together; the one used longest ago makes room. Default: 64 GiB. */
  readonly bytesMax?: number;
  /** What a capture leaves free on the disk. Default: 1 GiB. */
  readonly diskReserveBytes?: number;
  /** The wrapper's, as installed. Default: `/run/byom`. */
  readonly stateDirectory?: string;
  /** Default: where Docker's runc keeps containers. */
  readonly runcRoot?: string;
  readonly clock?: Clock;
  /** Absent: models with GPUs start cold. */
  readonly gpu?: GpuCheckpointer;
}

/** Some dozens of models with a gigabyte of memory each. */
const bytesMaxDefault = 64 * 2 ** 30;
/** For the databases and logs beside the snapshots. */
const diskReserveBytesDefault = 1 << 30;

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
  const clock = options.clock ?? systemClock;
  await sweepCaptures(directory, { paths, clock, signal });
  const stateDirectory = options.stateDirectory ?? ociRuntimeStateDirectory;
  if (capability.isAvailable) await sweepRestores({ ...paths, stateDirectory }, signal);
  return new HostSnapshotter({
    capability,
    directory,
    paths,
    stateDirectory,
    hugePages: options.hugePages ?? true,
    bytesMax: options.bytesMax ?? bytesMaxDefault,
    diskReserveBytes: options.diskReserveBytes ?? diskReserveBytesDefault,
    clock,
    gpu: options.gpu,
  });
}

interface Context {
  readonly capability: Capability;
  readonly directory: SnapshotDirectory;
  readonly paths: RuncPaths;
  readonly stateDirectory: string;
  readonly hugePages: boolean;
  readonly bytesMax: number;
  readonly diskReserveBytes: number;
  readonly clock: Clock;
  readonly gpu: GpuCheckpointer | undefined;
}

class HostSnapshotter implements Snapshotter {
  readonly capability: Snapshotter["capability"];
  readonly #context: Context;
  readonly #pageSizes: PageSizeChoice;
  readonly #captures: Captures;
  /** By container: what is wrong with the content that was restored into it, known a little later. */
  readonly #checks = new Map<string, Promise<string | undefined>>();

  constructor(context: Context) {
    const { capability, hugePages } = context;
    this.#context = context;
    this.#pageSizes = new PageSizeChoice(hugePages);
    this.#captures = new Captures(context);
    this.capability = capability.isAvailable
      ? { isAvailable: true, ociRuntime: capability.ociRuntime, hugePages }
      : { isAvailable: false, reason: capability.reason };
  }

  async key(
    input: { spec: ContainerSpec; weightsDigest: string },
    { signal }: { signal: AbortSignal },
  ): Promise<CompatibilityKey> {
    signal.throwIfAborted();
    const { capability, gpu } = this.#context;
    if (!capability.isAvailable) {
      throw new SnapshotError("snapshot_unavailable", capability.reason);
    }
    const gpuPart = await gpuPartOfKey(gpu, input.spec, signal);
    return compatibilityKey({ ...input, host: capability.host, gpu: gpuPart });
  }

  async find(key: CompatibilityKey): ReturnType<Snapshotter["find"]> {
    return findSnapshot(await this.list(), key);
  }

  async capture(
    input: Parameters<Snapshotter["capture"]>[0],
    { signal }: { signal: AbortSignal },
  ): Promise<Snapshot> {
    return await this.#captures.capture(input, signal);
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
    const { damage, rest } = await checkContent(directory, stored, signal);
    if (damage !== undefined) throw damaged(damage);
    if (rest !== undefined) this.#checks.set(containerId, settled(rest));
    await directory.touch(snapshot.id).catch(() => {});
    // In the background: the engine needs a tenth of a second before it calls the wrapper.
    void readAhead(
      pageImages(stored).map((file) => join(path, file.path)),
      signal,
    ).catch(() => {});
    const pages = this.#pageSizes.choose(sizeOf(pageImages(stored)));
    const usesHugePages = pages === "huge";
    await markForRestore({ stateDirectory, containerId, snapshotDirectory: path, usesHugePages });
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

  async forget(containerId: string): Promise<void> {
    this.#checks.delete(containerId);
    const { paths, stateDirectory, capability } = this.#context;
    if (!capability.isAvailable) return;
    await forgetContainer({ ...paths, stateDirectory }, containerId);
  }

  async prove(
    input: Parameters<Snapshotter["prove"]>[0],
    { signal }: { signal: AbortSignal },
  ): Promise<readonly StartPhase[]> {
    const { clock, directory, paths, gpu } = this.#context;
    const stored = await directory.read(input.snapshot.id);
    const helperPids = stored?.helperPids ?? [];
    const { runcRoot } = paths;
    const memory = await giveMemoryBack(gpu, { ...input, runcRoot, signal });
    const proof = proveInstance({ ...input, helperPids }, { runcRoot, clock, signal });
    const [proven, damage] = await Promise.allSettled([proof, this.#checks.get(input.containerId)]);
    this.#checks.delete(input.containerId);
    if (damage.status === "fulfilled" && damage.value !== undefined) throw damaged(damage.value);
    if (proven.status === "rejected") throw proven.reason;
    if (stored !== undefined) await this.#captures.forgive(stored);
    return [...memory, ...proven.value];
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
    if (stored !== undefined) await this.#captures.quarantine(stored, reason);
  }

  async verify(
    snapshotId: string,
    { signal }: { signal: AbortSignal },
  ): Promise<SnapshotVerification> {
    const { directory, clock } = this.#context;
    const stored = await directory.read(snapshotId);
    if (stored === undefined) {
      throw new NotFoundError("snapshot_not_found", `there is no snapshot ${snapshotId}`);
    }
    const verification = await verifySnapshot(directory, stored, { clock, signal });
    const [damage] = verification.damage;
    if (damage !== undefined && stored.snapshot.status === "available") {
      await this.#captures.quarantine(stored, damaged(damage).message);
    }
    return verification;
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
}

function damaged(what: string): SnapshotError {
  return new SnapshotError("snapshot_damaged", `the snapshot is damaged: ${what}`);
}

/** A check that is given up, because the start was, says nothing. */
async function settled(check: Promise<string | undefined>): Promise<string | undefined> {
  return await check.catch(() => undefined);
}

function pageImages(stored: StoredSnapshot): readonly { path: string; sizeBytes: number }[] {
  return stored.files.filter(({ path }) => /^images\/pages-\d+\.img$/.test(path));
}

function sizeOf(files: readonly { sizeBytes: number }[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}
