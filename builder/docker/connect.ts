import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { findEndpoints } from "./endpoint.ts";
import type { EngineEndpoint, Environment } from "./endpoint.ts";
import { EngineUnavailableError, requestEngine } from "./errors.ts";

/** A container engine that answered. */
export interface DockerEngine {
  readonly docker: Docker;
  readonly endpoint: EngineEndpoint;
  readonly apiVersion: string;
  readonly version: string;
  /** Host under which ports that the engine publishes are reached from here. */
  readonly publishedHost: string;
  /** Where images live: it decides which load archive the engine takes. Asked once. */
  imageStore(options?: { signal?: AbortSignal | undefined }): Promise<ImageStore>;
}

export type ImageStore = "graphdriver" | "containerd";

/** A local engine answers in milliseconds; one behind ssh needs a handshake. */
const answerTimeoutMs = 5_000;

/**
 * Finds the engine and proves that it answers.
 * @throws EngineUnavailableError naming every place that was tried.
 */
export async function connectEngine(options: {
  environment: Environment;
  signal?: AbortSignal | undefined;
}): Promise<DockerEngine> {
  const tried: { endpoint: string; problem: string }[] = [];
  for (const endpoint of await findEndpoints(options.environment)) {
    options.signal?.throwIfAborted();
    const name = `${endpoint.address} from ${endpoint.source}`;
    try {
      return await connectEndpoint({ endpoint, environment: options.environment });
    } catch (error) {
      tried.push({ endpoint: name, problem: describeFailure(error) });
    }
  }
  options.signal?.throwIfAborted();
  const denied = tried.some(({ problem }) => problem.startsWith("permission denied"));
  const hint =
    "join the docker group (sudo usermod -aG docker $USER, then log in again) or use sudo";
  throw new EngineUnavailableError({ tried, ...(denied ? { hint } : {}) });
}

async function connectEndpoint(options: {
  endpoint: EngineEndpoint;
  environment: Environment;
}): Promise<DockerEngine> {
  const { endpoint, environment } = options;
  const docker = await createClient({ endpoint, environment });
  const version = await withDeadline(docker.version(), answerTimeoutMs);
  let store: Promise<ImageStore> | undefined;
  return {
    docker,
    endpoint,
    apiVersion: version.ApiVersion,
    version: version.Version,
    publishedHost: publishedHostOf(endpoint),
    imageStore: async (request = {}) => {
      store ??= findImageStore(docker, request);
      return await store;
    },
  };
}

async function createClient(options: {
  endpoint: EngineEndpoint;
  environment: Environment;
}): Promise<Docker> {
  const { address, certificates } = options.endpoint;
  if (address.startsWith("unix://")) return createDocker({ socketPath: address.slice(7) });
  if (address.startsWith("npipe://")) return createDocker({ socketPath: address.slice(8) });
  const url = URL.parse(address.includes("://") ? address : `tcp://${address}`);
  if (url === null) throw new Error("this is no address of an engine");
  const { hostname: host, username } = url;
  if (url.protocol === "ssh:") {
    const agent = options.environment["SSH_AUTH_SOCK"];
    const user = decodeURIComponent(username);
    const port = url.port === "" ? 22 : Number(url.port);
    return createDocker({ protocol: "ssh", host, username: user, port, sshOptions: { agent } });
  }
  if (url.protocol !== "tcp:" && url.protocol !== "http:" && url.protocol !== "https:")
    throw new Error(`byom cannot reach engines by ${url.protocol}//`);
  const tls = await readCertificates(certificates);
  const isTls = tls !== undefined || url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 2376 : 2375) : Number(url.port);
  return createDocker({ protocol: isTls ? "https" : "http", host, port, ...tls });
}

/** dockerode fills what is left out from `DOCKER_HOST` of this process; ours comes from the caller alone. */
async function createDocker(options: Readonly<Record<string, unknown>>): Promise<Docker> {
  // Loaded with the first engine: its gRPC and ssh2 cost a fifth of a second, which planning does without.
  const { default: Client } = await import("dockerode");
  const defaults = { host: undefined, socketPath: undefined, port: undefined };
  return new Client({ ...defaults, ...options } as Docker.DockerOptions);
}

async function readCertificates(
  folder: string | undefined,
): Promise<{ ca: Buffer; cert: Buffer; key: Buffer } | undefined> {
  if (folder === undefined) return undefined;
  const [ca, cert, key] = await Promise.all(
    ["ca.pem", "cert.pem", "key.pem"].map((name) => readFile(join(folder, name))),
  );
  if (ca === undefined || cert === undefined || key === undefined) return undefined;
  return { ca, cert, key };
}

function publishedHostOf(endpoint: EngineEndpoint): string {
  if (!/^(tcp|http|https|ssh):/.test(endpoint.address)) return "127.0.0.1";
  return URL.parse(endpoint.address)?.hostname ?? "127.0.0.1";
}

async function findImageStore(
  docker: Docker,
  options: { signal?: AbortSignal | undefined },
): Promise<ImageStore> {
  const info: unknown = await requestEngine("ask the engine about its image store", options, () =>
    docker.info(),
  );
  return JSON.stringify(info).includes("io.containerd.snapshotter.v1")
    ? "containerd"
    : "graphdriver";
}

async function withDeadline<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const timer = setTimeout(() => deadline.reject(new Error("no answer")), timeoutMs);
  try {
    return await Promise.race([work, deadline.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function describeFailure(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") return "nothing listens there";
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "EACCES" || code === "EPERM") return "permission denied";
  return error instanceof Error ? error.message : String(error);
}
