import type { SecretMount } from "../plan/plan.ts";
import type { Problem } from "../problem.ts";
import type { UvLock } from "./uv-lock.ts";

/** What cog.yaml says, after parse, schema, semantics and completion. */
export interface Config {
  /** Name of the file, such as `cog.yaml`. */
  readonly file: string;
  /** The Python that will be used: `X.Y` or `X.Y.Z`. */
  readonly pythonVersion: string;
  /** What the author wrote, when byom uses another one; absent also when nothing was written. */
  readonly pythonVersionRequested?: string;
  /** `pythonVersion` comes from a flag, whatever cog.yaml says. */
  readonly isPythonOverridden?: boolean;
  readonly gpu: boolean;
  readonly cuda?: string;
  readonly cudnn?: string;
  /** Version of the upstream `cog` package, or `prerelease`. */
  readonly sdkVersion?: string;
  readonly systemPackages: readonly string[];
  readonly requirements: Requirements;
  /** `build.run`, then `build.pre_install`: the order in which Cog runs them. */
  readonly run: readonly RunItem[];
  readonly image?: string;
  /** The repository of `model:`, for Cog's bundle format. */
  readonly model?: string;
  /** `predict.py:Predictor`. */
  readonly predictor?: string;
  readonly trainer?: string;
  readonly concurrencyMax?: number;
  readonly environment: Readonly<Record<string, string>>;
  /** The `weights` list as written; carried, not interpreted. */
  readonly weights: readonly unknown[];
  /** 1-based line of each dotted key, such as `build.run[2]`. */
  readonly lines: Readonly<Record<string, number>>;
}

/** One command of the build. */
export interface RunItem {
  readonly command: string;
  readonly secrets: readonly SecretMount[];
  /** Its dotted key, such as `build.run[2]`. */
  readonly key: string;
}

/** Python packages and the files of the repo that pip reads to install them. */
export interface Requirements {
  /** Exactly as the author wrote them, comments included. */
  readonly lines: readonly string[];
  /** The requirements file, relative to the repo; absent for `python_packages`. */
  readonly file?: string;
  /** The requirements file, the files that it names (`-r`, `-c`) and local wheels, relative to the repo. */
  readonly files: readonly string[];
  /** Folders of the repo that pip builds, such as `.` for `-e .`. */
  readonly folders: readonly string[];
  /** Every requirement and option of these files, comments and continuations resolved, with its place. */
  readonly items: readonly RequirementItem[];
  /** Set when `file` is a `uv.lock`: what pip installs is uv's export of it, and `lines` are its packages. */
  readonly lock?: Pick<UvLock, "indexes" | "hasHashes">;
}

/** One requirement, or one option such as `--extra-index-url URL`. */
export interface RequirementItem extends Pick<Problem, "file" | "line" | "key"> {
  readonly text: string;
}

/** A file's value, absent when there are errors, and everything found wrong on the way. */
export interface LoadedConfig {
  readonly config?: Config;
  readonly problems: readonly Problem[];
}
