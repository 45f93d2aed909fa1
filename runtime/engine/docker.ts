import { existsSync } from "node:fs";
import { release } from "node:os";

import type Docker from "dockerode";
import type { AuthConfig, ContainerInspectInfo } from "dockerode";

import { EngineError } from "../errors.ts";
import { containerOptions, containerPort } from "./container-options.ts";
import { callEngine, statusCodeOf } from "./docker-error.ts";
import { demultiplex } from "./docker-log.ts";
import type {
  ContainerSpec,
  ContainerState,
  Engine,
  EngineInfo,
  ImageToRun,
  LocalImage,
} from "./engine.ts";

export interface DockerEngineOptions {
  readonly docker: Docker;
  /**
   * The engine is reached through a Unix socket of this machine. Together with an equal kernel and a visible data
   * directory that means: containers' addresses and processes can be reached from here.
   */
  readonly isUnixSocket: boolean;
  /** Credentials for a pull; asked with the reference's registry. */
  readonly credentials?: (registry: string) => Promise<AuthConfig | undefined>;
}

/** Creating or removing a container takes tenths of a second; an engine that hangs must not hold its callers for ever. */
const createTimeoutMs = 30_000;

/** Engine over Docker's Engine API (1.41 and newer). */
export function createDockerEngine(options: DockerEngineOptions): Engine {
  return new DockerEngine(options);
}

class DockerEngine implements Engine {
  readonly #docker: Docker;
  readonly #options: DockerEngineOptions;
  /** Networks seen or made by this process. */
  readonly #networks = new Set<string>();
  #info: EngineInfo | undefined;

  constructor(options: DockerEngineOptions) {
    this.#docker = options.docker;
    this.#options = options;
  }

  async info({ signal }: { signal: AbortSignal }): Promise<EngineInfo> {
    const facts = (await callEngine("read the engine's facts", signal, () =>
      withAbort(this.#docker.info(), signal),
    )) as EngineFacts;
    this.#info = {
      version: facts.ServerVersion,
      runtimes: Object.keys(facts.Runtimes ?? {}),
      cgroupVersion: facts.CgroupVersion === "2" ? "2" : "1",
      isLocal:
        this.#options.isUnixSocket &&
        facts.OperatingSystem !== "Docker Desktop" &&
        facts.KernelVersion === release() &&
        existsSync(facts.DockerRootDir),
      kernelVersion: facts.KernelVersion,
      cpus: facts.NCPU,
      memoryBytes: facts.MemTotal,
    };
    return this.#info;
  }

  async ensureImage(image: ImageToRun, { signal }: { signal: AbortSignal }): Promise<LocalImage> {
    const present = await this.#findImage(image.imageId, signal);
    if (present !== undefined) return present;
    await this.#pull(image.reference, signal);
    const pulled = await this.#findImage(image.reference, signal);
    if (pulled !== undefined) return pulled;
    throw new EngineError("image_not_found", `${image.reference} was pulled but is not there`);
  }

  async create(spec: ContainerSpec, { signal }: { signal: AbortSignal }): Promise<string> {
    const { isLocal } = this.#info ?? (await this.info({ signal }));
    await this.#ensureNetwork(spec.network, signal);
    const body = containerOptions(spec, { isPublished: !isLocal });
    signal.throwIfAborted();
    // The engine carries out a creation that is cut off: it is waited for, so that nothing is left that nobody knows.
    const limit = AbortSignal.timeout(createTimeoutMs);
    const { id } = await callEngine(`create container ${spec.name}`, limit, () =>
      this.#docker.createContainer({ ...body, abortSignal: limit }),
    );
    if (signal.aborted) await this.remove(id, { signal: AbortSignal.timeout(createTimeoutMs) });
    signal.throwIfAborted();
    return id;
  }

