import type { Command, Option } from "./command.ts";
import { formatTable } from "./output.ts";

/** Flags that every command takes. */
export const globalOptions: Readonly<Record<string, Option>> = {
  directory: { type: "string", short: "C", value: "DIR", help: "the model repo (default: .)" },
  json: { type: "boolean", help: "print one JSON document on stdout, errors included" },
  verbose: { type: "boolean", short: "v", help: "also print what the build's steps print" },
  help: { type: "boolean", short: "h", help: "show this help" },
};

/** `byom --help`. */
export function renderHelp(commands: readonly Command[]): string {
  const rows = commands.map((command) => [`  ${command.name}`, command.summary]);
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
export function renderCommandHelp(command: Command): string {
  const options = { ...command.options, ...globalOptions };
  const rows = Object.entries(options).map(([name, option]) => [
    `  ${option.short === undefined ? "   " : `-${option.short},`} --${name}${option.value === undefined ? "" : ` ${option.value}`}`,
    option.help,
  ]);
  const aliases = command.aliases === undefined ? [] : [`Also: ${command.aliases.join(", ")}`, ""];
  return [
    `${command.summary}`,
    "",
    `Usage: byom ${command.name} ${command.usage}`.trimEnd(),
    "",
    ...aliases,
    formatTable(rows),
    "",
  ].join("\n");
}
