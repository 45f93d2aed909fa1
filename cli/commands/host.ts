import {
  checkHost,
  makeBaseImage,
  planHostSetup,
  possiblePythonVersions,
  setUpHost,
  tearDownHost,
  type HostOptions,
} from "../../host/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { createHostReporter, renderHostCheck, renderHostPlan } from "../report/host.ts";

export const hostSetup: Command = {
  usage: "[--dry-run]",
  options: { "dry-run": { type: "boolean", help: "print what would be done and change nothing" } },
  async run({ flags, context }) {
    if (flags.has("dry-run")) {
      const plan = await planHostSetup(hostOptions(context));
      return context.output.answer(renderHostPlan(plan), plan);
    }
    const report = await setUpHost(hostOptions(context));
    const text =
      report.steps.length === 0 && report.notes.length === 0
        ? "Nothing to do: this host is set up."
        : `Done: ${report.steps.length} steps.`;
    context.output.answer(text, report);
  },
};

export const hostCheck: Command = {
  usage: "",
  async run({ context }) {
    const report = await checkHost(hostOptions(context));
    context.output.answer(renderHostCheck(report), report);
  },
};

export const hostTeardown: Command = {
  usage: "[--purge] [--dry-run]",
  options: {
    purge: {
      type: "boolean",
      help: "also the registry's storage, and Docker if byom installed it",
    },
    "dry-run": { type: "boolean", help: "print what would be removed and change nothing" },
  },
  async run({ flags, context }) {
    const report = await tearDownHost({
      ...hostOptions(context),
      purge: flags.has("purge"),
      dryRun: flags.has("dry-run"),
    });
    const lines = report.removed.map((what) => `removed ${what}`);
    context.output.answer(lines.join("\n") || "Nothing to remove.", report);
  },
};

export const hostBaseImage: Command = {
  usage: `VERSION   (${possiblePythonVersions.join(", ")})`,
  positionals: { min: 1, max: 1 },
  async run({ positionals, context }) {
    const reference = await makeBaseImage({
      ...hostOptions(context),
      pythonVersion: positionals[0] ?? "",
    });
    context.output.answer(reference, { reference });
  },
};

function hostOptions(context: Context): HostOptions {
  const { directories, environment, signal, isRoot } = context;
  return { directories, environment, signal, isRoot, onEvent: createHostReporter(context.output) };
}
