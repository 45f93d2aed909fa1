import { readFile as readFileOfDisk } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Config } from "../config/config.ts";
import { cogVersionDefault } from "../plan/cog-version.ts";
import type { OpenApiDocument } from "../plan/plan.ts";
import type { Problem } from "../problem.ts";
import { readAnnotation } from "./annotation.ts";
import { concurrencyOf } from "./concurrency.ts";
import { type Operation, createDocument, isComponentName } from "./document.ts";
import { readInputDecorators } from "./input-decorator.ts";
import { describeInputs, reportInput } from "./input-schema.ts";
import { describeOutput, reportOutput } from "./output-schema.ts";
import { readParameters } from "./parameter.ts";
import { ProblemList } from "./problems.ts";
import { PythonRepository, type ReadFile } from "./repository.ts";
import { createPythonParser, fieldOf, lineOf, syntaxErrorLineOf } from "./syntax.ts";
import {
  type Mode,
  type Target,
  type TargetMissing,
  cogDecoratorOf,
  findTarget,
  isAsync,
} from "./target.ts";

export interface CreateSchemaOptions {
  /** The model repo: the folder of cog.yaml. */
  readonly directory: string;
  /** `predict.py:Predictor`. */
  readonly predictor?: string;
  /** `train.py:train`. */
  readonly trainer?: string;
  /** Reads a file of the repo by relative path, undefined when it is not there. Default: from `directory` on disk. */
  readonly readFile?: ReadFile;
  /** Name of cog.yaml and the line of each of its keys: where a reference that leads nowhere is written. */
  readonly source?: Pick<Config, "file" | "lines">;
  /** Version of cog in the image, as `info.version` says it; default: the one that byom installs. */
  readonly cogVersion?: string;
  readonly signal?: AbortSignal;
}

export interface PredictorSchema {
  /** Whole even where problems left something out; not to be trusted when one of them is an error. */
  readonly document: OpenApiDocument;
  /** `@cog.streaming`: POST /predictions answers with server-sent events on request. */
  readonly isStreaming: boolean;
  /** The method is `async def`. */
  readonly isAsync: boolean;
  /** From `@cog.concurrent(max=…)`; undefined without it. */
  readonly concurrencyMax?: number;
  /** Sorted by file and line. */
  readonly problems: readonly Problem[];
  /** What the source does not say and the built image can; none for most models. */
  readonly questions: readonly string[];
}

/**
 * The OpenAPI document of a model's inputs and outputs, from its Python source alone: nothing of the repo is run.
 * What cannot be read becomes a problem with file, line and hint. Rejects only with the signal's reason or when
 * `readFile` rejects.
 */
export async function createSchema(options: CreateSchemaOptions): Promise<PredictorSchema> {
  const { signal } = options;
  signal?.throwIfAborted();
  using parser = await createPythonParser();
  const readFile = options.readFile ?? readFrom(options.directory);
  const repository = new PythonRepository({ parser, readFile });
  const parts = [
    ...(options.predictor === undefined ? [] : [["predict", options.predictor] as const]),
    ...(options.trainer === undefined ? [] : [["train", options.trainer] as const]),
  ];
  const halves: Half[] = [];
  for (const [mode, reference] of parts) {
    halves.push(
      await repository.settle(
        () => readHalf({ repository, mode, reference, place: placeOf(mode, options.source) }),
        signal,
      ),
    );
  }
  const [first] = halves;
  return {
    document: createDocument({
      operations: halves.map((half) => half.operation),
      cogVersion: options.cogVersion ?? cogVersionDefault,
    }),
    isStreaming: first?.operation.mode === "predict" && first.operation.isStreaming,
    isAsync: first?.isAsync ?? false,
    ...(first?.concurrencyMax === undefined ? {} : { concurrencyMax: first.concurrencyMax }),
    problems: halves.flatMap((half) => half.problems).toSorted(byPlace),
    questions: halves.flatMap((half) => half.questions),
  };
}

interface Half {
  readonly operation: Operation;
  readonly isAsync: boolean;
  readonly concurrencyMax?: number;
  readonly problems: readonly Problem[];
  readonly questions: readonly string[];
}

