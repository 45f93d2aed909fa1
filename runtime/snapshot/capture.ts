import { rm } from "node:fs/promises";
import { join } from "node:path";

import type { Clock } from "../clock.ts";
import { SnapshotError } from "../errors.ts";
import type { GpuCheckpointer, GpuSelection, GpuSuspension } from "../gpu/gpu.ts";
import { whileSuspended } from "../gpu/suspended.ts";
import { classifyFailure } from "./capture-failure.ts";
import { changedFilesBytes, readOverlayRoot } from "./changed-files.ts";
import { describeConnections, outsideConnections } from "./connections.ts";
import { rememberChecked } from "./content-check.ts";
import { countMemory } from "./count-facts.ts";
import { recordFiles, type FileRecord } from "./digests.ts";
import { containerFile, type StoredSnapshot } from "./directory.ts";
import { dumpContainer, type RuncPaths } from "./dump.ts";
import { requireGpu } from "./gpu-memory.ts";
import { askHelpers, assertAllSucceeded, prepareTimeoutMs, restoredTimeoutMs } from "./helper.ts";
import { withoutIdentity } from "./identity-files.ts";
import {
  memoryToDumpBytes,
  readInitPid,
  readProcesses,
  type ContainerProcess,
} from "./processes.ts";
import { assertRoom, explainFullDisk, isDiskFull } from "./room.ts";
import type { CompatibilityKey, WarmUp } from "./snapshot.ts";
import { recordWarmUp, waitUntilIdle } from "./warm-up.ts";

export interface CaptureInput {
  readonly snapshotId: string;
  readonly containerId: string;
  readonly address: string;
  readonly key: CompatibilityKey;
  readonly warmUp?: WarmUp;
  readonly holdsSecrets?: readonly string[];
  /** The GPUs that the container has. */
  readonly gpus?: GpuSelection;
}

export interface CaptureContext {
  readonly paths: RuncPaths;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Left free on the disk beyond the dump itself. */
  readonly diskReserveBytes: number;
  /** Absent: containers with GPUs are not captured. */
  readonly gpu?: GpuCheckpointer | undefined;
}

/** Connections of the warm-up and of callers end in this time after their answers; others stay. */
const connectionsTimeoutMs = 2000;
const connectionsPollMs = 10;
/** What passes by itself does so in about this time; three tries in all. */
const retryDelaysMs = [300, 1500];

/**
 * Captures a running container into a directory that its caller publishes or discards. What may pass by itself, such
 * as a connection that is just being closed, is waited for and tried again.
 * @throws SnapshotError when the container cannot be captured, with the reason; the signal's reason when aborted.
 * The container serves on either way.
 */
export async function captureInto(
  directory: string,
  input: CaptureInput,
  context: CaptureContext,
): Promise<StoredSnapshot> {
  const { paths, clock, signal } = context;
  const startedAt = clock.monotonicMs();
  if (input.gpus !== undefined) requireGpu(context.gpu);
  const initPid = await readInitPid(paths.runcRoot, input.containerId);
  if (initPid === undefined) throw unavailable("the container does not run");
  const warmUp =
    input.warmUp === undefined
      ? undefined
      : await recordWarmUp(input.address, input.warmUp.input, signal);
  await waitUntilIdle(input.address, signal);
  const replies = await askHelpers(
    initPid,
    { do: "prepare" },
    { timeoutMs: prepareTimeoutMs, signal },
  );
  try {
    assertAllSucceeded(replies, "before_snapshot");
    const helperPids = replies.map((reply) => reply.pid);
    const dumped = await dumpWithRetries(directory, { ...input, initPid, helperPids }, context);
    signal.throwIfAborted();
    await rm(join(directory, "work"), { recursive: true, force: true });
    const files = await recordFiles(directory, signal, [containerFile]);
    await rememberChecked(directory);
    return {
      snapshot: {
        id: input.snapshotId,
        key: input.key,
        status: "available",
        sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
        createdAt: new Date(clock.now()).toISOString(),
        captureMs: clock.monotonicMs() - startedAt,
        ...(warmUp === undefined ? {} : { warmUp }),
        facts: {
          ...dumped.memory,
          pageBytes: bytesOf(files, /^images\/pages-\d+\.img$/),
          changedFilesBytes: bytesOf(files, /^files\.tar$/),
          frozenMs: dumped.frozenMs,
        },
        ...(dumped.gpu === undefined ? {} : { gpu: dumped.gpu }),
        ...(input.holdsSecrets === undefined ? {} : { holdsSecrets: input.holdsSecrets }),
      },
      files,
      helperPids,
    };
  } finally {
    await letGo(initPid, signal);
  }
}

