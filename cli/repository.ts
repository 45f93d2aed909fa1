import {
  ConfigInvalidError,
  createPlan,
  createSchema,
  findModelDirectory,
  hasErrors,
  loadConfig,
  loadDeploySettings,
  renderProblems,
  requireConfig,
  type DeploySettings,
  type Plan,
  type Problem,
} from "../builder/index.ts";
import { loadHostSettings } from "../host/index.ts";
import type { Context } from "./context.ts";
import type { Flags, Option } from "./command.ts";

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
};

export interface PlanFlags {
  readonly file: string | undefined;
  readonly tag: string | undefined;
  readonly baseImage: string | undefined;
}

/** The values of {@link planOptions}. */
export function readPlanFlags(flags: Flags): PlanFlags {
  return {
    file: flags.text("file"),
    tag: flags.text("tag"),
    baseImage: flags.text("base-image"),
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
    loadConfig({ directory, ...file, signal }),
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
  const problems = [...loaded.problems, ...deploy.problems, ...(schema?.problems ?? [])];
  if (hasErrors(problems)) throw new ConfigInvalidError(problems);
  const python = context.environment["BYOM_BASE_IMAGE_PYTHON"] ?? host.baseImages?.python;
  const plan = await createPlan({
    config,
    directory,
    schema: schema?.document,
    questions: schema?.questions,
    settings: {
      ...(flags.baseImage !== undefined && { baseImage: flags.baseImage }),
      ...(python !== undefined && { baseImages: { python } }),
      ...(flags.tag !== undefined && { imageName: flags.tag }),
    },
    signal,
  });
  for (const line of renderProblems(problems)) context.output.note(line);
  return { directory, plan, settings: deploy.settings ?? {}, problems };
}
