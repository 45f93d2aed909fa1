import type { Command, CommandEntry, Option } from "./command.ts";
import { formatTable } from "./output.ts";

/** Flags that every command takes. */
export const globalOptions: Readonly<Record<string, Option>> = {
  directory: { type: "string", short: "C", value: "DIR", help: "the model repo (default: .)" },
  json: { type: "boolean", help: "print one JSON document on stdout, errors included" },
  verbose: { type: "boolean", short: "v", help: "also print what the build's steps print" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

/** `byom --help`. */
export function renderHelp(commands: readonly CommandEntry[]): string {
  const rows = commands.map(({ name, summary }) => [`  ${name}`, summary]);
  return [
    "byom: from a Cog repo to a model that is called through an AI gateway",
    "",
    "Usage: byom COMMAND [ARGUMENTS] [-C DIR] [--json]",
    "",
    formatTable(rows),
    "",
    "`byom COMMAND --help` shows a command's flags.",
    "",
  ].join("\n");
}

/** `byom build --help`. */
export function renderCommandHelp(entry: CommandEntry, command: Command): string {
  const options = { ...command.options, ...globalOptions };
  const rows = Object.entries(options).map(([name, option]) => [
    `  ${option.short === undefined ? "   " : `-${option.short},`} --${name}${option.value === undefined ? "" : ` ${option.value}`}`,
    option.help,
  ]);
  const aliases = entry.aliases === undefined ? [] : [`Also: ${entry.aliases.join(", ")}`, ""];
  return [
    entry.summary,
    "",
    `Usage: byom ${entry.name} ${command.usage}`.trimEnd(),
    "",
    ...aliases,
    formatTable(rows),
    "",
  ].join("\n");
}
