import {
  ConfigInvalidError,
  createPlan,
  createSchema,
  findModelDirectory,
  hasErrors,
  loadConfig,
  loadDeploySettings,
  parsePythonVersion,
  pythonMinorMin,
  readCompatibilityTable,
  renderProblems,
  requireConfig,
  resolveGpu,
  type Config,
  type DeploySettings,
  type GpuResolution,
  type Plan,
  type Problem,
} from "../builder/index.ts";
import { loadHostSettings, readHostGpu, type HostSettings } from "../host/index.ts";
import type { Context } from "./context.ts";
import type { Flags, Option } from "./command.ts";
import { UsageError } from "./errors.ts";

/** A model repo, read and planned. */
export interface Repository {
  readonly directory: string;
  readonly plan: Plan;
  readonly settings: DeploySettings;
  /** Warnings; errors are thrown. */
  readonly problems: readonly Problem[];
}

/** Flags of every command that plans a build. */
export const planOptions: Readonly<Record<string, Option>> = {
  file: { type: "string", short: "f", value: "FILE", help: "another name for cog.yaml" },
  tag: { type: "string", short: "t", value: "NAME", help: "name of the local image" },
  "base-image": {
    type: "string",
    value: "IMAGE",
    help: "the base image, instead of the one that byom chooses",
  },
  python: {
    type: "string",
    value: "X.Y",
    help: "the Python of the image, instead of the one that cog.yaml names",
  },
  gpu: { type: "string", value: "NAME", help: "check the plan for this GPU, such as h100" },
  driver: {
    type: "string",
    value: "VERSION",
    help: "check the plan for this NVIDIA driver, such as 535.104",
  },
};

export interface PlanFlags {
  readonly file: string | undefined;
  readonly tag: string | undefined;
  readonly baseImage: string | undefined;
  readonly python?: string | undefined;
  /** The GPU and the driver that the image is for. */
  readonly gpu?: string | undefined;
  readonly driver?: string | undefined;
}

/** The values of {@link planOptions}. */
export function readPlanFlags(flags: Flags): PlanFlags {
  return {
    file: flags.text("file"),
    tag: flags.text("tag"),
    baseImage: flags.text("base-image"),
    python: readPython(flags.text("python")),
    gpu: flags.text("gpu"),
    driver: flags.text("driver"),
  };
}

/**
 * Reads cog.yaml, byom.yaml and the predictor's source, and plans the build. Warnings go to stderr as
 * `cog.yaml:LINE key: …`.
 * @throws ConfigInvalidError with every problem that was found.
 */
export async function loadRepository(context: Context, flags: PlanFlags): Promise<Repository> {
  const { signal } = context;
  const file = flags.file === undefined ? {} : { file: flags.file };
  const directory = await findModelDirectory({ start: context.directory, ...file, signal });
  const [loaded, deploy, host] = await Promise.all([
    loadConfig({
      directory,
      ...file,
      ...(flags.python !== undefined && { pythonVersion: flags.python }),
      signal,
    }),
    loadDeploySettings({ directory, signal }),
    loadHostSettings(context.directories, { signal }),
  ]);
  const config = requireConfig({ ...loaded, problems: [...loaded.problems, ...deploy.problems] });
  const schema =
    config.predictor === undefined
      ? undefined
      : await createSchema({
          directory,
          source: config,
          predictor: config.predictor,
          ...(config.trainer !== undefined && { trainer: config.trainer }),
          ...(config.sdkVersion !== undefined && { cogVersion: config.sdkVersion }),
          signal,
        });
  const gpu = config.gpu ? await resolveForGpu(context, config, flags) : undefined;
  const problems = [
    ...loaded.problems,
    ...deploy.problems,
    ...(schema?.problems ?? []),
    ...(gpu?.problems ?? []),
  ];
  if (hasErrors(problems)) throw new ConfigInvalidError(problems);
  const templates = baseImageTemplates(context.environment, host);
  const baseImages = Object.fromEntries(templates.map(({ name, template }) => [name, template]));
  const plan = await createPlan({
    config,
    directory,
    gpu,
    schema: schema?.document,
    questions: schema?.questions,
    settings: {
      ...(flags.baseImage !== undefined && { baseImage: flags.baseImage }),
      baseImages,
      ...(deploy.settings?.dockerfile !== undefined && {
        dockerfile: {
          value: deploy.settings.dockerfile,
          reason: `byom.yaml:${deploy.document?.lines["build.dockerfile"] ?? 1} build.dockerfile`,
        },
      }),
      ...(flags.tag !== undefined && { imageName: flags.tag }),
    },
    signal,
  });
  for (const line of renderProblems(problems)) context.output.note(line);
  return { directory, plan, settings: deploy.settings ?? {}, problems };
}

/** The templates of base images that this machine sets, and what sets them. */
export function baseImageTemplates(
  environment: Context["environment"],
  host: HostSettings,
): { readonly name: "python" | "cuda"; readonly template: string; readonly origin: string }[] {
  return (["python", "cuda"] as const).flatMap((name) => {
    const variable = `BYOM_BASE_IMAGE_${name.toUpperCase()}`;
    const written = environment[variable];
    if (written) return [{ name, template: written, origin: variable }];
    const template = host.baseImages?.[name];
    return template === undefined ? [] : [{ name, template, origin: "host.json" }];
  });
}

function readPython(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const version = parsePythonVersion(text);
  if (version?.major === 3 && version.minor >= pythonMinorMin) return text.trim();
  throw new UsageError(
    `--python ${text}: expected 3.${pythonMinorMin} or newer, which Cog needs`,
    "--python 3.11",
  );
}

async function resolveForGpu(
  context: Context,
  config: Config,
  { gpu, driver }: PlanFlags,
): Promise<GpuResolution> {
  const { table } = await readCompatibilityTable({
    dataDirectory: context.directories.data,
    signal: context.signal,
  });
  if (gpu !== undefined || driver !== undefined) {
    const target = { ...(gpu !== undefined && { gpu }), ...(driver !== undefined && { driver }) };
    return resolveGpu({ config, table, target });
  }
  // The image may be for another machine than this one: what does not fit here is a warning.
  const host = await readHostGpu({ signal: context.signal });
  const resolution = resolveGpu({ config, table, ...(host !== undefined && { target: host }) });
  const problems = resolution.problems.map((problem): Problem =>
    problem.severity === "error"
      ? { ...problem, severity: "warning", message: `${problem.message} (this machine)` }
      : problem,
  );
  return { ...resolution, problems };
}
