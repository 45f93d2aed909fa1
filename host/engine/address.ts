import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Environment } from "../directories.ts";

/** Where an engine may answer, and how that address was found. */
export interface EngineAddress {
  /** `unix:///var/run/docker.sock`, `tcp://host:2375`, `ssh://…`. */
  readonly host: string;
  /** `DOCKER_HOST`, `context remote`, `usual socket`. */
  readonly source: string;
  /** The user named this engine: nothing else is tried, nothing else is installed. */
  readonly isExplicit: boolean;
}

/**
 * Addresses at which an engine may be, in the docker CLI's order: DOCKER_HOST, DOCKER_CONTEXT, the current context
 * of the CLI's configuration, then the usual sockets of Docker Engine, rootless Docker and Docker Desktop.
 */
export async function listEngineAddresses(
  environment: Environment,
  options: { signal: AbortSignal },
): Promise<readonly EngineAddress[]> {
  const host = environment["DOCKER_HOST"];
  if (host) return [{ host, source: "DOCKER_HOST", isExplicit: true }];
  const home = environment["HOME"] ?? "/";
  const configDirectory = environment["DOCKER_CONFIG"] || join(home, ".docker");
  const context =
    environment["DOCKER_CONTEXT"] || (await readCurrentContext(configDirectory, options.signal));
  if (context && context !== "default") {
    const address = await readContextHost(configDirectory, context, options.signal);
    if (address) return [{ host: address, source: `context ${context}`, isExplicit: true }];
  }
  const runDirectory = environment["XDG_RUNTIME_DIR"];
  const sockets = [
    "/var/run/docker.sock",
    ...(runDirectory ? [join(runDirectory, "docker.sock")] : []),
    join(home, ".docker/run/docker.sock"),
    join(home, ".docker/desktop/docker.sock"),
    join(home, ".colima/default/docker.sock"),
  ];
  return sockets.map((socket) => ({
    host: `unix://${socket}`,
    source: "usual socket",
    isExplicit: false,
  }));
}

async function readCurrentContext(
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const settings = await readJson(join(directory, "config.json"), signal);
  const context = (settings as { currentContext?: unknown } | undefined)?.currentContext;
  return typeof context === "string" ? context : undefined;
}

/** The docker CLI stores a context's metadata under the SHA-256 of its name. */
async function readContextHost(
  directory: string,
  context: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const folder = createHash("sha256").update(context).digest("hex");
  const meta = await readJson(join(directory, "contexts/meta", folder, "meta.json"), signal);
  const host = (meta as { Endpoints?: { docker?: { Host?: unknown } } } | undefined)?.Endpoints
    ?.docker?.Host;
  return typeof host === "string" ? host : undefined;
}

async function readJson(file: string, signal: AbortSignal): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, { encoding: "utf8", signal }));
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
