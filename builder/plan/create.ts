import { resolve } from "node:path";
import type { GpuResolution } from "../compatibility/resolve-gpu.ts";
import type { Config } from "../config/config.ts";
import { walkRepository } from "../context/walk.ts";
import { splitWeights } from "../weights/find.ts";
import { chooseBaseImage, choosePython } from "./base-image.ts";
import { chooseCogVersion, planEnvironment } from "./environment.ts";
import { readGitVersion } from "./git.ts";
import { defaultImageName } from "./image-name.ts";
import { createLabels } from "./labels.ts";
import { listManagedWeights } from "./managed-weights.ts";
import type { OpenApiDocument, Plan, PlannedFile } from "./plan.ts";
import type { PlanSettings } from "./settings.ts";

/** Cog's port and working directory; its images and its tools rely on both. */
const exposedPort = 5000;
const workingDirectory = "/src";

/**
 * Decides everything about a build, from a valid config and the names and sizes of the repo's files.
 * No Docker, no network, no file content; Git is asked for its revision. Throws RepositoryReadError.
 */
export async function createPlan(options: {
  readonly config: Config;
  readonly directory: string;
  readonly settings?: PlanSettings;
  /** What a GPU decides. */
  readonly gpu?: GpuResolution | undefined;
  /** Inputs and outputs, when they are known already. */
  readonly schema?: OpenApiDocument | undefined;
  /** What `schema` leaves to the built image. */
  readonly questions?: readonly string[] | undefined;
  readonly signal?: AbortSignal;
}): Promise<Plan> {
  const { config, settings = {}, gpu, schema, questions = [], signal } = options;
  const directory = resolve(options.directory);
  const [files, git] = await Promise.all([
    walkRepository({ directory, signal }),
    readGitVersion(directory, signal),
  ]);
  const { weights, code } = splitWeights(files);
  const managedWeights = listManagedWeights(config.weights, files);
  const cogVersion = chooseCogVersion(config);
  return {
    directory,
    platform: settings.platform ?? "linux/amd64",
    imageName: settings.imageName ?? config.image ?? defaultImageName(directory),
    ...chooseBaseImage(config, settings, gpu?.toolkit),
    pythonVersion: choosePython(config),
    cogVersion,
    gpu: config.gpu,
    ...(gpu?.framework === undefined ? {} : { framework: gpu.framework }),
    ...(gpu?.cuda === undefined ? {} : { cuda: gpu.cuda }),
    ...(gpu?.cudnn === undefined ? {} : { cudnn: gpu.cudnn }),
    ...(gpu?.packageIndex === undefined ? {} : { packageIndex: gpu.packageIndex }),
    environment: planEnvironment(config, gpu?.packageIndex?.value),
    contextFiles: contextFiles(config, code),
    weights,
    ...(managedWeights.length === 0 ? {} : { managedWeights }),
    code,
    variables: createVariables(config),
    buildVariables: config.environment,
    ...(settings.hostTrust === undefined ? {} : { hostTrust: settings.hostTrust }),
    labels: createLabels({ config, cogVersion: cogVersion.value, schema, git }),
    entrypoint: ["/usr/bin/tini", "--"],
    command: ["python", "-m", "cog.server.http"],
    workingDirectory,
    exposedPort,
    ...(config.predictor === undefined ? {} : { predictor: config.predictor }),
    ...(config.trainer === undefined ? {} : { trainer: config.trainer }),
    ...(schema === undefined ? {} : { openApiSchema: schema }),
    ...(questions.length === 0 ? {} : { openApiQuestions: questions }),
  };
}

/** Requirements files, local wheels, and the code of the folders that pip builds. */
function contextFiles(config: Config, code: readonly PlannedFile[]): string[] {
  const { files, folders } = config.requirements;
  const inFolders = code
    .map((file) => file.path)
    .filter((path) =>
      folders.some((folder) => folder === "." || path === folder || path.startsWith(`${folder}/`)),
    );
  return [...new Set([...files, ...inFolders])].toSorted();
}

function createVariables(config: Config): Readonly<Record<string, string>> {
  const { predictor, trainer, concurrencyMax, gpu } = config;
  return {
    ...config.environment,
    PYTHONUNBUFFERED: "1",
    ...(gpu ? { NVIDIA_VISIBLE_DEVICES: "all", NVIDIA_DRIVER_CAPABILITIES: "all" } : {}),
    ...(predictor === undefined ? {} : { COG_PREDICT_TYPE_STUB: predictor }),
    ...(trainer === undefined ? {} : { COG_TRAIN_TYPE_STUB: trainer }),
    ...(concurrencyMax === undefined ? {} : { COG_MAX_CONCURRENCY: String(concurrencyMax) }),
  };
}
