import type { Decision, HostTrust } from "./plan.ts";

/** What the user or the company sets for every build, beside cog.yaml. */
export interface PlanSettings {
  /** The base image itself, such as `--base-image` gives it; used as it is. */
  readonly baseImage?: string;
  /**
   * Templates, such as a company's mirror: `mirror.example.com/python:{version}-slim` with `{version}` = `X.Y`, and
   * `mirror.example.com/nvidia/cuda:{tag}` with NVIDIA's own tags.
   */
  readonly baseImages?: { readonly python?: string; readonly cuda?: string };
  /** An own Dockerfile, relative to the repo, and where it is asked for. */
  readonly dockerfile?: Decision<string>;
  /** Default `linux/amd64`. */
  readonly platform?: "linux/amd64" | "linux/arm64";
  readonly hostTrust?: HostTrust;
  /** Tag of the result, over cog.yaml's `image`. */
  readonly imageName?: string;
}
