import { parsePythonVersion } from "../compatibility/python.ts";
import type { Toolkit } from "../compatibility/toolkit.ts";
import type { Config } from "../config/config.ts";
import type { Decision } from "./plan.ts";
import { reasonAt } from "./reason.ts";
import type { PlanSettings } from "./settings.ts";

/** Docker's official Python images, Debian's newest stable release. */
const pythonTemplateDefault = "python:{version}-slim";

/** NVIDIA's images of CUDA, which have no Python. */
const cudaTemplateDefault = "nvidia/cuda:{tag}";

/** The repository of images that own Dockerfiles make; a build adds the tag. */
export const ownDockerfileImage = "byom-dockerfile";

export interface BaseImageChoice {
  readonly baseImage: Decision<string>;
  readonly dockerfile?: Decision<string>;
  /** Where the base has no Python: an image whose pip fetches uv, which installs one. */
  readonly toolImage?: string;
}

/** The image that the environment starts from, and why. */
export function chooseBaseImage(
  config: Config,
  settings: PlanSettings,
  toolkit?: Toolkit,
): BaseImageChoice {
  if (settings.baseImage !== undefined) {
    return { baseImage: { value: settings.baseImage, reason: "--base-image" } };
  }
  if (settings.dockerfile !== undefined) {
    const { value, reason } = settings.dockerfile;
    return {
      baseImage: { value: ownDockerfileImage, reason: `${value} builds it, whole: ${reason}` },
      dockerfile: settings.dockerfile,
    };
  }
  const python = choosePythonImage(config, settings);
  if (toolkit === undefined) return { baseImage: python };
  const template = settings.baseImages?.cuda ?? cudaTemplateDefault;
  const { value: tag, reason } = toolkit.tag;
  return {
    baseImage: { value: template.replaceAll("{tag}", tag), reason },
    toolImage: python.value,
  };
}

function choosePythonImage(config: Config, settings: PlanSettings): Decision<string> {
  const template = settings.baseImages?.python ?? pythonTemplateDefault;
  const { major = 3, minor = 11 } = parsePythonVersion(config.pythonVersion) ?? {};
  const source = settings.baseImages?.python === undefined ? "default" : `template ${template}`;
  // Wheels for GPUs bring their CUDA libraries; the driver comes from the host at run time.
  const gpu = config.gpu ? "; gpu: the packages bring their own CUDA libraries" : "";
  return {
    value: template.replaceAll("{version}", `${major}.${minor}`),
    reason: `${source}, Python ${major}.${minor}${gpu}`,
  };
}

export function choosePython(config: Config): Decision<string> {
  const { pythonVersion, pythonVersionRequested } = config;
  if (pythonVersionRequested !== undefined) {
    const place = reasonAt(config, "build.python_version");
    const reason = `${place} asks for ${pythonVersionRequested}; cog needs ${pythonVersion} or newer`;
    return { value: pythonVersion, reason };
  }
  if (config.isPythonOverridden === true) return { value: pythonVersion, reason: "--python" };
  return { value: pythonVersion, reason: reasonAt(config, "build.python_version") };
}
