import { PassThrough } from "node:stream";
import type { Container } from "dockerode";
import type { DockerEngine } from "./connect.ts";
import { EngineRequestError, requestEngine } from "./errors.ts";

/** Cog's port (cog.md, container HTTP API). */
const containerPort = "5000/tcp";

/** Seconds that a container gets between SIGTERM and SIGKILL. */
const stopGraceS = 5;

/** Creating takes tenths of a second; an engine that hangs must not hold the command for ever. */
const createTimeoutMs = 30_000;

/** Which GPUs a container sees: Docker's `--gpus all`, `--gpus 2`, `--gpus device=0,1`. */
export type GpuRequest = "all" | number | readonly string[];

export interface ContainerOptions {
  readonly engine: DockerEngine;
  readonly imageName: string;
  readonly environment?: Readonly<Record<string, string>> | undefined;
  readonly gpus?: GpuRequest | undefined;
  /** Port on this host; default: a free one. */
  readonly port?: number | undefined;
  /** In place of the image's command. */
  readonly command?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Creates and starts; a container that does not start is removed again. */
export async function startContainer(options: ContainerOptions): Promise<Container> {
  const { engine, imageName, signal } = options;
  signal?.throwIfAborted();
  // The engine carries out a creation that is cut off: it is waited for, so that no container is left over.
  const limit = AbortSignal.timeout(createTimeoutMs);
  const name = `create a container of ${imageName}`;
  const container = await requestEngine(name, { signal: limit }, () =>
    engine.docker.createContainer({
      Image: imageName,
      Env: Object.entries(options.environment ?? {}).map(([name, value]) => `${name}=${value}`),
      ...(options.command === undefined ? {} : { Cmd: [...options.command] }),
      Labels: { "byom.role": "run" },
      ExposedPorts: { [containerPort]: {} },
      HostConfig: {
        // Without the loopback address the model would be open to the whole network.
        PortBindings: {
          [containerPort]: [
            {
              HostIp: engine.publishedHost === "127.0.0.1" ? "127.0.0.1" : "0.0.0.0",
              HostPort: options.port === undefined ? "" : String(options.port),
            },
          ],
        },
        ExtraHosts: ["host.docker.internal:host-gateway"],
        ...(options.gpus === undefined ? {} : { DeviceRequests: [renderGpus(options.gpus)] }),
      },
      abortSignal: limit,
    }),
  );
  try {
    signal?.throwIfAborted();
    await requestEngine(`start a container of ${imageName}`, { signal, hint: startHint }, () =>
      container.start(signal === undefined ? {} : { abortSignal: signal }),
    );
    return container;
  } catch (error) {
    await removeContainer(container);
    throw error;
  }
}

const startHint =
  "for GPUs the NVIDIA Container Toolkit must be installed; for a port, another program must not hold it";

/** `http://host:port` at which the container's server is reached from here. */
export async function findOrigin(options: {
  engine: DockerEngine;
  container: Container;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const { engine, container, signal } = options;
  const info = await requestEngine("inspect the container", { signal }, () => container.inspect());
  const port = info.NetworkSettings.Ports[containerPort]?.[0]?.HostPort;
  if (port !== undefined) return `http://${engine.publishedHost}:${port}`;
  throw new EngineRequestError({
    operation: "find the container's port",
    cause: new Error("the engine published none; the container has ended or never listened"),
  });
}

/** Standard output and error together, as far as the engine keeps them. */
export async function readLogs(options: {
  engine: DockerEngine;
  container: Container;
  lines?: number | undefined;
  /** Default: both. */
  streams?: "both" | "stdout";
}): Promise<string> {
  const { engine, container, lines, streams = "both" } = options;
  const bytes = await container.logs({
    stdout: true,
    stderr: streams === "both",
    follow: false,
    ...(lines === undefined ? {} : { tail: lines }),
  });
  return demultiplex(engine, bytes);
}

/** The engine frames both streams into one (Engine API, "Attach to a container"); their order is kept. */
function demultiplex(engine: DockerEngine, bytes: Buffer): string {
  const pieces: Buffer[] = [];
  const sink = new PassThrough();
  sink.write = (piece: Buffer) => {
    pieces.push(Buffer.from(piece));
    return true;
  };
  const source = new PassThrough();
  engine.docker.modem.demuxStream(source, sink, sink);
  source.emit("data", bytes);
  return Buffer.concat(pieces).toString("utf8");
}

/** Stops with a grace time and removes; a container that is gone already is no error. */
export async function stopContainer(container: Container): Promise<void> {
  try {
    await container.stop({ t: stopGraceS });
  } catch {
    // Removal below is forced: what did not stop is killed.
  }
  await removeContainer(container);
}

export async function removeContainer(container: Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    const { statusCode } = error as { statusCode?: number };
    // 404: gone; 409: being removed.
    if (statusCode !== 404 && statusCode !== 409) throw error;
  }
}

function renderGpus(gpus: GpuRequest): {
  Driver: string;
  Count: number;
  DeviceIDs: string[];
  Capabilities: string[][];
} {
  const isList = typeof gpus === "object";
  return {
    Driver: "",
    Count: isList ? 0 : gpus === "all" ? -1 : gpus,
    DeviceIDs: isList ? [...gpus] : [],
    Capabilities: [["gpu"]],
  };
}
