import { randomBytes } from "node:crypto";

import type { Clock } from "../clock.ts";
import { SnapshotError } from "../errors.ts";
import { classifyFailure } from "./capture-failure.ts";
import { lockCapture } from "./capture-lock.ts";
import type { GpuCheckpointer } from "../gpu/gpu.ts";
import { captureInto, type CaptureInput } from "./capture.ts";
import type { SnapshotDirectory, StoredSnapshot } from "./directory.ts";
import type { RuncPaths } from "./dump.ts";
import { keyIdentity } from "./key.ts";
import type { Snapshot } from "./snapshot.ts";

/** After so many failures in a row of one key the platform stops to try by itself. */
const failuresMax = 4;

export interface CapturesContext {
  readonly directory: SnapshotDirectory;
  readonly paths: RuncPaths;
  readonly clock: Clock;
  /** All snapshots together; the one used longest ago makes room. */
  readonly bytesMax: number;
  readonly diskReserveBytes: number;
  readonly gpu?: GpuCheckpointer | undefined;
}

type Request = Omit<CaptureInput, "snapshotId">;

/** Makes snapshots, one per key at a time, and keeps their number and their failures in bounds. */
export class Captures {
  readonly #context: CapturesContext;
  /** By key: a second caller in this process joins the first. */
  readonly #running = new Map<string, Promise<Snapshot>>();

  constructor(context: CapturesContext) {
    this.#context = context;
  }

  /** A failure of the capture becomes a failed snapshot with its reason; an abort rejects and leaves nothing. */
  async capture(request: Request, signal: AbortSignal): Promise<Snapshot> {
    signal.throwIfAborted();
    const identity = keyIdentity(request.key);
    const running = this.#running.get(identity);
    if (running !== undefined) return await running;
    const capture = this.#captureLocked(identity, request, signal);
    this.#running.set(identity, capture);
    try {
      return await capture;
    } finally {
      this.#running.delete(identity);
    }
  }

  /** Takes a snapshot out of use. The next one of its key is made without being asked for, a few times. */
  async quarantine(stored: StoredSnapshot, reason: string): Promise<void> {
    const failures = (stored.snapshot.failures ?? 0) + 1;
    const mayRetry = failures < failuresMax;
    await this.#context.directory.retire(stored, "failed", reason, { failures, mayRetry });
  }

  /** A restore has proven itself: what failed before counts no more. */
  async forgive(stored: StoredSnapshot): Promise<void> {
    if ((stored.snapshot.failures ?? 0) === 0) return;
    const snapshot = { ...stored.snapshot, failures: 0 };
    await this.#context.directory.rewrite({ ...stored, snapshot });
  }

  async #captureLocked(identity: string, request: Request, signal: AbortSignal): Promise<Snapshot> {
    const { directory } = this.#context;
    using lock = await lockCapture({ directory: directory.path, identity, signal });
    const earlier = await this.#ofKey(identity);
    const available = earlier.find(({ snapshot }) => snapshot.status === "available");
    if (lock.hasWaited && available !== undefined) return available.snapshot;
    const failures = Math.max(0, ...earlier.map(({ snapshot }) => snapshot.failures ?? 0));
    const { stored, unfinished } = await this.#make(identity, request, failures, signal);
    if (stored.snapshot.status !== "available" && available !== undefined) {
      await directory.discard(unfinished);
      return stored.snapshot;
    }
    await directory.publish(unfinished, stored);
    for (const { snapshot } of earlier) await directory.remove(snapshot.id);
    await this.#makeRoom(stored.snapshot.id);
    return stored.snapshot;
  }

  async #make(
    identity: string,
    request: Request,
    failures: number,
    signal: AbortSignal,
  ): Promise<{ stored: StoredSnapshot; unfinished: string }> {
    const { directory, clock } = this.#context;
    const snapshotId = `${identity}-${randomBytes(4).toString("hex")}`;
    const startedAt = clock.monotonicMs();
    const unfinished = await directory.begin(snapshotId, request.containerId);
    try {
      const stored = await captureInto(
        unfinished,
        { ...request, snapshotId },
        { ...this.#context, signal },
      );
      const snapshot = { ...stored.snapshot, ...(failures > 0 ? { failures } : {}) };
      return { unfinished, stored: { ...stored, snapshot } };
    } catch (error) {
      await directory.discard(unfinished);
      signal.throwIfAborted();
      if (!(error instanceof Error)) throw error;
      const captureMs = clock.monotonicMs() - startedAt;
      const facts = { snapshotId, key: request.key, error, failures: failures + 1, captureMs };
      return {
        unfinished: await directory.begin(snapshotId, request.containerId),
        stored: failedSnapshot({ ...facts, now: clock.now() }),
      };
    }
  }

  async #ofKey(identity: string): Promise<readonly StoredSnapshot[]> {
    const all = await this.#context.directory.list();
    return all.filter(({ snapshot }) => keyIdentity(snapshot.key) === identity);
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
  readonly key: Snapshot["key"];
  readonly error: Error;
  readonly failures: number;
  readonly captureMs: number;
  readonly now: number;
}): StoredSnapshot {
  const { snapshotId, key, error, failures, captureMs, now } = facts;
  const hint = error instanceof SnapshotError && error.hint ? ` (${error.hint})` : "";
  const mayRetry = classifyFailure(error) !== "permanent" && failures < failuresMax;
  return {
    snapshot: {
      id: snapshotId,
      key,
      status: "failed",
      reason: error.message + hint,
      sizeBytes: 0,
      createdAt: new Date(now).toISOString(),
      captureMs,
      failures,
      mayRetry,
    },
    files: [],
    helperPids: [],
  };
}
