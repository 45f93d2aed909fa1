/** The GPUs of this host as a snapshot must find them again. */
export interface GpuFacts {
  /** Such as `610.43.02`. */
  readonly driver: string;
  readonly devices: readonly {
    readonly index: number;
    readonly uuid: string;
    /** Such as `NVIDIA H100 80GB HBM3`. */
    readonly model: string;
    readonly memoryBytes: number;
    readonly isMig: boolean;
  }[];
}

/**
 * Moves device memory of a container's CUDA processes into host memory and back, around CRIU's dump and restore, in the
 * order lock → checkpoint → (dump or restore by CRIU) → restore → unlock (CUDA driver API, `cuCheckpointProcess*`).
 */
export interface GpuCheckpointer {
  /** Why it cannot be done here: no driver, a driver too old, MIG, MPS. Undefined: it can. */
  readonly refusal: string | undefined;
  facts(options: { signal: AbortSignal }): Promise<GpuFacts>;
  /**
   * Locks and checkpoints every CUDA process among these (host PIDs); after it CRIU sees none of the device. A step
   * that the driver has begun cannot be called back: an abort takes effect between steps.
   * On failure all are running again as before. @throws GpuError `gpu_unsupported`, `gpu_checkpoint_failed`
   */
  suspend(
    pids: readonly number[],
    options: { readonly gpus: GpuSelection; signal: AbortSignal },
  ): Promise<GpuSuspension>;
  /**
   * Gives restored processes their device memory back and lets them run. `pids`: from the PID in the container to the
   * host's.
   * @throws GpuError `gpu_restore_failed`: the instance cannot be used and must end.
   */
  resume(
    suspension: GpuSuspension,
    pids: ReadonlyMap<number, number>,
    options: { readonly gpus: GpuSelection; signal: AbortSignal },
  ): Promise<{ readonly ms: number; readonly bytes: number }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Which of the host's GPUs a container has: all, or some by index or UUID, in the container's order. */
export type GpuSelection = "all" | readonly string[];

/** What a snapshot remembers of its GPU side. */
export interface GpuSuspension {
  /** The container's devices only, in its order. */
  readonly facts: GpuFacts;
  /** CUDA processes, by their PID in the container. */
  readonly processes: readonly { readonly pid: number; readonly deviceBytes: number }[];
  readonly ms: number;
}
