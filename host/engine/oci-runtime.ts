import { chmod, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { findProgram } from "../command.ts";
import { type Directories, type Environment, hostPaths } from "../directories.ts";
import { HostError } from "../errors.ts";
import { waitFor } from "../wait.ts";
import { type ConnectedEngine, describeEngine } from "./connect.ts";
import type { LocalDaemon } from "./daemon.ts";
import {
  addRuntime,
  backUpDaemonSettings,
  isSameJson,
  readDaemonSettings,
  removeRuntime,
  restoreDaemonSettings,
  withRuntimesKey,
  writeDaemonSettings,
} from "./daemon-settings.ts";

/** dockerd reloads its settings within milliseconds of a SIGHUP. */
const reloadTimeoutMs = 10_000;

/** As the runtime's `ociRuntimeName`, which a test compares; loading that room for a word would cost every command. */
export const ociRuntimeName = "byom";

export interface OciRuntimeOptions {
  readonly directories: Directories;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  /** See HostSettings. */
  readonly hugePages?: boolean | undefined;
}

/** The wrapper's text for this host; undefined when there is no runc to wrap. */
export async function renderHostWrapper(options: OciRuntimeOptions): Promise<string | undefined> {
  const runc = (await findProgram("runc", options)) ?? (await findProgram("docker-runc", options));
  if (runc === undefined) return undefined;
  const { renderWrapper } = await import("../../runtime/index.ts");
  const { bin } = hostPaths(options.directories);
  return await renderWrapper({
    runc,
    criuDirectory: bin,
    ...(options.hugePages !== undefined && { hugePages: options.hugePages }),
  });
}

/** Whether the engine knows our wrapper at this path and the installed script is the one we would write now. */
export async function isOciRuntimeCurrent(
  engine: ConnectedEngine,
  options: OciRuntimeOptions,
): Promise<boolean> {
  const path = hostPaths(options.directories).ociRuntime;
  if (engine.info.Runtimes?.[ociRuntimeName]?.path !== path) return false;
  const installed = await readFile(path, "utf8").catch(() => undefined);
  return installed !== undefined && installed === (await renderHostWrapper(options));
}

/**
 * Installs the wrapper, registers it in dockerd's settings and lets dockerd read them again (SIGHUP: no container
 * notices), then asks the engine whether it knows it.
 * @throws HostError HOST_RUNTIME_NOT_REGISTERED when it does not; the settings are then as they were.
 */
export async function registerOciRuntime(
  engine: ConnectedEngine,
  daemon: LocalDaemon,
  options: OciRuntimeOptions,
): Promise<{ name: string; path: string }> {
  const { ociRuntime: path } = hostPaths(options.directories);
  const script = await renderHostWrapper(options);
  if (script === undefined) {
    throw new HostError("HOST_RUNTIME_NOT_REGISTERED", "there is no runc on this host to wrap", {
      hint: "Install runc (Debian: apt-get install runc), then run: byom host setup",
    });
  }
  await installScript(path, script);
  const runtime = { name: ociRuntimeName, path };
  const former = await readDaemonSettings(daemon.settingsFile, options);
  const next = addRuntime(former, runtime);
  if (!isSameJson(next, former)) {
    await backUpDaemonSettings(daemon.settingsFile);
    await writeDaemonSettings(daemon.settingsFile, next, options);
  }
  if (await reload(engine, daemon, (known) => known === path, options)) return runtime;
  await restoreDaemonSettings(daemon.settingsFile, former, options);
  throw new HostError(
    "HOST_RUNTIME_NOT_REGISTERED",
    `dockerd did not take the runtime ${ociRuntimeName} from ${daemon.settingsFile}`,
    {
      hint: `See dockerd's log: a key that is also a dockerd flag (such as --add-runtime) makes it refuse the file`,
    },
  );
}

/** Takes exactly our key out of dockerd's settings and removes the script. True when there was one. */
export async function unregisterOciRuntime(
  target: { engine?: ConnectedEngine; daemon?: LocalDaemon; settingsFile: string },
  options: OciRuntimeOptions,
): Promise<boolean> {
  const former = await readDaemonSettings(target.settingsFile, options);
  const next = removeRuntime(former, ociRuntimeName);
  if (next !== former) {
    if (target.engine !== undefined && target.daemon !== undefined) {
      // dockerd keeps the runtimes that it knows when the key is gone; an empty one makes it forget them.
      await writeDaemonSettings(target.settingsFile, withRuntimesKey(next), options);
      await reload(target.engine, target.daemon, (known) => known === undefined, options);
    }
    await restoreDaemonSettings(target.settingsFile, next, options);
  }
  await rm(hostPaths(options.directories).ociRuntime, { force: true });
  return next !== former;
}

async function reload(
  engine: ConnectedEngine,
  daemon: LocalDaemon,
  isAsWanted: (path: string | undefined) => boolean,
  options: OciRuntimeOptions,
): Promise<boolean> {
  process.kill(daemon.pid, "SIGHUP");
  const look = async (): Promise<true | undefined> => {
    const { Runtimes } = await describeEngine(engine.docker, options);
    return isAsWanted(Runtimes?.[ociRuntimeName]?.path) ? true : undefined;
  };
  const limits = { timeoutMs: reloadTimeoutMs, signal: options.signal };
  return (await waitFor(look, limits)) === true;
}

/** Replaces the script in one step: dockerd may call it at any moment. */
async function installScript(path: string, script: string): Promise<void> {
  const part = `${path}.part`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(part, script);
  await chmod(part, 0o755);
  await rename(part, path);
}
