import { resolve } from "node:path";
import { renderDockerfile, renderPlan, renderPlannedFiles } from "../../builder/index.ts";
import type { Command } from "../command.ts";
import { loadRepository, planOptions, readPlanFlags } from "../repository.ts";

export const plan: Command = {
  usage: "[DIR] [--dockerfile | --files]",
  positionals: { min: 0, max: 1 },
  options: {
    ...planOptions,
    dockerfile: { type: "boolean", help: "print the Dockerfile of the environment instead" },
    files: { type: "boolean", help: "list every file that goes into the image, with its size" },
  },
  async run({ positionals, flags, context }) {
    const directory = resolve(context.directory, positionals[0] ?? ".");
    const repository = await loadRepository({ ...context, directory }, readPlanFlags(flags));
    const { plan: made, problems } = repository;
    if (flags.has("dockerfile")) {
      const text = renderDockerfile(made);
      return context.output.answer(text, { dockerfile: text });
    }
    if (flags.has("files")) {
      const { weights, code } = made;
      return context.output.answer(renderPlannedFiles(made), { weights, code });
    }
    context.output.answer(renderPlan(made), { ...made, problems });
  },
};
