import { resolve } from "node:path";
import {
  ConfigInvalidError,
  createSchema,
  findModelDirectory,
  hasErrors,
  loadConfig,
  renderProblems,
  requireConfig,
  type OpenApiDocument,
} from "../../builder/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError, UsageError } from "../errors.ts";
import { renderTypesModule } from "../model-types/module.ts";

export const schema: Command = {
  usage: "[DIR] [--types ts]",
  positionals: { min: 0, max: 1 },
  options: {
    file: { type: "string", short: "f", value: "FILE", help: "another name for cog.yaml" },
    types: {
      type: "string",
      value: "ts",
      help: "print TypeScript types of input and output instead of OpenAPI",
    },
  },
  async run({ positionals, flags, context }) {
    const language = flags.text("types");
    if (language !== undefined && language !== "ts") {
      throw new UsageError(`--types ${language}: expected ts`, "byom schema --types ts");
    }
    const directory = resolve(context.directory, positionals[0] ?? ".");
    const document = await readDocument({ context, start: directory, file: flags.text("file") });
    if (language === undefined) {
      context.output.answer(JSON.stringify(document, null, 2), document);
      return;
    }
    const types = renderTypesModule(document);
    context.output.answer(types.trimEnd(), { types });
  },
};

/** The document from the Python source alone; warnings go to stderr, errors are thrown together. */
async function readDocument(options: {
  readonly context: Context;
  readonly start: string;
  readonly file: string | undefined;
}): Promise<OpenApiDocument> {
  const { context, start } = options;
  const { signal } = context;
  const file = options.file === undefined ? {} : { file: options.file };
  const directory = await findModelDirectory({ start, ...file, signal });
  const loaded = await loadConfig({ directory, ...file, signal });
  const config = requireConfig(loaded);
  const { predictor, trainer, sdkVersion } = config;
  if (predictor === undefined && trainer === undefined) {
    throw new CommandError({
      code: "model_without_predictor",
      message: `${options.file ?? "cog.yaml"} names neither run nor train: there are no inputs and outputs`,
      hint: "write `run: run.py:Runner`",
    });
  }
  const read = await createSchema({
    directory,
    source: config,
    ...(predictor === undefined ? {} : { predictor }),
    ...(trainer === undefined ? {} : { trainer }),
    ...(sdkVersion === undefined ? {} : { cogVersion: sdkVersion }),
    signal,
  });
  const problems = [...loaded.problems, ...read.problems];
  if (hasErrors(problems)) throw new ConfigInvalidError(problems);
  for (const line of renderProblems(problems)) context.output.note(line);
  return read.document;
}
