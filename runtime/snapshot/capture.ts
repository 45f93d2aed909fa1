import { rm, statfs } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "../clock.ts";
import { SnapshotError } from "../errors.ts";
import { recordFiles } from "./digests.ts";
import type { StoredSnapshot } from "./directory.ts";
import { dumpContainer, type RuncPaths } from "./dump.ts";
import { askHelpers, assertAllSucceeded, prepareTimeoutMs, restoredTimeoutMs } from "./helper.ts";
import { withoutIdentity } from "./identity-files.ts";
import {
  memoryToDumpBytes,
  outsideConnections,
  readInitPid,
  readProcesses,
  type ContainerProcess,
} from "./processes.ts";
import type { CompatibilityKey, WarmUp } from "./snapshot.ts";
import { recordWarmUp } from "./warm-up.ts";

export interface CaptureInput {
  readonly snapshotId: string;
  readonly containerId: string;
  readonly address: string;
  readonly key: CompatibilityKey;
  readonly warmUp?: WarmUp;
}

/** Connections of the warm-up and of callers end in this time after their answers; others stay. */
const connectionsTimeoutMs = 2000;
const connectionsPollMs = 10;
/** Left free on the disk beyond the dump itself. */
const diskReserveBytes = 1 << 30;

/**
 * Captures a running container into a directory that its caller publishes or discards.
 * @throws SnapshotError when the container cannot be captured, with the reason; the signal's reason when aborted.
 * The container serves on either way.
 */
export async function captureInto(
  directory: string,
  input: CaptureInput,
  context: { readonly paths: RuncPaths; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<StoredSnapshot> {
  const { paths, clock, signal } = context;
  const startedAt = clock.monotonicMs();
  if (input.key.gpu !== "") throw unavailable("memory of GPUs is not captured");
  const initPid = await readInitPid(paths.runcRoot, input.containerId);
  if (initPid === undefined) throw unavailable("the container does not run");
  const warmUp =
    input.warmUp === undefined
      ? undefined
      : await recordWarmUp(input.address, input.warmUp.input, signal);
  const replies = await askHelpers(
    initPid,
    { do: "prepare" },
    { timeoutMs: prepareTimeoutMs, signal },
  );
  assertAllSucceeded(replies, "before_snapshot");
  const helperPids = replies.map((reply) => reply.pid);
  const processes = await readProcesses(initPid);
  assertAllAnswer(processes, helperPids);
  await assertRoom(directory, await memoryToDumpBytes(processes));
  await waitUntilUnconnected(initPid, clock, signal);
  const { containerId } = input;
  await withoutIdentity(initPid, () => dumpContainer({ directory, containerId, initPid, paths }));
  await letGo(initPid, signal);
  signal.throwIfAborted();
  await rm(join(directory, "work"), { recursive: true, force: true });
  await rm(join(directory, "container"), { force: true });
  const files = await recordFiles(directory, signal);
  return {
    snapshot: {
      id: input.snapshotId,
      key: input.key,
      status: "available",
      sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
      createdAt: new Date(clock.now()).toISOString(),
      captureMs: clock.monotonicMs() - startedAt,
      ...(warmUp === undefined ? {} : { warmUp }),
    },
    files,
    helperPids,
  };
}

/** The original lets go of what its helpers remembered for the clones; one that does not answer keeps it. */
async function letGo(initPid: number, signal: AbortSignal): Promise<void> {
  const options = { timeoutMs: restoredTimeoutMs, signal };
  await askHelpers(initPid, { do: "captured" }, options).catch(() => {});
}

/**
 * Without the helper in every Python process, clones of one snapshot would draw the same random numbers: such an image
 * is not captured.
 */
function assertAllAnswer(
  processes: readonly ContainerProcess[],
  helperPids: readonly number[],
): void {
  const silent = processes.filter(({ isPython, pid }) => isPython && !helperPids.includes(pid));
  if (silent.length === 0 && helperPids.length > 0) return;
  const which = silent.map(({ pid, commandLine }) => `${pid} (${commandLine})`).join(", ");
  throw new SnapshotError(
    "snapshot_unavailable",
    silent.length === 0
      ? "no Python process in the container has byom's helper"
      : `without byom's helper: process ${which}`,
    { hint: "build the image with `byom build`, and do not set BYOM_HOOKS=0 or change /run/byom" },
  );
}

async function assertRoom(directory: string, dumpBytes: number): Promise<void> {
  const disk = await statfs(directory);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= dumpBytes + diskReserveBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new SnapshotError(
    "snapshot_capture_failed",
    `the disk has ${mib(freeBytes)} free; the dump of ${mib(dumpBytes)} must leave ${mib(diskReserveBytes)}`,
    { hint: "remove snapshots or images, or move the data directory to a larger disk" },
  );
}

async function waitUntilUnconnected(
  initPid: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const deadline = clock.monotonicMs() + connectionsTimeoutMs;
  let open = await outsideConnections(initPid);
  while (open.length > 0 && clock.monotonicMs() < deadline) {
    await clock.delay(connectionsPollMs, signal);
    open = await outsideConnections(initPid);
  }
  if (open.length === 0) return;
  throw new SnapshotError(
    "snapshot_capture_failed",
    `the container has open connections: ${[...new Set(open)].join(", ")}`,
    { hint: "close them in a before_snapshot hook and reconnect when they are needed" },
  );
}

function unavailable(message: string): SnapshotError {
  return new SnapshotError("snapshot_unavailable", message);
}
