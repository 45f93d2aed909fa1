import { readdir, readFile } from "node:fs/promises";
import { release } from "node:os";
import type { ConnectedEngine } from "./connect.ts";

/** The dockerd process on this host that serves an engine, and where it reads its settings. */
export interface LocalDaemon {
  readonly pid: number;
  readonly settingsFile: string;
}

/** Whether byom may set this engine up, with what stands in the way when not. */
export type EngineControl =
  | { readonly isControllable: true; readonly daemon: LocalDaemon }
  | { readonly isControllable: false; readonly reason: string; readonly hint: string };

const usualSettingsFile = "/etc/docker/daemon.json";

/** Finds out whether the engine is dockerd on this very kernel, run by root, and whether we are root too. */
export async function inspectControl(
  engine: ConnectedEngine,
  options: { isRoot: boolean; signal: AbortSignal },
): Promise<EngineControl> {
  const { info, host } = engine;
  if (!host.startsWith("unix://") || info.KernelVersion !== release()) {
    const name = info.OperatingSystem.includes("Docker Desktop")
      ? "Docker Desktop's engine runs in a virtual machine"
      : `the engine at ${host} runs on another machine`;
    return {
      isControllable: false,
      reason: name,
      hint: "Snapshots need Docker Engine on the machine where byom runs: unset DOCKER_HOST or switch the context there, then run: byom host setup",
    };
  }
  if (info.SecurityOptions?.some((option) => option.includes("rootless")) === true) {
    return {
      isControllable: false,
      reason: "the engine runs rootless",
      hint: "CRIU needs root: install Docker Engine as root (byom host setup does it where no engine answers)",
    };
  }
  if (!options.isRoot) {
    return {
      isControllable: false,
      reason: "this user is not root",
      hint: "Run once as root: sudo byom host setup",
    };
  }
  const daemon = await findDaemon(options);
  if (daemon !== undefined) return { isControllable: true, daemon };
  return {
    isControllable: false,
    reason: "the engine answers, but no dockerd process is visible from here",
    hint: "Run byom host setup on the host itself, not in a container",
  };
}

/** The running dockerd; undefined when this process sees none. */
export async function findDaemon(options: {
  signal: AbortSignal;
}): Promise<LocalDaemon | undefined> {
  for (const entry of await readdir("/proc")) {
    options.signal.throwIfAborted();
    if (!/^\d+$/.test(entry)) continue;
    const commandLine = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    const args = commandLine.split("\0");
    if (args[0]?.split("/").at(-1) !== "dockerd") continue;
    return { pid: Number(entry), settingsFile: settingsFileOf(args) };
  }
  return undefined;
}

function settingsFileOf(args: readonly string[]): string {
  const inline = args.find((argument) => argument.startsWith("--config-file="));
  if (inline !== undefined) return inline.slice("--config-file=".length);
  const index = args.indexOf("--config-file");
  return (index === -1 ? undefined : args[index + 1]) ?? usualSettingsFile;
}