interface Dumped {
  readonly memory: Awaited<ReturnType<typeof countMemory>>;
  readonly frozenMs: number;
  readonly gpu?: GpuSuspension;
}

type DumpInput = CaptureInput & {
  readonly initPid: number;
  readonly helperPids: readonly number[];
};

async function dumpWithRetries(
  directory: string,
  input: DumpInput,
  context: CaptureContext,
): Promise<Dumped> {
  for (const delayMs of [...retryDelaysMs, undefined]) {
    try {
      return await dumpOnce(directory, input, context);
    } catch (error) {
      context.signal.throwIfAborted();
      if (delayMs === undefined || classifyFailure(error) !== "passing") throw error;
      for (const name of ["images", "work", "files.tar", "removed"]) {
        await rm(join(directory, name), { recursive: true, force: true });
      }
      await context.clock.delay(delayMs, context.signal);
    }
  }
  throw new TypeError("the last try returns or throws");
}

async function dumpOnce(
  directory: string,
  { containerId, initPid, helperPids, gpus }: DumpInput,
  { paths, clock, signal, diskReserveBytes, gpu }: CaptureContext,
): Promise<Dumped> {
  const processes = await readProcesses(initPid);
  assertAllAnswer(processes, helperPids);
  const filesBytes = await changedFilesBytes(await readOverlayRoot(initPid));
  const dumpBytes = (await memoryToDumpBytes(processes)) + filesBytes;
  const needed = { directory, dumpBytes, reserveBytes: diskReserveBytes };
  await assertRoom(needed);
  await waitUntilUnconnected(initPid, processes, { clock, signal });
  const memory = await countMemory(processes);
  const onFrozen = async (): Promise<void> => await assertUnconnected(initPid, processes);
  try {
    const dump = async (): Promise<number> =>
      await withoutIdentity(initPid, () =>
        dumpContainer({ directory, containerId, initPid, paths, clock, onFrozen }),
      );
    if (gpus === undefined) return { memory, frozenMs: await dump() };
    let frozenMs = 0;
    const suspended = { gpu: requireGpu(gpu), gpus, processes, signal };
    const suspension = await whileSuspended(suspended, async () => {
      // Device memory has become the processes' own.
      const dumpBytes = (await memoryToDumpBytes(processes)) + filesBytes;
      await assertRoom({ ...needed, dumpBytes });
      frozenMs = await dump();
    });
    return { memory, frozenMs, gpu: suspension };
  } catch (error) {
    const isFull = await isDiskFull(directory);
    await rm(join(directory, "images"), { recursive: true, force: true });
    await rm(join(directory, "files.tar"), { force: true });
    throw await explainFullDisk(error, { ...needed, isFull });
  }
}

function bytesOf(files: readonly FileRecord[], pattern: RegExp): number {
  return files
    .filter(({ path }) => pattern.test(path))
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
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

async function waitUntilUnconnected(
  initPid: number,
  processes: readonly ContainerProcess[],
  { clock, signal }: Pick<CaptureContext, "clock" | "signal">,
): Promise<void> {
  const deadline = clock.monotonicMs() + connectionsTimeoutMs;
  while ((await outsideConnections(initPid)).length > 0 && clock.monotonicMs() < deadline) {
    await clock.delay(connectionsPollMs, signal);
  }
  await assertUnconnected(initPid, processes);
}

/** Also in the stillness: a connection that was opened a moment before would be cut in every clone. */
async function assertUnconnected(
  initPid: number,
  processes: readonly ContainerProcess[],
): Promise<void> {
  const open = await outsideConnections(initPid);
  if (open.length === 0) return;
  const lines = await describeConnections(open, processes);
  throw new SnapshotError(
    "snapshot_capture_failed",
    `the container has open connections: ${lines.join("; ")}`,
    {
      hint: open.some(({ isIncoming }) => !isIncoming)
        ? "close them in a method or function marked @before_snapshot, and connect again when it is needed or in @after_restore"
        : "a caller keeps its connection; it is tried again",
    },
  );
}

function unavailable(message: string): SnapshotError {
  return new SnapshotError("snapshot_unavailable", message);
}