function readHalf({
  repository,
  mode,
  reference,
  place,
}: {
  readonly repository: PythonRepository;
  readonly mode: Mode;
  readonly reference: string;
  /** Where cog.yaml names the reference. */
  readonly place: Place;
}): Half {
  const parts = parseReference(reference);
  const fail = (where: Place, message: string, hint: string): Half => ({
    operation: emptyOperation(mode),
    isAsync: false,
    problems: [{ severity: "error", ...where, message, hint }],
    questions: [],
  });
  if (parts === undefined) {
    const message = `invalid ${mode} reference "${reference}"`;
    return fail(place, message, "write file.py:ClassName or file.py:function_name");
  }
  const { path: file, name } = parts;
  const module = repository.file(file);
  if (module === undefined) {
    const field = place.key === undefined ? mode : place.key;
    return fail(
      place,
      `${file} not found`,
      `create ${file} or correct the ${field} field in cog.yaml`,
    );
  }
  const line = syntaxErrorLineOf(module.root);
  const target = findTarget({ repository, module, name, mode });
  if (!("isMethod" in target)) {
    if (line !== undefined) return fail({ file, line }, "invalid Python syntax", "correct it");
    const targetLine = target.node === undefined ? 1 : lineOf(target.node);
    if (target.isInstalled === true) return askWhole({ mode, file, target });
    return fail({ file, line: targetLine }, target.message, target.hint);
  }
  const half = describe({ repository, mode, target });
  if (line === undefined) return half;
  const syntax: Problem = {
    severity: "warning",
    file,
    line,
    message: "this line may not be valid Python; the schema is made from the rest",
    hint: "check it with `python -m py_compile`",
  };
  return { ...half, problems: [...half.problems, syntax] };
}

/** Inputs and outputs of a predictor that an installed package defines: only the image has them. */
function askWhole({
  mode,
  file,
  target,
}: {
  readonly mode: Mode;
  readonly file: string;
  readonly target: TargetMissing;
}): Half {
  const title = mode === "train" ? "TrainingInput" : "Input";
  const problem: Problem = {
    severity: "warning",
    file,
    line: target.node === undefined ? 1 : lineOf(target.node),
    message: `${target.message}; its inputs and outputs cannot be read from the source`,
    hint: "the built image is asked, once",
  };
  return {
    operation: { ...emptyOperation(mode), input: { title, type: "object" } },
    isAsync: false,
    problems: [problem],
    questions: [mode === "train" ? "how to train" : "all inputs and outputs"],
  };
}

function describe({
  repository,
  mode,
  target,
}: {
  readonly repository: PythonRepository;
  readonly mode: Mode;
  readonly target: Target;
}): Half {
  const problems = new ProblemList();
  const fields =
    readInputDecorators({ repository, target, problems }) ??
    readParameters({ repository, target, problems });
  const title = mode === "train" ? "TrainingInput" : "Input";
  for (const field of fields) reportInput({ field, target, problems });
  const inputs = describeInputs({ fields, title, isNameTaken: isComponentName });
  const annotation = fieldOf(target.node, "return_type");
  const type =
    annotation === undefined
      ? undefined
      : readAnnotation(annotation, { repository, module: target.module });
  reportOutput({ type, node: annotation ?? target.node, target, problems });
  const decorator = cogDecoratorOf({ repository, target, name: "streaming" });
  if (decorator !== undefined && type?.kind !== "iterator") {
    problems.add({
      severity: "error",
      module: target.module,
      node: decorator,
      message: "@streaming requires an Iterator or ConcatenateIterator return type",
      hint: `write def ${target.name}(…) -> ConcatenateIterator[str]:`,
    });
  }
  const concurrencyMax = concurrencyOf({ repository, target, problems });
  return {
    operation: {
      mode,
      input: inputs.schema,
      enumerations: inputs.enumerations,
      output: describeOutput(type),
      isStreaming: decorator !== undefined && type?.kind === "iterator",
    },
    isAsync: isAsync(target),
    ...(concurrencyMax === undefined ? {} : { concurrencyMax }),
    problems: problems.problems,
    questions: problems.questions,
  };
}

type Place = Pick<Problem, "file" | "line" | "key">;

function placeOf(mode: Mode, source: CreateSchemaOptions["source"]): Place {
  const { file = "cog.yaml", lines = {} } = source ?? {};
  const keys = mode === "train" ? ["train"] : ["run", "predict", "model"];
  const key = keys.find((name) => lines[name] !== undefined);
  if (key === undefined) return { file };
  const line = lines[key];
  return { file, key, ...(line === undefined ? {} : { line }) };
}

function emptyOperation(mode: Mode): Operation {
  return {
    mode,
    input: { properties: {}, title: mode === "train" ? "TrainingInput" : "Input", type: "object" },
    enumerations: new Map(),
    output: { title: "Output" },
    isStreaming: false,
  };
}

function parseReference(reference: string): { path: string; name: string } | undefined {
  const match = /^(.+\.py):([A-Za-z_]\w*)$/.exec(reference.trim());
  const path = match?.[1] === undefined ? undefined : posix.normalize(match[1]);
  const name = match?.[2];
  if (path === undefined || name === undefined) return undefined;
  if (posix.isAbsolute(path) || path.startsWith("..")) return undefined;
  return { path, name };
}

function readFrom(directory: string): ReadFile {
  return async (path, options) => {
    try {
      return await readFileOfDisk(join(directory, path), {
        encoding: "utf8",
        ...(options?.signal === undefined ? {} : { signal: options.signal }),
      });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "ENOENT" || code === "ENOTDIR" || code === "EISDIR") return undefined;
      throw error;
    }
  };
}

function byPlace(left: Problem, right: Problem): number {
  if (left.file !== right.file) return left.file < right.file ? -1 : 1;
  return (left.line ?? 0) - (right.line ?? 0);
}
