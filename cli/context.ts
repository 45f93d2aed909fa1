import type { Directories } from "../host/index.ts";
import type { Output } from "./output.ts";

/** Everything outside the process that a command may touch; made once in main.ts. */
export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The model repo: `-C DIR`, or the current folder. Absolute. */
  readonly directory: string;
  readonly homeDirectory: string;
  readonly isRoot: boolean;
  readonly directories: Directories;
  readonly output: Output;
  /** `--verbose`: also what builds and engines print. */
  readonly isVerbose: boolean;
  /** Aborted by Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
}
