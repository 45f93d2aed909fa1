import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

/** Where an engine may listen, and what names it to the user. */
export interface EngineEndpoint {
  /** `unix://…`, `tcp://…`, `ssh://…` as Docker writes it. */
  readonly address: string;
  /** `DOCKER_HOST`, `Docker context "remote"`, `usual socket`. */
  readonly source: string;
  /** Folder with ca.pem, cert.pem and key.pem for TLS. */
  readonly certificates?: string;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** One place to look: no endpoint means that it does not apply here, and the next one is asked. */
type EndpointStrategy = (environment: Environment) => Promise<readonly EngineEndpoint[]>;

/**
 * Endpoints to try, in order. As the docker command does: `DOCKER_HOST` alone decides, then a chosen context
 * alone; the usual sockets are tried only when neither says anything.
 */
export async function findEndpoints(environment: Environment): Promise<readonly EngineEndpoint[]> {
  const strategies: readonly EndpointStrategy[] = [fromDockerHost, fromContext, fromUsualSockets];
  for (const strategy of strategies) {
    const endpoints = await strategy(environment);
    if (endpoints.length > 0) return endpoints;
  }
  return [];
}

const fromDockerHost: EndpointStrategy = async (environment) => {
  const address = environment["DOCKER_HOST"];
  if (address === undefined || address === "") return [];
  const verifies = (environment["DOCKER_TLS_VERIFY"] ?? "") !== "";
  const certificates = environment["DOCKER_CERT_PATH"] ?? dockerConfigFolder(environment);
  return [{ address, source: "DOCKER_HOST", ...(verifies ? { certificates } : {}) }];
};

const configSchema = z.object({ currentContext: z.string().optional() });

/** cli/context/store of Docker's command line: `contexts/meta/<sha256 of the name>/meta.json`. */
const contextSchema = z.object({
  Endpoints: z.object({ docker: z.object({ Host: z.string().optional() }).optional() }),
});

const fromContext: EndpointStrategy = async (environment) => {
  const folder = dockerConfigFolder(environment);
  const config = configSchema.safeParse(await readJson(join(folder, "config.json")));
  const name = environment["DOCKER_CONTEXT"] ?? config.data?.currentContext;
  if (name === undefined || name === "" || name === "default") return [];
  const id = createHash("sha256").update(name).digest("hex");
  const source = `Docker context "${name}"`;
  const meta = contextSchema.safeParse(
    await readJson(join(folder, "contexts", "meta", id, "meta.json")),
  );
  const address = meta.data?.Endpoints.docker?.Host;
  if (address === undefined || address === "") return [{ address: `context:${name}`, source }];
  const certificates = join(folder, "contexts", "tls", id, "docker");
  return [{ address, source, ...(address.startsWith("tcp:") ? { certificates } : {}) }];
};

const fromUsualSockets: EndpointStrategy = async (environment) => {
  const home = environment["HOME"] ?? homedir();
  const runtimeFolder = environment["XDG_RUNTIME_DIR"];
  const paths = [
    "/var/run/docker.sock",
    ...(runtimeFolder === undefined ? [] : [join(runtimeFolder, "docker.sock")]),
    join(home, ".docker", "run", "docker.sock"),
  ];
  return paths.map((path) => ({ address: `unix://${path}`, source: "usual socket" }));
};

function dockerConfigFolder(environment: Environment): string {
  return environment["DOCKER_CONFIG"] ?? join(environment["HOME"] ?? homedir(), ".docker");
}

/** Undefined when the file is missing or not JSON: then it says nothing about the engine. */
async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined;
  }
}
