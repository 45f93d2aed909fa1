import Docker from "dockerode";
import { z } from "zod";
import type { Environment } from "../directories.ts";
import { listEngineAddresses } from "./address.ts";

/** A live engine answers `/_ping` at once; one that does not within this time is not there. */
const pingTimeoutMs = 3_000;

/** `GET /info` of the Engine API, the parts that host set-up looks at. */
export interface EngineDescription {
  readonly ServerVersion: string;
  readonly OperatingSystem: string;
  readonly KernelVersion: string;
  /** Storage driver: `overlay2`, or the snapshotter's name with the containerd image store. */
  readonly Driver: string;
  readonly CgroupVersion: string;
  readonly CgroupDriver: string;
  readonly DockerRootDir: string;
  readonly DriverStatus?: readonly (readonly string[])[] | null | undefined;
  readonly SecurityOptions?: readonly string[] | null | undefined;
  readonly Runtimes?:
    | Readonly<Record<string, { readonly path?: string | undefined }>>
    | null
    | undefined;
}

const infoSchema: z.ZodType<EngineDescription> = z.object({
  ServerVersion: z.string(),
  OperatingSystem: z.string().default(""),
  KernelVersion: z.string().default(""),
  Driver: z.string().default(""),
  CgroupVersion: z.string().default("1"),
  CgroupDriver: z.string().default(""),
  DockerRootDir: z.string().default("/var/lib/docker"),
  DriverStatus: z.array(z.array(z.string())).nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
  Runtimes: z.record(z.string(), z.object({ path: z.string().optional() })).nullish(),
});

const noSocket = "no such socket";

/** An engine that answered, and what it said about itself. */
export interface ConnectedEngine {
  readonly docker: Docker;
  readonly host: string;
  readonly info: EngineDescription;
}

/** Finds an engine that answers now, or says which addresses were tried. */
export type ConnectEngine = (options: {
  readonly environment: Environment;
  readonly signal: AbortSignal;
}) => Promise<ConnectedEngine | EngineAbsence>;

export interface EngineAbsence {
  readonly docker?: undefined;
  /** One sentence: which addresses did not answer, and why. */
  readonly reason: string;
  /** The user pointed at this engine: installing another one would be wrong. */
  readonly isExplicit: boolean;
}

/** Tries the addresses of `listEngineAddresses` in order. Never rejects but for the signal. */
export const connectEngine: ConnectEngine = async ({ environment, signal }) => {
  const addresses = await listEngineAddresses(environment, { signal });
  const failures: string[] = [];
  for (const address of addresses) {
    try {
      const docker = openEngine(address.host);
      await call(docker, "ping", AbortSignal.any([signal, AbortSignal.timeout(pingTimeoutMs)]));
      return { docker, host: address.host, info: await describeEngine(docker, { signal }) };
    } catch (error) {
      signal.throwIfAborted();
      failures.push(`${address.host} (${address.source}): ${shortReason(error)}`);
    }
  }
  const isExplicit = addresses.some((address) => address.isExplicit);
  return { reason: `no container engine answers: ${summarize(failures)}`, isExplicit };
};

/** Sockets that do not exist say nothing: they are left out beside others that fail. */
function summarize(failures: readonly string[]): string {
  const telling = failures.filter((failure) => !failure.endsWith(noSocket));
  if (telling.length > 0) return telling.join(", ");
  return failures.length === 1 ? (failures[0] ?? "") : "there is none of Docker's usual sockets";
}

/** Asks the engine about itself: version, storage, runtimes. */
export async function describeEngine(
  docker: Docker,
  options: { signal: AbortSignal },
): Promise<EngineDescription> {
  return infoSchema.parse(await call(docker, "info", options.signal));
}

/** The builder's client also knows TLS certificates; the CLI passes it in as `connect` where that matters. */
function openEngine(host: string): Docker {
  if (host.startsWith("unix://")) return createDocker({ socketPath: host.slice("unix://".length) });
  const url = new URL(host.includes("://") ? host : `tcp://${host}`);
  const address = { host: url.hostname, username: url.username };
  if (url.protocol === "ssh:") {
    return createDocker({ ...address, protocol: "ssh", port: Number(url.port || 22) });
  }
  const protocol = url.protocol === "https:" ? "https" : "http";
  return createDocker({ ...address, protocol, port: Number(url.port || 2375) });
}

/** dockerode fills what is left out from `DOCKER_HOST` of this process; ours comes from the caller alone. */
function createDocker(options: Readonly<Record<string, unknown>>): Docker {
  const defaults = { host: undefined, socketPath: undefined, port: undefined };
  return new Docker({ ...defaults, ...options } as Docker.DockerOptions);
}

/** dockerode's types do not know the `abortSignal` that its code takes. */
async function call(
  docker: Docker,
  method: "ping" | "info",
  signal: AbortSignal,
): Promise<unknown> {
  const methods = docker as unknown as Record<
    "ping" | "info",
    (options: { abortSignal: AbortSignal }) => Promise<unknown>
  >;
  return await methods[method]({ abortSignal: signal });
}

function shortReason(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException;
  if (code === "ENOENT") return noSocket;
  if (code === "ECONNREFUSED") return "nothing listens there";
  if (code === "EACCES") return "permission denied";
  return name === "TimeoutError" || name === "AbortError" ? "no answer" : (code ?? message);
}
