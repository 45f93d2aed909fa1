import type { Config } from "../config/config.ts";
import type { Problem } from "../problem.ts";
import type { Framework } from "./framework.ts";
import type { CompatibilityTable, Gpu } from "./table.ts";
import { compareVersions, minorOf } from "./version.ts";

/** The machine that an image is for. */
export interface GpuTarget {
  /** Such as `h100`, with or without the maker's name. */
  readonly gpu?: string;
  /** Version of its NVIDIA driver, such as `535.104.05`. */
  readonly driver?: string;
}

/** What would fail on the target's first start: a driver too old for CUDA, wheels without code for the GPU. */
export function checkTarget(options: {
  readonly config: Config;
  readonly table: CompatibilityTable;
  readonly target: GpuTarget;
  readonly framework: Framework | undefined;
  readonly cuda: string | undefined;
}): Problem[] {
  const { config, table, target, framework, cuda } = options;
  const line = config.lines["build.cuda"] ?? config.lines["build.gpu"];
  const key = config.lines["build.cuda"] === undefined ? "build.gpu" : "build.cuda";
  const place = framework?.package?.place ?? {
    file: config.file,
    ...(line === undefined ? {} : { line }),
    key,
  };
  const gpu = target.gpu === undefined ? undefined : findGpu(table, target.gpu);
  const problems: Problem[] = [];
  if (target.gpu !== undefined && gpu === undefined) {
    const known = table.gpus.flatMap(({ names }) => names).join(", ");
    problems.push({
      severity: "warning",
      file: config.file,
      ...(line === undefined ? {} : { line }),
      message: `the GPU ${JSON.stringify(target.gpu)} is not in the compatibility table; nothing is checked for it`,
      hint: `name one of ${known}, or run \`byom compat update\``,
    });
  }
  if (cuda === undefined) return problems;
  if (target.driver !== undefined) {
    problems.push(...checkDriver({ table, driver: target.driver, cuda, framework, place }));
  }
  if (gpu !== undefined)
    problems.push(...checkGpu({ gpu, name: target.gpu ?? "", cuda, framework, place }));
  return problems;
}

function checkDriver(options: {
  readonly table: CompatibilityTable;
  readonly driver: string;
  readonly cuda: string;
  readonly framework: Framework | undefined;
  readonly place: Pick<Problem, "file" | "line" | "key">;
}): Problem[] {
  const { table, driver, cuda, framework, place } = options;
  const floor = table.cuda.find(({ version }) => version === minorOf(cuda))?.driver;
  if (floor === undefined || compareVersions(driver, floor) >= 0) return [];
  const running = table.cuda.filter((release) => compareVersions(driver, release.driver) >= 0);
  const versions = running.map(({ version }) => version);
  const wheels = framework?.torch?.cuda.findLast((version) => versions.includes(version));
  const newest = wheels ?? (framework?.torch === undefined ? versions.at(-1) : undefined);
  const hint =
    newest === undefined
      ? `install driver ${floor} or newer`
      : `write cuda: "${newest}", or install driver ${floor} or newer`;
  const message = `CUDA ${cuda} needs driver ${floor} or newer, the target has ${driver}`;
  return [{ severity: "error", ...place, message, hint }];
}

function checkGpu(options: {
  readonly gpu: Gpu;
  readonly name: string;
  readonly cuda: string;
  readonly framework: Framework | undefined;
  readonly place: Pick<Problem, "file" | "line" | "key">;
}): Problem[] {
  const { gpu, name, cuda, framework, place } = options;
  const capability = `compute capability ${gpu.computeCapability}`;
  if (framework?.torch !== undefined && compareVersions(framework.version, gpu.torchMin) < 0) {
    const message = `torch ${framework.version} has no code for ${name} (${capability})`;
    return [
      { severity: "error", ...place, message, hint: `write torch==${gpu.torchMin} or newer` },
    ];
  }
  if (compareVersions(cuda, gpu.cudaMin) < 0) {
    const message = `CUDA ${cuda} has no code for ${name} (${capability})`;
    return [
      { severity: "error", ...place, message, hint: `write cuda: "${gpu.cudaMin}" or newer` },
    ];
  }
  if (gpu.cudaEnd === undefined || compareVersions(cuda, gpu.cudaEnd) < 0) return [];
  const message = `CUDA ${cuda} has no code for ${name} (${capability}) any more`;
  return [{ severity: "error", ...place, message, hint: `write a cuda: below ${gpu.cudaEnd}` }];
}

/** `NVIDIA H100 80GB HBM3` and `h100` are one. */
function findGpu(table: CompatibilityTable, name: string): Gpu | undefined {
  const words = ` ${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, " ")} `;
  const named = table.gpus.flatMap((gpu) => gpu.names.map((text) => ({ gpu, text })));
  return named
    .toSorted((left, right) => right.text.length - left.text.length)
    .find(({ text }) => words.includes(` ${text} `))?.gpu;
}
