import { access, readFile } from "node:fs/promises";

import { z } from "zod";

import { systemClock, type Clock } from "../clock.ts";
import { GpuError } from "../errors.ts";
import {
  missingFeatures,
  pairDevices,
  refuseDevices,
  refuseHost,
  selectDevices,
  type HostGpuFacts,
} from "./driver-rules.ts";
import type { GpuCheckpointer, GpuFacts, GpuSelection, GpuSuspension } from "./gpu.ts";
import { GpuHelper } from "./helper-process.ts";
import { roomBytes } from "./host-memory.ts";

/** NVML answers in milliseconds; its first start on a machine without persistence mode takes seconds. */
const questionTimeoutMs = 30_000;
/** cuInit takes about 0.3 s for each GPU, more where the driver must be loaded first. */
const initializeTimeoutMs = 60_000;
/** Kernels in flight end in this time, or the model is not quiet. */
const lockTimeoutMs = 10_000;
/** The driver's own deadline comes first. */
const lockAnswerTimeoutMs = lockTimeoutMs + 5000;
/** Device memory moves at gigabytes a second; rebuilding a context takes up to 15 s. 140 GB at 1 GB/s and room. */
const moveTimeoutMs = 240_000;

const factsSchema = z.object({
  driver: z.string(),
  hasCheckpoint: z.boolean(),
  isMpsRunning: z.boolean(),
  devices: z.array(
    z.object({
      index: z.number(),
      uuid: z.string(),
      model: z.string(),
      memoryBytes: z.number(),
      isMig: z.boolean(),
    }),
  ),
});
const stateSchema = z.object({
  state: z.enum(["none", "running", "locked", "checkpointed", "failed", "busy"]),
});
const memorySchema = z.object({ bytes: z.array(z.tuple([z.number(), z.number()])) });

export interface GpuCheckpointerOptions {
  readonly signal: AbortSignal;
  /** Its control device is how a driver is found, before any process is started. Default `/dev/nvidiactl`. */
  readonly controlDevice?: string;
  /** The helper's argv. */
  readonly helper?: readonly string[];
  readonly clock?: Clock;
  /** The root of `/proc` and `/sys`, for tests. */
  readonly root?: string;
}

/** Looks at this host's GPUs; whatever keeps them from being captured is the `refusal`. Never rejects but for an abort. */
export async function openGpuCheckpointer(
  options: GpuCheckpointerOptions,
): Promise<GpuCheckpointer> {
  const { signal, controlDevice = "/dev/nvidiactl" } = options;
  const helper = new GpuHelper(options.helper);
  const isPresent = await access(controlDevice).then(
    () => true,
    () => false,
  );
  const parts = { helper, clock: options.clock ?? systemClock, root: options.root ?? "/" };
  if (!isPresent) return new DriverCheckpointer("this host has no NVIDIA driver", parts);
  try {
    const refusal = refuseHost(await readFacts(helper, signal));
    // Ahead of the first capture, and so that the driver stays loaded.
    if (refusal === undefined) {
      void helper.ask({ do: "initialize" }, { timeoutMs: initializeTimeoutMs }).catch(() => {});
    }
    return new DriverCheckpointer(refusal, parts);
  } catch (error) {
    signal.throwIfAborted();
    const { message, hint } = error as GpuError;
    return new DriverCheckpointer(hint === undefined ? message : `${message}: ${hint}`, parts);
  }
}

interface CudaProcess {
  readonly hostPid: number;
  readonly pid: number;
  readonly deviceBytes: number;
}

interface Parts {
  readonly helper: GpuHelper;
  readonly clock: Clock;
  readonly root: string;
}

class DriverCheckpointer implements GpuCheckpointer {
  readonly refusal: string | undefined;
  readonly #helper: GpuHelper;
  readonly #clock: Clock;
  readonly #root: string;

  constructor(refusal: string | undefined, { helper, clock, root }: Parts) {
    this.refusal = refusal;
    this.#helper = helper;
    this.#clock = clock;
    this.#root = root;
  }

