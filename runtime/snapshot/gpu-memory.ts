import type { ContainerSpec } from "../engine/engine.ts";
import { SnapshotError } from "../errors.ts";
import { gpuKey } from "../gpu/driver-rules.ts";
import type { GpuCheckpointer, GpuSelection } from "../gpu/gpu.ts";
import { readInitPid, readProcesses } from "./processes.ts";
import type { Snapshot, StartPhase } from "./snapshot.ts";

/** The GPU's part of a key; undefined for a container without one. @throws SnapshotError with why it cannot be captured */
export async function gpuPartOfKey(
  gpu: GpuCheckpointer | undefined,
  { gpus }: Pick<ContainerSpec, "gpus">,
  signal: AbortSignal,
): Promise<string | undefined> {
  if (gpus === undefined) return undefined;
  return gpuKey(await requireGpu(gpu).facts({ signal }), gpus);
}

/** Whoever captures or restores a container with GPUs. @throws SnapshotError `snapshot_unavailable` */
export function requireGpu(gpu: GpuCheckpointer | undefined): GpuCheckpointer {
  if (gpu !== undefined && gpu.refusal === undefined) return gpu;
  const reason = gpu?.refusal ?? "this platform does not look at GPUs";
  throw new SnapshotError("snapshot_unavailable", `memory of its GPUs is not captured: ${reason}`);
}

/** After CRIU has restored the processes, and before anything asks them: their device memory comes back. */
export async function giveMemoryBack(
  gpu: GpuCheckpointer | undefined,
  input: {
    readonly containerId: string;
    readonly snapshot: Snapshot;
    readonly gpus?: GpuSelection | undefined;
    readonly runcRoot: string;
    readonly signal: AbortSignal;
  },
): Promise<readonly StartPhase[]> {
  const { containerId, snapshot, gpus, runcRoot, signal } = input;
  if (snapshot.gpu === undefined || snapshot.gpu.processes.length === 0) return [];
  const initPid = await readInitPid(runcRoot, containerId);
  const processes = initPid === undefined ? [] : await readProcesses(initPid);
  const hostPids = new Map(processes.map(({ pid, hostPid }) => [pid, hostPid]));
  const { ms, bytes } = await requireGpu(gpu).resume(snapshot.gpu, hostPids, {
    gpus: gpus ?? "all",
    signal,
  });
  return [{ name: "gpu-memory", ms, bytes }];
}
