import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkHost } from "../../host/index.ts";
import type { Command } from "../command.ts";
import { renderHostCheck } from "../report/host.ts";
import { loadRepository } from "../repository.ts";

export const doctor: Command = {
  usage: "[DIR]",
  positionals: { min: 0, max: 1 },
  async run({ positionals, context }) {
    const directory = resolve(context.directory, positionals[0] ?? ".");
    const { directories, environment, signal, isRoot } = context;
    const host = await checkHost({ directories, environment, signal, isRoot });
    const hasRepository = existsSync(join(directory, "cog.yaml"));
    const repository = hasRepository
      ? await loadRepository(
          { ...context, directory },
          { file: undefined, tag: undefined, baseImage: undefined },
        )
      : undefined;
    const problems = repository?.problems ?? [];
    const lines = [renderHostCheck(host)];
    if (repository !== undefined)
      lines.push("", `model repo ${directory}: ${problems.length} warnings`);
    context.output.answer(lines.join("\n"), { host, problems });
  },
};
