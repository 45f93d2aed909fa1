import { join } from "node:path";

/** Where byom keeps things on this host. All absolute. */
export interface Directories {
  /** Images, snapshots, registry storage, binaries and `host.json`. */
  readonly data: string;
  /** What the operator edits. */
  readonly config: string;
  /** Sockets and pid files; gone after a reboot. */
  readonly run: string;
}

/** The variables of the process, handed down from the CLI. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** The data directory of a set-up that root made; other users read its `host.json`. */
export const systemDataDirectory = "/var/lib/byom";

/**
 * `/var/lib/byom`, `/etc/byom` and `/run/byom` as root; else below the user's home, by the XDG rules.
 * `BYOM_DATA_DIR` overrides the data directory; the other two then lie inside it, so that two set-ups never mix.
 */
export function resolveDirectories(environment: Environment, isRoot: boolean): Directories {
  const override = environment["BYOM_DATA_DIR"];
  if (override) {
    return { data: override, config: join(override, "config"), run: join(override, "run") };
  }
  if (isRoot) return { data: systemDataDirectory, config: "/etc/byom", run: "/run/byom" };
  const home = environment["HOME"] ?? "/";
  const data = join(environment["XDG_DATA_HOME"] || join(home, ".local/share"), "byom");
  return {
    data,
    config: join(environment["XDG_CONFIG_HOME"] || join(home, ".config"), "byom"),
    run: environment["XDG_RUNTIME_DIR"]
      ? join(environment["XDG_RUNTIME_DIR"], "byom")
      : join(data, "run"),
  };
}

/** Files and folders that host set-up owns, derived from the data and run directories. */
export interface HostPaths {
  readonly settings: string;
  readonly bin: string;
  /** The OCI runtime that dockerd calls. */
  readonly ociRuntime: string;
  /** What runc finds as `criu`: a link to the system's, or a shim over the prefix. */
  readonly criu: string;
  readonly criuPrefix: string;
  readonly log: string;
  readonly registryStorage: string;
  readonly registryPackage: string;
  readonly registryConfig: string;
  readonly registryPid: string;
  /** apt's private state for packages that are unpacked beside the system. */
  readonly aptState: string;
}

/** @see HostPaths */
export function hostPaths(directories: Directories): HostPaths {
  const { data, run } = directories;
  return {
    settings: join(data, "host.json"),
    bin: join(data, "bin"),
    ociRuntime: join(data, "bin/byom-runc"),
    criu: join(data, "bin/criu"),
    criuPrefix: join(data, "criu"),
    log: join(data, "log"),
    registryStorage: join(data, "registry"),
    registryPackage: join(data, "registry-package"),
    registryConfig: join(data, "registry.yaml"),
    registryPid: join(run, "registry.pid"),
    aptState: join(data, "apt"),
  };
}