  async start(containerId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#act("start", containerId, signal, (container) =>
      container.start({ abortSignal: signal }),
    );
  }

  async pause(containerId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#act("pause", containerId, signal, (container) =>
      container.pause({ abortSignal: signal }),
    );
  }

  async unpause(containerId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    await this.#act("unpause", containerId, signal, (container) =>
      container.unpause({ abortSignal: signal }),
    );
  }

  async stop(
    containerId: string,
    { graceMs, signal }: { graceMs: number; signal: AbortSignal },
  ): Promise<void> {
    await ignoring([304, 404], () =>
      this.#act("stop", containerId, signal, (container) =>
        container.stop({ t: Math.ceil(graceMs / 1000), abortSignal: signal }),
      ),
    );
  }

  async remove(containerId: string, { signal }: { signal: AbortSignal }): Promise<void> {
    // 409: its removal is already in progress.
    await ignoring([404, 409], () =>
      this.#act("remove", containerId, signal, (container) =>
        container.remove({ force: true, v: true, abortSignal: signal }),
      ),
    );
  }

  async inspect(
    containerId: string,
    { signal }: { signal: AbortSignal },
  ): Promise<ContainerState | undefined> {
    const { isLocal } = this.#info ?? (await this.info({ signal }));
    try {
      const facts = await callEngine(`inspect container ${short(containerId)}`, signal, () =>
        this.#docker.getContainer(containerId).inspect({ abortSignal: signal }),
      );
      return containerState(facts, isLocal);
    } catch (error) {
      if (statusCodeOf(error) === 404) return undefined;
      throw error;
    }
  }

  async logs(
    containerId: string,
    { lines, signal }: { lines: number; signal: AbortSignal },
  ): Promise<string> {
    const output = await callEngine(`read the log of ${short(containerId)}`, signal, () =>
      this.#docker.getContainer(containerId).logs({
        stdout: true,
        stderr: true,
        follow: false,
        tail: lines,
        abortSignal: signal,
      }),
    );
    return demultiplex(output);
  }

  async list(
    labels: Readonly<Record<string, string>>,
    { signal }: { signal: AbortSignal },
  ): Promise<readonly ContainerState[]> {
    const label = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
    const found = await callEngine("list containers", signal, () =>
      this.#docker.listContainers({ all: true, filters: { label }, abortSignal: signal }),
    );
    const states = await Promise.all(found.map(({ Id }) => this.inspect(Id, { signal })));
    return states.filter((state) => state !== undefined);
  }

  async #act(
    verb: string,
    containerId: string,
    signal: AbortSignal,
    call: (container: Docker.Container) => Promise<unknown>,
  ): Promise<void> {
    await callEngine(`${verb} container ${short(containerId)}`, signal, () =>
      call(this.#docker.getContainer(containerId)),
    );
  }

  async #findImage(name: string, signal: AbortSignal): Promise<LocalImage | undefined> {
    try {
      const facts = await callEngine(`inspect image ${name}`, signal, () =>
        withAbort(this.#docker.getImage(name).inspect(), signal),
      );
      return {
        imageId: facts.Id,
        labels: facts.Config.Labels ?? {},
        environment: facts.Config.Env ?? [],
      };
    } catch (error) {
      if (statusCodeOf(error) === 404) return undefined;
      throw error;
    }
  }

  async #pull(reference: string, signal: AbortSignal): Promise<void> {
    const registry = reference.split("/")[0] ?? "";
    const authconfig = await this.#options.credentials?.(registry);
    try {
      await callEngine(`pull ${reference}`, signal, async () => {
        const progress = await this.#docker.pull(reference, {
          abortSignal: signal,
          ...(authconfig === undefined ? {} : { authconfig }),
        });
        await followPull(this.#docker, progress);
      });
    } catch (error) {
      if (!(error instanceof EngineError) || error.code === "engine_unreachable") throw error;
      throw new EngineError("image_pull_failed", error.message, {
        cause: error,
        statusCode: error.statusCode,
        hint: "check that the engine reaches the registry (`docker pull` with this reference) and its credentials",
      });
    }
  }

  /** A bridge on which containers reach the outside but not each other. */
  async #ensureNetwork(name: string, signal: AbortSignal): Promise<void> {
    if (this.#networks.has(name) || ["bridge", "none", "host"].includes(name)) return;
    try {
      await callEngine(`inspect network ${name}`, signal, () =>
        withAbort(this.#docker.getNetwork(name).inspect(), signal),
      );
    } catch (error) {
      if (statusCodeOf(error) !== 404) throw error;
      // 409: another process was faster.
      await ignoring([409], () =>
        callEngine(`create network ${name}`, signal, () =>
          this.#docker.createNetwork({
            Name: name,
            Driver: "bridge",
            CheckDuplicate: true,
            Labels: { "byom.network": "instances" },
            Options: { "com.docker.network.bridge.enable_icc": "false" },
            abortSignal: signal,
          }),
        ),
      );
    }
    this.#networks.add(name);
  }
}

/** The fields of `GET /info` that are read; dockerode leaves them untyped. */
interface EngineFacts {
  readonly ServerVersion: string;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
  readonly CgroupVersion?: string;
  readonly OperatingSystem: string;
  readonly KernelVersion: string;
  readonly DockerRootDir: string;
  readonly NCPU: number;
  readonly MemTotal: number;
}

function containerState(facts: ContainerInspectInfo, isLocal: boolean): ContainerState {
  const { State: state } = facts;
  const status = state.Status as ContainerState["status"];
  const hasExited = status === "exited" || status === "dead";
  const address = isLocal ? ownAddress(facts) : publishedAddress(facts);
  return {
    id: facts.Id,
    name: facts.Name.replace(/^\//, ""),
    imageId: facts.Image,
    labels: facts.Config.Labels ?? {},
    status,
    isOutOfMemory: state.OOMKilled,
    ...(hasExited ? { exitCode: state.ExitCode } : {}),
    ...(isLocal && state.Pid > 0 ? { pid: state.Pid } : {}),
    ...(address === undefined ? {} : { address }),
  };
}

function ownAddress(facts: ContainerInspectInfo): string | undefined {
  const networks = Object.values(facts.NetworkSettings.Networks ?? {});
  const ip = networks.map((network) => network.IPAddress).find((address) => address !== "");
  return ip === undefined ? undefined : `${ip}:5000`;
}

function publishedAddress(facts: ContainerInspectInfo): string | undefined {
  const port = facts.NetworkSettings.Ports?.[containerPort]?.[0]?.HostPort;
  return port === undefined || port === "" ? undefined : `127.0.0.1:${port}`;
}

/** Resolves when the pull has ended; a failure arrives as a record in the stream, after a 200. */
async function followPull(docker: Docker, progress: NodeJS.ReadableStream): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(
      progress,
      (error: Error | null, records: readonly { error?: string }[] | null) => {
        const failure = records?.find((record) => record.error !== undefined)?.error;
        if (error !== null) reject(error);
        else if (failure !== undefined) reject(new Error(failure));
        else resolve();
      },
    );
  });
}

async function ignoring(
  statusCodes: readonly number[],
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const statusCode = statusCodeOf(error);
    if (statusCode === undefined || !statusCodes.includes(statusCode)) throw error;
  }
}

/** For calls of dockerode that take no signal: the answer is dropped when the signal fires. */
async function withAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

function short(containerId: string): string {
  return containerId.slice(0, 12);
}
