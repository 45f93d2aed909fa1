import { GpuError } from "../errors.ts";
import type { GpuCheckpointer, GpuSelection, GpuSuspension } from "./gpu.ts";

/** Giving memory back must be tried even when the capture was called off. */
const resumeTimeoutMs = 300_000;

/**
 * Does the work, a dump, while the container's device memory lies in its processes; gives it back whatever the work
 * came to, since the container goes on serving. Where that fails its CUDA processes are ended: they would hang with
 * the next call, and an instance that is dead is replaced.
 * @throws GpuError, or what the work throws
 */
export async function whileSuspended(
  input: {
    readonly gpu: GpuCheckpointer;
    readonly gpus: GpuSelection;
    readonly processes: readonly { readonly hostPid: number; readonly pid: number }[];
    readonly signal: AbortSignal;
    /** Default: SIGKILL. */
    readonly end?: (hostPid: number) => void;
  },
  work: () => Promise<void>,
): Promise<GpuSuspension> {
  const { gpu, gpus, processes, signal, end = kill } = input;
  const hostPids = new Map(processes.map(({ pid, hostPid }) => [pid, hostPid]));
  const endAll = (pids: Iterable<number>): void => {
    for (const hostPid of pids) end(hostPid);
  };
  const suspension = await gpu
    .suspend([...hostPids.values()], { gpus, signal })
    .catch((error: unknown) => {
      if (error instanceof GpuError && error.code === "gpu_restore_failed") {
        endAll(hostPids.values());
      }
      throw error;
    });
  const resume = async (): Promise<void> => {
    const deadline = AbortSignal.timeout(resumeTimeoutMs);
    await gpu.resume(suspension, hostPids, { gpus, signal: deadline }).catch((error: unknown) => {
      endAll(suspension.processes.map(({ pid }) => hostPids.get(pid) ?? 0).filter(Boolean));
      throw error;
    });
  };
  try {
    await work();
  } catch (error) {
    await resume().catch(() => {});
    throw error;
  }
  await resume();
  return suspension;
}

function kill(hostPid: number): void {
  try {
    process.kill(hostPid, "SIGKILL");
  } catch {
    // it ended by itself
  }
}
