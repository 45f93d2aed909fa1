import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import {
  ConfigInvalidError,
  hasErrors,
  planRepairs,
  renderProblems,
  writeRepairs,
  type Problem,
  type Repair,
  type RepairPlan,
} from "../../builder/index.ts";
import { checkHost } from "../../host/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { renderHostCheck } from "../report/host.ts";
import { renderDiff, renderRepair } from "../report/repair.ts";
import { loadRepository } from "../repository.ts";

export const doctor: Command = {
  usage: "[DIR] [--fix]",
  positionals: { min: 0, max: 1 },
  options: {
    file: { type: "string", short: "f", value: "FILE", help: "another name for cog.yaml" },
    fix: { type: "boolean", help: "mend what can be mended, after showing the difference" },
  },
  async run({ positionals, flags, context }) {
    const directory = resolve(context.directory, positionals[0] ?? ".");
    const { directories, environment, signal, isRoot, output } = context;
    const host = await checkHost({ directories, environment, signal, isRoot });
    const file = flags.text("file") ?? "cog.yaml";
    if (!existsSync(join(directory, file))) {
      output.answer(renderHostCheck(host), { host, repairs: [], diffs: [], problems: [] });
      return;
    }
    const repository = { context: { ...context, directory }, file };
    const plan = await planRepairs({ directory, file, signal });
    for (const repair of plan.repairs) output.note(renderRepair(repair));
    for (const changed of plan.files) output.note(renderDiff(changed));
    if (flags.has("fix")) await writeRepairs({ directory, plan, signal });
    const problems = await findProblems(repository);
    const report = {
      host,
      isFixed: flags.has("fix"),
      repairs: plan.repairs.map(describeRepair),
      diffs: plan.files.map((changed) => ({ path: changed.path, diff: renderDiff(changed) })),
      problems,
    };
    const summary = summarise(plan, problems, flags.has("fix"));
    const isBroken = !flags.has("fix") && plan.repairs.some(({ severity }) => severity === "error");
    if (isBroken || hasErrors(problems)) {
      const hint =
        plan.repairs.length > 0 && !flags.has("fix")
          ? "`byom doctor --fix` mends what is shown above"
          : "correct what is listed";
      throw new CommandError({
        code: "MODEL_REPO_HAS_ERRORS",
        message: summary,
        hint,
        details: report,
      });
    }
    if (plan.repairs.length === 0 && problems.length === 0) output.note("no issues found");
    output.answer(`${renderHostCheck(host)}\n\nmodel repo ${directory}: ${summary}`, report);
  },
};

/** Without its edits, which the differences show. */
function describeRepair({ severity, file, line, key, message, action }: Repair): object {
  return { severity, file, line, key, message, action };
}

/** What is wrong now, errors too; warnings are printed by the reading itself. */
async function findProblems(repository: {
  readonly context: Context;
  readonly file: string;
}): Promise<readonly Problem[]> {
  const flags = { file: repository.file, tag: undefined, baseImage: undefined };
  try {
    return (await loadRepository(repository.context, flags)).problems;
  } catch (error) {
    if (!(error instanceof ConfigInvalidError)) throw error;
    for (const line of renderProblems(error.problems)) repository.context.output.note(line);
    return error.problems;
  }
}

function summarise(plan: RepairPlan, problems: readonly Problem[], isFixed: boolean): string {
  const errors = problems.filter(({ severity }) => severity === "error").length;
  const files = plan.files.map(({ path }) => path).join(", ");
  const count = plan.repairs.length;
  const parts = [
    ...(count === 0
      ? []
      : [isFixed ? `${count} mended in ${files}` : `${count} can be mended (--fix)`]),
    ...(errors === 0
      ? []
      : [`${errors} ${errors === 1 ? "error" : "errors"}${isFixed ? " left" : ""}`]),
    ...(problems.length - errors === 0
      ? []
      : [
          `${problems.length - errors} ${problems.length - errors === 1 ? "warning" : "warnings"}${isFixed ? " left" : ""}`,
        ]),
  ];
  return parts.length === 0 ? "no issues" : parts.join(", ");
}
