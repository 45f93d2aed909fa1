import {
  parsePythonVersion,
  pythonMinorMin,
  pythonVersionDefault,
} from "../compatibility/python.ts";
import { renamedDebianPackages } from "../compatibility/debian-packages.ts";
import type { Config, Requirements, RunItem } from "./config.ts";
import type { CogYaml } from "./schema.ts";
import { referencePattern, withoutComparison } from "./semantics.ts";
import type { SourceDocument } from "./source.ts";
import { ownValue } from "../own-value.ts";

/** The config with its defaults, from a cog.yaml that passed every check. */
export function completeConfig(options: {
  readonly document: SourceDocument;
  readonly cogYaml: CogYaml;
  readonly requirements: Requirements;
  readonly environment: Readonly<Record<string, string>>;
  /** In place of the one of cog.yaml. */
  readonly pythonVersion?: string | undefined;
}): Config {
  const { document, cogYaml, requirements, environment } = options;
  const build = cogYaml.build ?? {};
  return {
    file: document.file,
    ...(options.pythonVersion === undefined
      ? completePython(build.python_version?.trim())
      : { pythonVersion: options.pythonVersion, isPythonOverridden: true }),
    gpu: build.gpu ?? false,
    ...given("cuda", build.cuda),
    ...given("cudnn", build.cudnn),
    ...given("sdkVersion", build.sdk_version),
    systemPackages: completeSystemPackages(build.system_packages ?? []),
    requirements,
    run: completeRun(build),
    ...completeNames(cogYaml),
    ...(cogYaml.concurrency?.max ? { concurrencyMax: cogYaml.concurrency.max } : {}),
    environment,
    weights: cogYaml.weights ?? [],
    lines: document.lines,
  };
}

function completePython(
  written: string | undefined,
): Pick<Config, "pythonVersion" | "pythonVersionRequested"> {
  if (!written) return { pythonVersion: pythonVersionDefault };
  const version = parsePythonVersion(written);
  if (version !== undefined && version.minor >= pythonMinorMin) return { pythonVersion: written };
  return { pythonVersion: `3.${pythonMinorMin}`, pythonVersionRequested: written };
}

/** An item may name several packages, as it may in Cog, which joins them all with spaces. */
function completeSystemPackages(items: readonly string[]): string[] {
  const names = items.flatMap((item) => item.trim().split(/\s+/));
  return [
    ...new Set(
      names.map((name) => ownValue(renamedDebianPackages, name) ?? withoutComparison(name)),
    ),
  ];
}

function completeRun(build: NonNullable<CogYaml["build"]>): RunItem[] {
  const run = (build.run ?? []).map(({ command, mounts }, index): RunItem => ({
    command: command.trim(),
    secrets: (mounts ?? []).map(({ id, target }) => ({ id, target })),
    key: `build.run[${index}]`,
  }));
  const preInstall = (build.pre_install ?? []).map((command, index): RunItem => ({
    command: command.trim(),
    secrets: [],
    key: `build.pre_install[${index}]`,
  }));
  return [...run, ...preInstall];
}

function completeNames(
  cogYaml: CogYaml,
): Pick<Config, "image" | "model" | "predictor" | "trainer"> {
  const { image, model, run, predict, train } = cogYaml;
  const isModelReference = model !== null && model !== undefined && referencePattern.test(model);
  return {
    ...given("image", image),
    ...given("model", isModelReference ? undefined : model),
    ...given("predictor", run || predict || (isModelReference ? model : undefined)),
    ...given("trainer", train),
  };
}

function given<Key extends string>(
  key: Key,
  value: string | null | undefined,
): { readonly [K in Key]?: string } {
  const text = value?.trim();
  return (text ? { [key]: text } : {}) as { readonly [K in Key]?: string };
}
