import type { Command } from "../command.ts";
import { formatTable } from "../output.ts";
import { connectPlatform } from "../platform-client.ts";
import { describeModel, modelRow, type ModelLine } from "../report/catalog.ts";

export const modelsList: Command = {
  usage: "[WORD]… [--task TASK] [--from own|added|listed|bundled|PROVIDER]",
  positionals: { min: 0, max: 20 },
  options: {
    task: { type: "string", value: "TASK", help: "such as text-generation" },
    from: { type: "string", value: "SOURCE", help: "own models, or those of one provider" },
  },
  async run({ positionals, flags, context }) {
    const query = new URLSearchParams();
    if (positionals.length > 0) query.set("search", positionals.join(" "));
    const [task, source] = [flags.text("task"), flags.text("from")];
    if (task !== undefined) query.set("task", task);
    if (source !== undefined) query.set("source", source);
    const platform = await connectPlatform(context);
    const report = (await platform.call(
      "GET",
      `/api/v1/catalog/models${query.size === 0 ? "" : `?${query.toString()}`}`,
    )) as { models: readonly ModelLine[] };
    context.output.answer(formatTable(report.models.map(modelRow)), report);
  },
};

export const modelsShow: Command = {
  usage: "MODEL",
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const platform = await connectPlatform(context);
    const model = (await platform.call(
      "GET",
      `/api/v1/catalog/models/${encodeURIComponent(positionals[0] ?? "")}`,
    )) as ModelLine;
    context.output.answer(formatTable(describeModel(model)), model);
  },
};
