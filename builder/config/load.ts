import { stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { ConfigNotFoundError } from "../errors.ts";
import type { Problem } from "../problem.ts";
import { completeConfig } from "./complete.ts";
import type { LoadedConfig, Requirements } from "./config.ts";
import { readEnvironment } from "./environment.ts";
import { findForeign } from "./foreign.ts";
import { issueProblems, problemAt } from "./issues.ts";
import { deprecatedKeyProblems, unknownKeyProblems } from "./keys.ts";
import { hasErrors, sortProblems } from "./problems.ts";
import { readSource } from "./read-source.ts";
import { readRequirementsFile, readRequirementsList } from "./requirements.ts";
import { cogYamlKeys, cogYamlSchema } from "./schema.ts";
import type { CogYaml } from "./schema.ts";
import { checkSemantics } from "./semantics.ts";
import { isSourceMapping, lineOf } from "./source.ts";
import type { SourceDocument } from "./source.ts";

/** Folders above the start that are searched for a cog.yaml, as in Cog. */
const parentCountMax = 100;

/**
 * Reads cog.yaml in four stages: parse, schema, semantics, completion. Problems are collected, never thrown one by one;
 * `config` is absent exactly when one of them is an error.
 * Throws {@link ConfigNotFoundError} without the file, RepositoryReadError when it cannot be read.
 */
export async function loadConfig(options: {
  /** The folder of cog.yaml. */
  readonly directory: string;
  /** Name of the file in it; default `cog.yaml`. */
  readonly file?: string;
  /** A Python in place of cog.yaml's, such as `--python` gives it: `X.Y` or `X.Y.Z`. */
  readonly pythonVersion?: string;
  readonly signal?: AbortSignal;
}): Promise<LoadedConfig> {
  const { directory, file = "cog.yaml", pythonVersion, signal } = options;
  const source = await readSource({ directory, file, signal });
  if (source === undefined) throw await notFoundError(directory, file);
  const { document, problems } = source;
  if (document === undefined) return { problems };
  if (document.value !== null && !isSourceMapping(document.value)) {
    return { problems: [problemAt(document, [], { severity: "error", ...notMapping })] };
  }

  const foreign = findForeign(document, cogYamlKeys[""] ?? []);
  if (foreign !== undefined) return { problems: [...problems, foreign] };
  problems.push(...unknownKeyProblems(document, cogYamlKeys), ...deprecatedKeyProblems(document));
  const parsed = cogYamlSchema.safeParse(document.value ?? {});
  if (!parsed.success) {
    const legacy = legacyProblems(document);
    const issues = issueProblems(document, parsed.error);
    problems.push(...issues.filter(({ key }) => !legacy.some((one) => one.key === key)), ...legacy);
    return { problems: sortProblems(problems) };
  }
  const cogYaml = parsed.data;
  const environment = readEnvironment(document, cogYaml.environment ?? []);
  const requirements = await readRequirements({ directory, document, cogYaml, signal });
  problems.push(
    ...checkSemantics(document, cogYaml, { hasPython: pythonVersion !== undefined }),
    ...environment.problems,
    ...requirements.problems,
  );
  if (hasErrors(problems)) return { problems: sortProblems(problems) };
  const config = completeConfig({
    document,
    cogYaml,
    requirements: requirements.requirements,
    environment: environment.variables,
    pythonVersion,
  });
  return { config, problems: sortProblems(problems) };
}

/** The nearest folder, from `start` upwards, that holds a cog.yaml. Throws {@link ConfigNotFoundError}. */
export async function findModelDirectory(options: {
  readonly start: string;
  readonly file?: string;
  readonly signal?: AbortSignal;
}): Promise<string> {
  const { file = "cog.yaml", signal } = options;
  let directory = resolve(options.start);
  for (let count = 0; count <= parentCountMax; count++) {
    signal?.throwIfAborted();
    if (await isFile(join(directory, file))) return directory;
    if (dirname(directory) === directory) break;
    directory = dirname(directory);
  }
  throw await notFoundError(resolve(options.start), file);
}

interface Stage {
  readonly directory: string;
  readonly document: SourceDocument;
  readonly cogYaml: CogYaml;
  readonly signal: AbortSignal | undefined;
}

async function readRequirements(
  stage: Stage,
): Promise<{ readonly requirements: Requirements; readonly problems: readonly Problem[] }> {
  const { directory, document, cogYaml, signal } = stage;
  const file = cogYaml.build?.python_requirements?.trim().replace(/^\.\//, "");
  if (!file) {
    const locate = (index: number): Pick<Problem, "file" | "line" | "key"> => {
      const line = lineOf(document, ["build", "python_packages", index]);
      return {
        file: document.file,
        ...(line === undefined ? {} : { line }),
        key: `build.python_packages[${index}]`,
      };
    };
    const lines = cogYaml.build?.python_packages ?? [];
    return await readRequirementsList({ directory, lines, locate, signal });
  }
  const refusal = file.startsWith("/") || file.split("/").includes("..");
  if (!refusal && (await isFile(join(directory, file)))) {
    return await readRequirementsFile({ directory, file, signal });
  }
  const message = refusal ? `${file} lies outside of the model repo` : `${file} does not exist`;
  const hint = refusal ? "copy it into the repo" : "create it or remove the key";
  const path = ["build", "python_requirements"];
  const problem = problemAt(document, path, { severity: "error", message, hint });
  return { requirements: { lines: [], files: [], folders: [], items: [] }, problems: [problem] };
}

/** Shapes of the 2021 format, explained beside the type error that they cause. */
function legacyProblems(document: SourceDocument): Problem[] {
  const environment = isSourceMapping(document.value) ? document.value.environment : undefined;
  if (!isSourceMapping(environment)) return [];
  const isBuild = Object.keys(environment).some((key) => cogYamlKeys.build?.includes(key));
  if (!isBuild) return [];
  const message = "the 2021 name of build:";
  const hint = "rename environment: to build:, or run `byom doctor --fix`";
  return [problemAt(document, ["environment"], { severity: "error", message, hint })];
}

const notMapping = {
  message: "expected settings as `key: value`",
  hint: "start with `build:`, and `run: predict.py:Predictor` below it",
};

async function notFoundError(directory: string, file: string): Promise<ConfigNotFoundError> {
  const hasYml = file === "cog.yaml" && (await isFile(join(directory, "cog.yml")));
  if (!hasYml) return new ConfigNotFoundError({ directory, file });
  return new ConfigNotFoundError({ directory, file, hint: "rename cog.yml to cog.yaml" });
}

async function isFile(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() ?? false;
}
