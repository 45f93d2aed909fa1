import {
  predict,
  startLocalContainer,
  type Image,
  type OpenApiDocument,
} from "../../builder/index.ts";
import type { Command } from "../command.ts";
import { UsageError } from "../errors.ts";
import { readInputFlags } from "../prediction-input.ts";
import { createPredictionReporter } from "../report/prediction.ts";
import { loadRepository, planOptions, readPlanFlags } from "../repository.ts";
import { buildRepository } from "./build.ts";

export const run: Command = {
  usage: "-i NAME=VALUE…",
  options: {
    ...planOptions,
    input: {
      type: "string",
      short: "i",
      multiple: true,
      value: "NAME=VALUE",
      help: "an input; @file sends a file",
    },
    output: { type: "string", short: "o", value: "FILE", help: "write the output to a file" },
    env: {
      type: "string",
      short: "e",
      multiple: true,
      value: "NAME=VALUE",
      help: "an environment variable",
    },
  },
  async run({ flags, context }) {
    const repository = await loadRepository(context, readPlanFlags(flags));
    const { signal, output } = context;
    const readInput = async (
      document: OpenApiDocument | undefined,
    ): Promise<Record<string, unknown>> =>
      await readInputFlags({
        pairs: flags.texts("input"),
        directory: repository.directory,
        document,
        signal,
      });
    const { openApiSchema, openApiQuestions } = repository.plan;
    const known = await readInput(openApiSchema);
    const { image, engine } = await buildRepository(context, repository);
    // The built image may have said more than the source: types of inputs, choices.
    const input =
      openApiQuestions === undefined ? known : await readInput(documentOf(image) ?? openApiSchema);
    await using container = await startLocalContainer({
      engine,
      imageName: image.name,
      environment: readVariables(flags.texts("env")),
      gpus: repository.plan.gpu ? "all" : undefined,
      readyTimeoutMs: repository.settings.setupTimeoutMs,
      signal,
    });
    const file = flags.text("output");
    const reporter = createPredictionReporter({
      output,
      directory: context.directory,
      file,
      signal,
    });
    const prediction = await predict({
      origin: container.origin,
      input,
      onEvent: reporter.onEvent,
      signal,
    });
    await reporter.finish(prediction);
  },
};

function documentOf(image: Image): OpenApiDocument | undefined {
  const text = image.labels["run.cog.openapi_schema"];
  return text === undefined ? undefined : (JSON.parse(text) as OpenApiDocument);
}

function readVariables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals <= 0) throw new UsageError(`-e ${pair}: expected NAME=VALUE`, "-e MODE=fast");
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}
