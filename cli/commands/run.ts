import { predict, startLocalContainer } from "../../builder/index.ts";
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
    const input = await readInputFlags({
      pairs: flags.texts("input"),
      directory: repository.directory,
      document: repository.plan.openApiSchema,
      signal,
    });
    const { image, engine } = await buildRepository(context, repository);
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

function readVariables(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const equals = pair.indexOf("=");
      if (equals <= 0) throw new UsageError(`-e ${pair}: expected NAME=VALUE`, "-e MODE=fast");
      return [pair.slice(0, equals), pair.slice(equals + 1)];
    }),
  );
}
