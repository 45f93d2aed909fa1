import type { Config } from "../config/config.ts";
import type { Decision } from "../plan/plan.ts";
import type { Problem } from "../problem.ts";
import { describePlace } from "./framework.ts";
import type { NamedPackage } from "./named-package.ts";
import type { CompatibilityTable, CudaRelease } from "./table.ts";
import { compareVersions, minorOf } from "./version.ts";

/** An `nvidia/cuda` image as base. */
export interface Toolkit {
  /** Such as `12.4.1-cudnn-runtime-ubuntu22.04`. */
  readonly tag: Decision<string>;
  /** Major version. */
  readonly cudnn: string;
}

/** Packages that load CUDA's libraries and do not bring them. */
const libraryUsers: ReadonlySet<string> = new Set(
  "onnxruntime-gpu ctranslate2 faster-whisper tensorrt paddlepaddle-gpu pycuda cupy llama-cpp-python".split(
    " ",
  ),
);

/** Packages that are compiled with nvcc when they are installed. */
const compiledPackages: ReadonlySet<string> = new Set(
  "flash-attn pytorch3d apex tinycudann mmcv-full diff-gaussian-rasterization deepspeed pycuda torch-scatter torch-sparse torch-cluster nvdiffrast kaolin causal-conv1d mamba-ssm".split(
    " ",
  ),
);

/** Words of a command that compiles CUDA code. */
const compilingCommand =
  /\bnvcc\b|TORCH_CUDA_ARCH_LIST|CUDA_HOME|FORCE_CUDA|\bninja\b|setup\.py\s+(?:build|install|develop)|\bflash[-_]attn\b/;

/** Ubuntu that most wheels were built for; a newer one only where CUDA has no other. */
const ubuntuPreferred = "22.04";

/** Only where a step compiles or a package needs libraries of the system: wheels of torch and JAX bring their own. */
export function chooseToolkit(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly packages: readonly NamedPackage[];
  readonly cuda: Decision<string> | undefined;
}): { readonly toolkit?: Toolkit; readonly problems: readonly Problem[] } {
  const { config, table, packages, cuda } = options;
  const compiles = findCompiling(config, packages);
  const needs = compiles ?? findLibraryUser(config, packages);
  if (needs === undefined || cuda === undefined) return { problems: [] };
  const kind = compiles === undefined ? "runtime" : "devel";
  const problems: Problem[] = [];
  const release = nearestRelease(table, cuda.value, config.cudnn);
  if (release === undefined) return { problems };
  if (minorOf(cuda.value) !== release.version) {
    problems.push({
      severity: "warning",
      ...placeOfKey(config, "build.cuda"),
      message: `there is no nvidia/cuda image of CUDA ${cuda.value} that byom knows of; ${release.version} is used`,
      hint: `write cuda: "${release.version}", or name an image with --base-image`,
    });
  }
  if (config.cudnn !== undefined && config.cudnn.split(".")[0] !== release.cudnn) {
    problems.push({
      severity: "warning",
      ...placeOfKey(config, "build.cudnn"),
      message: `images of CUDA ${release.version} have cuDNN ${release.cudnn}, not ${config.cudnn}`,
      hint: `write cudnn: "${release.cudnn}", or name an image with --base-image`,
    });
  }
  const ubuntu = release.ubuntus.includes(ubuntuPreferred)
    ? ubuntuPreferred
    : release.ubuntus.at(-1);
  const value = `${release.image}-${release.cudnnTag}-${kind}-ubuntu${ubuntu}`;
  return { toolkit: { tag: { value, reason: needs }, cudnn: release.cudnn }, problems };
}

function findCompiling(config: Config, packages: readonly NamedPackage[]): string | undefined {
  const item = config.run.find(({ command }) => compilingCommand.test(command));
  if (item !== undefined) return `${placeText(config, item.key)} compiles`;
  const named = packages.find(({ name }) => compiledPackages.has(name));
  if (named !== undefined)
    return `${describePlace(named)} ${named.name} is compiled when it is installed`;
  return undefined;
}

function findLibraryUser(config: Config, packages: readonly NamedPackage[]): string | undefined {
  const named = packages.find(
    ({ name, extras }) =>
      libraryUsers.has(name) ||
      name.startsWith("cupy-") ||
      (/^tensorflow(-gpu)?$/.test(name) && !extras.includes("and-cuda")) ||
      extras.some((extra) => /^cuda\d+[-_]local$/.test(extra)),
  );
  if (named !== undefined)
    return `${describePlace(named)} ${named.name} loads the system's CUDA libraries`;
  const hasFramework = packages.some(({ name }) => /^(torch|jax|jaxlib)$/.test(name));
  if (config.cuda === undefined || hasFramework) return undefined;
  return `${placeText(config, "build.cuda")} asks for CUDA, and no package is known to bring it`;
}

/** The same minor release, else the nearest of the same major below it, else above it, else any. */
function nearestRelease(
  table: CompatibilityTable,
  cuda: string,
  cudnn: string | undefined,
): CudaRelease | undefined {
  const wanted = minorOf(cuda);
  const exact = table.cuda.find(({ version }) => version === wanted);
  if (exact !== undefined) return exact;
  const sameMajor = table.cuda.filter(
    ({ version }) => version.split(".")[0] === wanted.split(".")[0],
  );
  const fitting = sameMajor.filter((release) => cudnn === undefined || release.cudnn === cudnn);
  const candidates = [fitting, sameMajor, table.cuda].find(({ length }) => length > 0) ?? [];
  return (
    candidates.findLast(({ version }) => compareVersions(version, wanted) <= 0) ?? candidates[0]
  );
}

function placeText(config: Config, key: string): string {
  const line = config.lines[key];
  return line === undefined ? config.file : `${config.file}:${line}`;
}

/** Where a GPU setting stands, or the `gpu:` that it belongs to. */
export function placeOfKey(config: Config, key: string): Pick<Problem, "file" | "line" | "key"> {
  const line = config.lines[key] ?? config.lines["build.gpu"];
  return { file: config.file, ...(line === undefined ? {} : { line }), key };
}
