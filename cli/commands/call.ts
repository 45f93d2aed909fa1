import { predict } from "../../builder/index.ts";
import type { Command } from "../command.ts";
import { UsageError } from "../errors.ts";
import { connectPlatform } from "../platform-client.ts";
import { readInputFlags } from "../prediction-input.ts";
import { createPredictionReporter } from "../report/prediction.ts";
import { readStart, renderPhases, type Start } from "../report/start.ts";

export const call: Command = {
  usage: "MODEL -i NAME=VALUE…",
  positionals: { min: 1, max: 1 },
  options: {
    input: {
      type: "string",
      short: "i",
      multiple: true,
      value: "NAME=VALUE",
      help: "an input; @file sends a file",
    },
    output: { type: "string", short: "o", value: "FILE", help: "write the output to a file" },
  },
  async run({ positionals, flags, context }) {
    const modelId = positionals[0] ?? "";
    if (!/^[^/\s?#%]+(?:\/[^/\s?#%]+)*$/.test(modelId))
      throw new UsageError(`"${modelId}" is no model's id or alias`, "byom models lists them");
    const platform = await connectPlatform(context);
    const document = (await platform.call("GET", `/models/${modelId}/openapi.json`)) as Record<
      string,
      unknown
    >;
    const input = await readInputFlags({
      pairs: flags.texts("input"),
      directory: process.cwd(),
      document,
      signal: context.signal,
    });
    let start: Start | undefined;
    const reporter = createPredictionReporter({
      output: context.output,
      directory: process.cwd(),
      file: flags.text("output"),
      signal: context.signal,
    });
    const sentAt = performance.now();
    const prediction = await predict({
      origin: `${platform.access.url}/models/${modelId}`,
      headers: { authorization: `Bearer ${platform.access.apiKey}` },
      input,
      onHeaders: (headers) => {
        start = readStart(headers);
        if (start !== undefined)
          context.output.note(context.output.style("dim", renderPhases(start)));
      },
      onEvent: reporter.onEvent,
      signal: context.signal,
    });
    const answeredMs = performance.now() - sentAt;
    await reporter.finish(prediction, { model: modelId, start, answeredMs });
  },
};
