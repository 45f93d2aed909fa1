import type { Config } from "../config/config.ts";
import type { OpenApiDocument } from "./plan.ts";
import type { GitVersion } from "./git.ts";

/** The labels by which Cog's images describe themselves, as far as they are known before the build. */
export function createLabels(options: {
  readonly config: Config;
  readonly cogVersion: string;
  readonly schema: OpenApiDocument | undefined;
  readonly git: GitVersion;
}): Readonly<Record<string, string>> {
  const { config, cogVersion, schema, git } = options;
  return {
    ...(git.revision === undefined ? {} : { "org.opencontainers.image.revision": git.revision }),
    ...(git.version === undefined ? {} : { "org.opencontainers.image.version": git.version }),
    "run.cog.config": JSON.stringify(cogConfig(config)),
    "run.cog.has_init": "true",
    ...(schema === undefined ? {} : { "run.cog.openapi_schema": JSON.stringify(schema) }),
    "run.cog.version": cogVersion,
  };
}

/** The config in the words of cog.yaml; Cog's own readers look for the predictor under `predict`. */
function cogConfig(config: Config): Readonly<Record<string, unknown>> {
  const { requirements, systemPackages, run, concurrencyMax, environment } = config;
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  return {
    build: {
      gpu: config.gpu,
      python_version: config.pythonVersion,
      python_requirements: requirements.file,
      python_packages:
        requirements.file === undefined && requirements.lines.length > 0
          ? requirements.lines
          : undefined,
      system_packages: systemPackages.length > 0 ? systemPackages : undefined,
      run: run.length > 0 ? run.map(cogRunItem) : undefined,
      cuda: config.cuda,
      cudnn: config.cudnn,
      sdk_version: config.sdkVersion,
    },
    image: config.image,
    model: config.model,
    predict: config.predictor,
    train: config.trainer,
    concurrency: concurrencyMax === undefined ? undefined : { max: concurrencyMax },
    environment: variables.length > 0 ? variables : undefined,
  };
}

function cogRunItem(item: Config["run"][number]): unknown {
  if (item.secrets.length === 0) return item.command;
  return {
    command: item.command,
    mounts: item.secrets.map(({ id, target }) => ({ type: "secret", id, target })),
  };
}