  async facts({ signal }: { signal: AbortSignal }): Promise<GpuFacts> {
    this.#assertSupported();
    const { driver, devices } = await readFacts(this.#helper, signal);
    return { driver, devices };
  }

  async suspend(
    pids: readonly number[],
    { gpus, signal }: { readonly gpus: GpuSelection; signal: AbortSignal },
  ): Promise<GpuSuspension> {
    this.#assertSupported();
    const startedAt = this.#clock.monotonicMs();
    const host = await readFacts(this.#helper, signal);
    const facts = { driver: host.driver, devices: selectDevices(host, gpus) };
    const refusal = refuseHost(host) ?? refuseDevices(facts.devices);
    if (refusal !== undefined) throw new GpuError("gpu_unsupported", refusal);
    const processes = await this.#findProcesses(pids, signal);
    await this.#assertRoom(processes);
    try {
      // All are locked before the first is emptied: none may wait for the memory of another.
      for (const { hostPid } of processes) {
        signal.throwIfAborted();
        await this.#helper.ask(
          { do: "lock", pid: hostPid, timeoutMs: lockTimeoutMs },
          { timeoutMs: lockAnswerTimeoutMs },
        );
      }
      for (const { hostPid } of processes) {
        signal.throwIfAborted();
        await this.#helper.ask({ do: "checkpoint", pid: hostPid }, { timeoutMs: moveTimeoutMs });
      }
      signal.throwIfAborted();
    } catch (error) {
      await this.#bringBack(processes);
      signal.throwIfAborted();
      throw explainRefusal(error, facts.driver);
    }
    return {
      facts,
      processes: processes.map(({ pid, deviceBytes }) => ({ pid, deviceBytes })),
      ms: this.#clock.monotonicMs() - startedAt,
    };
  }

  async resume(
    suspension: GpuSuspension,
    pids: ReadonlyMap<number, number>,
    { gpus, signal }: { readonly gpus: GpuSelection; signal: AbortSignal },
  ): Promise<{ readonly ms: number; readonly bytes: number }> {
    const startedAt = this.#clock.monotonicMs();
    let bytes = 0;
    try {
      const pairs = await this.#pair(suspension, gpus, signal);
      const hostPids = suspension.processes.map(({ pid }) => hostPidOf(pids, pid));
      // Each is whole before the first runs on: one may wait for what another holds.
      for (const [at, { deviceBytes }] of suspension.processes.entries()) {
        const pid = hostPids[at] ?? 0;
        await this.#helper.ask({ do: "restore", pid, pairs }, { timeoutMs: moveTimeoutMs, signal });
        bytes += deviceBytes;
      }
      for (const pid of hostPids) {
        await this.#helper.ask({ do: "unlock", pid }, { timeoutMs: lockAnswerTimeoutMs, signal });
      }
    } catch (error) {
      signal.throwIfAborted();
      throw restoreFailure(error);
    }
    return { ms: this.#clock.monotonicMs() - startedAt, bytes };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#helper[Symbol.asyncDispose]();
  }

  #assertSupported(): void {
    if (this.refusal !== undefined) throw new GpuError("gpu_unsupported", this.refusal);
  }

  async #findProcesses(
    pids: readonly number[],
    signal: AbortSignal,
  ): Promise<readonly CudaProcess[]> {
    const options = { timeoutMs: initializeTimeoutMs, signal };
    const reply = await this.#helper.ask({ do: "memory", pids }, options);
    const used = new Map(memorySchema.parse(reply).bytes);
    const found: CudaProcess[] = [];
    for (const hostPid of pids) {
      const { state } = stateSchema.parse(
        await this.#helper.ask({ do: "state", pid: hostPid }, options),
      );
      const deviceBytes = used.get(hostPid) ?? 0;
      if (state === "none" && deviceBytes === 0) continue;
      if (state !== "running") {
        const problem =
          state === "none" ? "holds device memory that is not CUDA's" : `is ${state} already`;
        throw new GpuError("gpu_unsupported", `process ${hostPid} ${problem}`);
      }
      found.push({ hostPid, pid: await this.#containerPid(hostPid), deviceBytes });
    }
    return found;
  }

  async #containerPid(hostPid: number): Promise<number> {
    const status = await readFile(`${this.#root}/proc/${hostPid}/status`, "utf8");
    return Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1] ?? hostPid);
  }

  async #assertRoom(processes: readonly CudaProcess[]): Promise<void> {
    const [first] = processes;
    if (first === undefined) return;
    const neededBytes = processes.reduce((sum, { deviceBytes }) => sum + deviceBytes, 0);
    const room = await roomBytes(first.hostPid, this.#root);
    if (room >= neededBytes) return;
    const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
    throw new GpuError(
      "gpu_unsupported",
      `${mib(neededBytes)} of device memory do not fit into the ${mib(room)} of memory that the container may still take`,
      {
        hint: "give the model more `memory` in byom.yaml, or drop caches in a before_snapshot hook",
      },
    );
  }

  async #pair(
    suspension: GpuSuspension,
    gpus: GpuSelection,
    signal: AbortSignal,
  ): Promise<readonly (readonly [string, string])[]> {
    const host = await readFacts(this.#helper, signal);
    const devices = selectDevices(host, gpus);
    const paired = pairDevices(suspension.facts, { driver: host.driver, devices });
    if ("refusal" in paired) throw new GpuError("gpu_unsupported", paired.refusal);
    return paired.pairs;
  }

  /** After a failure: whoever was emptied gets its memory back, whoever was locked runs on. */
  async #bringBack(processes: readonly CudaProcess[]): Promise<void> {
    const problems: unknown[] = [];
    const states = new Map<number, string>();
    for (const { hostPid } of processes) {
      try {
        const { state } = stateSchema.parse(
          await this.#helper.ask({ do: "state", pid: hostPid }, { timeoutMs: questionTimeoutMs }),
        );
        states.set(hostPid, state);
        if (state === "failed") throw new Error(`process ${hostPid} cannot be used any more`);
        if (state !== "checkpointed") continue;
        const request = { do: "restore", pid: hostPid, pairs: [] } as const;
        await this.#helper.ask(request, { timeoutMs: moveTimeoutMs });
      } catch (error) {
        problems.push(error);
      }
    }
    for (const { hostPid } of processes) {
      if (!["checkpointed", "locked"].includes(states.get(hostPid) ?? "")) continue;
      const request = { do: "unlock", pid: hostPid } as const;
      await this.#helper
        .ask(request, { timeoutMs: lockAnswerTimeoutMs })
        .catch((error: unknown) => problems.push(error));
    }
    if (problems.length > 0) throw restoreFailure(problems[0]);
  }
}

