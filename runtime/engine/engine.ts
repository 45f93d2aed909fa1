/** What the runtime needs of a container engine. Docker's Engine API is the first implementation. */
export interface Engine {
  info(options: { signal: AbortSignal }): Promise<EngineInfo>;
  /** The image's ID when the engine has it; pulls by digest when it does not. */
  ensureImage(image: ImageToRun, options: { signal: AbortSignal }): Promise<LocalImage>;
  create(spec: ContainerSpec, options: { signal: AbortSignal }): Promise<string>;
  start(containerId: string, options: { signal: AbortSignal }): Promise<void>;
  pause(containerId: string, options: { signal: AbortSignal }): Promise<void>;
  unpause(containerId: string, options: { signal: AbortSignal }): Promise<void>;
  /** Graceful stop, then kill after `graceMs`. A container that is gone already is no error. */
  stop(containerId: string, options: { graceMs: number; signal: AbortSignal }): Promise<void>;
  /** Force-removes; a container that is gone already is no error. */
  remove(containerId: string, options: { signal: AbortSignal }): Promise<void>;
  inspect(
    containerId: string,
    options: { signal: AbortSignal },
  ): Promise<ContainerState | undefined>;
  /** The last `lines` lines of stdout and stderr together. */
  logs(containerId: string, options: { lines: number; signal: AbortSignal }): Promise<string>;
  /** Every container that carries all of these labels, running or not. */
  list(
    labels: Readonly<Record<string, string>>,
    options: { signal: AbortSignal },
  ): Promise<readonly ContainerState[]>;
}

export interface EngineInfo {
  readonly version: string;
  /** Names of the OCI runtimes that the engine knows. */
  readonly runtimes: readonly string[];
  readonly cgroupVersion: "1" | "2";
  /** Containers' addresses and processes are reachable from this process: engine and byom share a kernel. */
  readonly isLocal: boolean;
  readonly kernelVersion: string;
  readonly cpus: number;
  readonly memoryBytes: number;
}

export interface ImageToRun {
  /** Image ID (config digest): present in the engine after a build on this machine. */
  readonly imageId: string;
  /** `registry/repository@sha256:…`, pulled when the ID is not present. */
  readonly reference: string;
}

export interface LocalImage {
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: readonly string[];
}

export interface ContainerSpec {
  readonly name: string;
  readonly imageId: string;
  /** An OCI runtime name that the engine knows; undefined: its default. */
  readonly ociRuntime?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** Also in the environment, where `docker inspect` shows it; what keys a snapshot is the digest, never a value. */
  readonly secrets?: { readonly values: Readonly<Record<string, string>>; readonly digest: string };
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly isReadOnly: boolean;
  }[];
  /** Docker network; instances cannot reach each other on it. */
  readonly network: string;
  readonly memoryBytes?: number;
  readonly cpus?: number;
  readonly pidsMax?: number;
  readonly gpus?: "all" | readonly string[];
}

export interface ContainerState {
  readonly id: string;
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly status: "created" | "running" | "paused" | "restarting" | "removing" | "exited" | "dead";
  readonly exitCode?: number;
  readonly isOutOfMemory: boolean;
  /** The init process as the host sees it; undefined when not running or not local. */
  readonly pid?: number;
  /** `host:port` at which the container's port 5000 is reached from this process. */
  readonly address?: string;
}
