import type { Directories, Environment } from "../directories.ts";
import type { ConnectEngine } from "../engine/connect.ts";
import type { HostEvent } from "../events.ts";

/** What every verb of `byom host` takes. */
export interface HostOptions {
  readonly directories: Directories;
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly onEvent?: (event: HostEvent) => void;
  /** Default: whether this process has user id 0. */
  readonly isRoot?: boolean;
  /** See HostSettings; default: as it was set up before. */
  readonly hugePages?: boolean;
  /** Finds the engine; default: DOCKER_HOST, the docker CLI's context, the usual sockets. */
  readonly connect?: ConnectEngine;
}
