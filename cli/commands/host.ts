import {
  checkHost,
  makeBaseImage,
  planHostSetup,
  possiblePythonVersions,
  setUpHost,
  tearDownHost,
  type HostOptions,
} from "../../host/index.ts";
import type { Command, Flags } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { createHostReporter, renderHostCheck, renderHostPlan } from "../report/host.ts";

export const hostSetup: Command = {
  usage: "[--dry-run] [--huge-pages | --no-huge-pages]",
  options: {
    "dry-run": { type: "boolean", help: "print what would be done and change nothing" },
    "huge-pages": {
      type: "boolean",
      help: "let restores switch the host's huge pages on while they fill memory (default)",
    },
    "no-huge-pages": { type: "boolean", help: "leave the host's huge pages as they are" },
  },
  async run({ flags, context }) {
    const options = { ...hostOptions(context), ...hugePages(flags) };
    if (flags.has("dry-run")) {
      const plan = await planHostSetup(options);
      return context.output.answer(renderHostPlan(plan), plan);
    }
    const report = await setUpHost(options);
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

/** Neither: as it was set up before. */
function hugePages(flags: Flags): Pick<HostOptions, "hugePages"> {
  const isAsked = flags.has("huge-pages");
  if (isAsked && flags.has("no-huge-pages")) {
    const message = "--huge-pages and --no-huge-pages exclude each other";
    throw new CommandError({ code: "usage", message, hint: "give one of them" });
  }
  return isAsked || flags.has("no-huge-pages") ? { hugePages: isAsked } : {};
}

function hostOptions(context: Context): HostOptions {
  const { directories, environment, signal, isRoot } = context;
  return { directories, environment, signal, isRoot, onEvent: createHostReporter(context.output) };
}