async function readFacts(helper: GpuHelper, signal: AbortSignal): Promise<HostGpuFacts> {
  return factsSchema.parse(
    await helper.ask({ do: "facts" }, { timeoutMs: questionTimeoutMs, signal }),
  );
}

function hostPidOf(pids: ReadonlyMap<number, number>, pid: number): number {
  const hostPid = pids.get(pid);
  if (hostPid !== undefined) return hostPid;
  throw new Error(`process ${pid} of the container is not there any more`);
}

/** CUresult values that say more than their names (CUDA driver API, CUresult). */
const notReady = 600;
const notSupported = 801;

function explainRefusal(error: unknown, driver: string): GpuError {
  if (!(error instanceof GpuError)) {
    const message = error instanceof Error ? error.message : String(error);
    return new GpuError("gpu_checkpoint_failed", message, { cause: error });
  }
  const { call, status, message } = error;
  if (status === notReady) {
    const problem = `the GPU was not idle within ${lockTimeoutMs / 1000} s (${message})`;
    const hint = "end or wait for kernels in a before_snapshot hook: torch.cuda.synchronize()";
    return new GpuError("gpu_checkpoint_failed", problem, { call, status, hint, cause: error });
  }
  if (status !== notSupported) return error;
  const newer = missingFeatures(driver);
  return new GpuError("gpu_unsupported", `the driver cannot capture this process (${message})`, {
    call,
    status,
    hint: `managed memory (UVM), MPS${newer.length > 0 ? ", memory shared between processes" : ""} and MIG are not captured${newer.length > 0 ? `; newer drivers bring ${newer.join(", ")}` : ""}`,
    cause: error,
  });
}

function restoreFailure(error: unknown): GpuError {
  const reason = error instanceof Error ? error.message : String(error);
  const facts = error instanceof GpuError ? { call: error.call, status: error.status } : {};
  return new GpuError("gpu_restore_failed", `the device memory did not come back: ${reason}`, {
    ...facts,
    cause: error,
  });
}
