import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** The name under which the wrapper is registered with the engine: `docker create --runtime byom`. */
export const ociRuntimeName = "byom";

/** Counts the changes after which a snapshot of before cannot be restored: of what it holds, and of how it is applied. */
export const wrapperProtocol = 1;

/** Where runc keeps the state of Docker's containers, whatever the runtime is called (moby: daemon/runtime_unix.go). */
export const runcRoot = "/var/run/docker/runtime-runc/moby";

/** Where the wrapper and byom leave each other word about a container. A tmpfs: it must not outlive a reboot. */
export const ociRuntimeStateDirectory = "/run/byom";

export interface WrapperOptions {
  /** Absolute path of runc. */
  readonly runc: string;
  /** A directory that holds an executable `criu`; put before PATH, for runc to find it. */
  readonly criuDirectory: string;
  /** Default: {@link ociRuntimeStateDirectory}. */
  readonly stateDirectory?: string;
  /**
   * Whether the host's transparent huge pages may be switched to `always` while a restore fills memory (8.5 GB/s
   * instead of 1.4 GB/s was measured) and given back afterwards. Default: true.
   */
  readonly hugePages?: boolean;
  /** Default: the kernel's. */
  readonly hugePagesDirectory?: string;
  /** After this time a restore hangs, and the container starts cold. Default: {@link restoreSecondsMax}. */
  readonly restoreSecondsMax?: number;
}

/** Memory fills with a gigabyte or more per second; the rest of the platform's minute is for the cold start behind it. */
const restoreSecondsMax = 40;

/** Kernel: Documentation/admin-guide/mm/transhuge.rst. */
const hugePagesDirectory = "/sys/kernel/mm/transparent_hugepage";

/** The text of the wrapper script for these paths; install it executable. Throws on a path that sh cannot hold. */
export async function renderWrapper(options: WrapperOptions): Promise<string> {
  const template = await readFile(new URL("byom-runc.sh", import.meta.url), "utf8");
  const values: Readonly<Record<string, string>> = {
    runc: quote(options.runc),
    state: quote(options.stateDirectory ?? ociRuntimeStateDirectory),
    hugePages: (options.hugePages ?? true) ? "1" : "0",
    hugePagesDirectory: quote(options.hugePagesDirectory ?? hugePagesDirectory),
    path: quote(options.criuDirectory),
    restoreSeconds: String(options.restoreSecondsMax ?? restoreSecondsMax),
  };
  return template.replaceAll(
    /@(\w+)@/g,
    (placeholder, name: string) => values[name] ?? placeholder,
  );
}

/**
 * Files of the wrapper's protocol for one container. The platform writes the marker and removes marker and outcome when
 * the start has ended; all else is the wrapper's to remove, see the script's header.
 */
export interface WrapperFiles {
  /** Text of {@link restoreMarker}, written between create and start. */
  readonly marker: string;
  /** The wrapper's log: lines of `word value`, see the script. A restore is tried only while it is absent. */
  readonly outcome: string;
  /** Exists while the container runs restored. */
  readonly restored: string;
  /** CRIU's work directory with `restore.log`. */
  readonly work: string;
}

/** The marker of a container that is to be restored. */
export function restoreMarker(
  snapshotDirectory: string,
  options: { readonly usesHugePages: boolean },
): string {
  return `${snapshotDirectory}\n${options.usesHugePages ? "huge-pages\n" : ""}`;
}

/** @see WrapperFiles */
export function wrapperFiles(stateDirectory: string, containerId: string): WrapperFiles {
  return {
    marker: join(stateDirectory, "restore", containerId),
    outcome: join(stateDirectory, "outcome", containerId),
    restored: join(stateDirectory, "restored", containerId),
    work: join(stateDirectory, "work", containerId),
  };
}

function quote(path: string): string {
  if (!path.startsWith("/") || /[\n\0]/.test(path)) {
    throw new TypeError(
      `the OCI runtime wrapper needs an absolute path, not ${JSON.stringify(path)}`,
    );
  }
  return `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
