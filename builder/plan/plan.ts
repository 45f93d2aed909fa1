import type { ManagedWeight } from "./managed-weights.ts";

/** What will be built and why: pure data, made without Docker and without network. `byom plan` prints it. */
export interface Plan {
  /** Absolute path of the model repo (the folder of cog.yaml). Not part of any cache key. */
  readonly directory: string;
  readonly platform: "linux/amd64" | "linux/arm64";
  /** Local tag of the result, such as `cog-my-model`. */
  readonly imageName: string;
  readonly baseImage: Decision<string>;
  /**
   * An own Dockerfile, relative to the repo: it is built first, whole, with the repo's files, and `baseImage` is what it
   * makes.
   */
  readonly dockerfile?: Decision<string>;
  /** The base image's own user; the environment's steps run as root and give it back. */
  readonly baseUser?: string;
  /** Where the base image has no Python: an image with pip, from which the build takes uv to install one. */
  readonly toolImage?: string;
  /** `X.Y` or `X.Y.Z`, as the author wrote it. */
  readonly pythonVersion: Decision<string>;
  readonly cogVersion: Decision<string>;
  readonly gpu: boolean;
  /** The framework that decides over CUDA, such as `torch 2.5.1`. */
  readonly framework?: Decision<string>;
  /** `X.Y`; absent without a GPU. */
  readonly cuda?: Decision<string>;
  /** Major version. */
  readonly cudnn?: Decision<string>;
  /** An index that pip asks beside its own, for wheels of this CUDA. */
  readonly packageIndex?: Decision<string>;
  /** Steps of the environment, in order; everything that must execute at build time. */
  readonly environment: readonly EnvironmentStep[];
  /** Repo files that the environment's steps read (requirements, local wheels): the whole build context. */
  readonly contextFiles: readonly string[];
  /** Large files that become layers of their own, below the code. */
  readonly weights: readonly PlannedFile[];
  /** cog.yaml's `weights`, which come from elsewhere; absent without any. */
  readonly managedWeights?: readonly ManagedWeight[];
  /** Everything else of the repo that goes to /src. */
  readonly code: readonly PlannedFile[];
  /** Environment variables of the container. */
  readonly variables: Readonly<Record<string, string>>;
  /** The author's own part of `variables`, which the environment's steps see too. */
  readonly buildVariables: Readonly<Record<string, string>>;
  /** What of the host's network configuration the build needs; never part of a layer. */
  readonly hostTrust?: HostTrust;
  /** `run.cog.*` labels that are known before the build. */
  readonly labels: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  readonly exposedPort: number;
  /** `predict.py:Predictor`, or undefined for an image that is only an environment. */
  readonly predictor?: string;
  readonly trainer?: string;
  /** OpenAPI 3.0.2 of inputs and outputs, as coglet reads it from /src/.cog/openapi_schema.json. */
  readonly openApiSchema?: OpenApiDocument;
  /** What the source does not say of inputs and outputs: the build asks the built image, once. Absent for most models. */
  readonly openApiQuestions?: readonly string[];
}

/** A value and where it came from, so that `byom plan` can say why. */
export interface Decision<T> {
  readonly value: T;
  /** A sentence fragment: `cog.yaml:3 build.python_version`, `default`, `--base-image`. */
  readonly reason: string;
}

/** Files of the host that the build context carries under `.byom/` for the duration of a build. */
export interface HostTrust {
  /** `.byom/ca.crt`: the host's certificate bundle (PEM). */
  readonly hasCertificates: boolean;
  /** `.byom/pip.conf`: the host's pip configuration. */
  readonly hasPipConfiguration?: boolean;
}

export interface PlannedFile {
  /** Relative to the model repo, `/`-separated. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly isExecutable: boolean;
  /** Symbolic links keep their target text; weights are never links. */
  readonly linkTarget?: string;
}

export type EnvironmentStep =
  | {
      readonly kind: "system-packages";
      readonly packages: readonly string[];
      /** Why a package that the author did not name is there, by package. */
      readonly reasons: Readonly<Record<string, string>>;
    }
  | {
      readonly kind: "python-requirements";
      /** Lines exactly as the author wrote them. */
      readonly lines: readonly string[];
      /** Path of the requirements file in the repo, or undefined for `python_packages`. */
      readonly file?: string;
      /** Repo files that pip reads in this step, the file itself among them. */
      readonly files: readonly string[];
      /** True when pip builds a folder of the repo (`-e .`), so that it needs the whole context. */
      readonly needsContext: boolean;
      /** An index that byom adds for wheels of the plan's CUDA. */
      readonly index?: string;
      /** Set when `file` is a `uv.lock`, whose packages `lines` are: pip installs what uv exports of it. */
      readonly lock?: {
        /** Indexes other than pip's own that hold some of the packages. */
        readonly indexes: readonly string[];
        /** Whether pip is given the packages' digests. */
        readonly hasHashes: boolean;
      };
    }
  | {
      readonly kind: "cog";
      /** Exact versions of the upstream packages, or `prerelease` for the newest of both. */
      readonly cogVersion: string;
      readonly cogletVersion: string;
    }
  | { readonly kind: "run"; readonly command: string; readonly secrets: readonly SecretMount[] };

export interface SecretMount {
  readonly id: string;
  readonly target: string;
}

export type OpenApiDocument = Readonly<Record<string, unknown>>;
