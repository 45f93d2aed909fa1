import { access, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { findProgram, lastLines, tryCommand } from "../command.ts";
import { startDetached } from "../detached.ts";
import { type Directories, type Environment, hostPaths } from "../directories.ts";
import { HostError } from "../errors.ts";
import { type Distribution, installPackages } from "../packages/distribution.ts";
import { waitFor } from "../wait.ts";
import type { ConnectedEngine, ConnectEngine } from "./connect.ts";

/** dockerd is ready in 2 to 5 s; its first start on a slow disk takes longer. */
const readyTimeoutMs = 60_000;
/** A package's own script may have started the service already. */
const startedByPackageTimeoutMs = 1_500;
/** The service script has returned; its dockerd may also have died of a limit that it may not raise. */
const serviceReadyTimeoutMs = 20_000;
/** One attempt to start through an init system; what counts is whether the engine answers. */
const serviceTimeoutMs = 60_000;

/** The engine, the tools that it needs for container networks, and the command-line client where it is separate. */
export const enginePackages: readonly string[] = ["docker.io", "iptables", "docker-cli?"];

export interface EngineStartOptions {
  readonly directories: Directories;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly connect: ConnectEngine;
  readonly onLine?: (line: string) => void;
}

/** Installs Docker Engine from the distribution's packages. */
export async function installEngine(
  distribution: Distribution,
  options: EngineStartOptions,
): Promise<void> {
  await installPackages(enginePackages, distribution, options);
}

/** How dockerd is started on this host, in the order it is tried. */
export async function describeStart(environment: Environment): Promise<string> {
  if (await hasSystemd()) return "systemctl enable --now docker";
  const service = await findProgram("service", { environment });
  return service !== undefined && (await hasServiceScript())
    ? "service docker start, else dockerd in the background"
    : "dockerd in the background";
}

/**
 * Starts the installed dockerd and waits until it answers: by systemd where it runs, else by its service script,
 * else detached with the log in byom's folder.
 * @throws HostError HOST_ENGINE_START_FAILED with the last lines of the log.
 */
export async function startEngine(options: EngineStartOptions): Promise<ConnectedEngine> {
  const { environment, signal } = options;
  const early = await waitUntilReady(options, startedByPackageTimeoutMs);
  if (early !== undefined) return early;
  const onService = { ...options, timeoutMs: serviceTimeoutMs };
  if (await hasSystemd()) {
    await tryCommand(["systemctl", "enable", "--now", "docker"], onService);
    const engine = await waitUntilReady(options, readyTimeoutMs);
    if (engine !== undefined) return engine;
    const journal = await tryCommand(
      ["journalctl", "-u", "docker", "-n", "20", "--no-pager"],
      options,
    );
    throw startFailed("journalctl -u docker", journal.output);
  }
  if (await hasServiceScript()) {
    await removeStalePidFile("/var/run/docker.pid");
    const service = await tryCommand(["service", "docker", "start"], onService);
    const engine = service.exitCode === 0 && (await waitUntilReady(options, serviceReadyTimeoutMs));
    if (engine) return engine;
  }
  const log = join(hostPaths(options.directories).log, "dockerd.log");
  await removeStalePidFile("/var/run/docker.pid");
  const dockerd = await findProgram("dockerd", { environment });
  if (dockerd === undefined) throw startFailed(log, "dockerd: not found");
  await startDetached([dockerd], { environment: daemonEnvironment(environment), log, signal });
  const engine = await waitUntilReady(options, readyTimeoutMs);
  if (engine !== undefined) return engine;
  throw startFailed(log, await readFile(log, "utf8").catch(() => ""));
}

async function waitUntilReady(
  options: EngineStartOptions,
  timeoutMs: number,
): Promise<ConnectedEngine | undefined> {
  const look = async (): Promise<ConnectedEngine | undefined> => {
    const found = await options.connect(options);
    return found.docker === undefined ? undefined : found;
  };
  return await waitFor(look, { timeoutMs, signal: options.signal });
}

/** `systemctl` may be installed where systemd is not process 1; this folder exists only where it is. */
async function hasSystemd(): Promise<boolean> {
  return await access("/run/systemd/system").then(
    () => true,
    () => false,
  );
}

async function hasServiceScript(): Promise<boolean> {
  return await access("/etc/init.d/docker").then(
    () => true,
    () => false,
  );
}

/** dockerd refuses to start beside a pid file whose pid is alive again, as somebody else, after a reboot. */
async function removeStalePidFile(file: string): Promise<void> {
  const pid = (await readFile(file, "utf8").catch(() => "")).trim();
  if (pid === "") return;
  const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
  if (name.trim() !== "dockerd") await rm(file, { force: true });
}

/** Proxies and certificates of the caller reach dockerd; the npm script's own variables do not. */
function daemonEnvironment(environment: Environment): Environment {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => !name.startsWith("npm_") && name !== "NODE_OPTIONS" && name !== "DOCKER_HOST",
    ),
  );
}

function startFailed(log: string, output: string): HostError {
  return new HostError("HOST_ENGINE_START_FAILED", "dockerd was started but does not answer", {
    output: lastLines(output, 20),
    hint: `See ${log}; start it by hand (\`dockerd\`), then run: byom host setup`,
  });
}
