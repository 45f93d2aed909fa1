import { parseArgs } from "node:util";
import { createFlags, type Command, type CommandEntry, type Flags } from "./command.ts";
import { UsageError } from "./errors.ts";
import { globalOptions } from "./help.ts";

/** The command that these words name, and what follows its name. */
export function findCommand(
  commands: readonly CommandEntry[],
  argv: readonly string[],
): { entry: CommandEntry; rest: readonly string[] } | undefined {
  const words = leadingWords(argv);
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(" ");
    const entry = commands.find((one) => one.name === name || one.aliases?.includes(name));
    if (entry !== undefined && words.length >= length) {
      return { entry, rest: withoutFirst(argv, words.slice(0, length)) };
    }
  }
  return undefined;
}

/** Flags and positional arguments of one command; a wrong one is a UsageError that names it. */
export function parseCommandLine(
  name: string,
  command: Command,
  rest: readonly string[],
): { flags: Flags; positionals: readonly string[] } {
  const options = { ...command.options, ...globalOptions };
  let parsed;
  try {
    parsed = parseArgs({ args: [...rest], options, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(
      firstSentence((error as Error).message),
      `byom ${name} --help shows the flags`,
    );
  }
  const flags = createFlags(parsed.values);
  const { min, max } = command.positionals ?? { min: 0, max: 0 };
  const count = parsed.positionals.length;
  if (!flags.has("help") && (count < min || count > max)) {
    const problem =
      count < min ? "an argument is missing" : `unexpected argument "${parsed.positionals[max]}"`;
    throw new UsageError(problem, `usage: byom ${name} ${command.usage}`);
  }
  return { flags, positionals: parsed.positionals };
}

/** `name=value` pairs of `-i`; a name may be repeated for a list. */
export function parseInputs(pairs: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const inputs = new Map<string, string[]>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals <= 0) {
      throw new UsageError(
        `-i ${pair}: expected NAME=VALUE`,
        "write -i prompt=hello, or -i image=@page.png for a file",
      );
    }
    const name = pair.slice(0, equals);
    inputs.set(name, [...(inputs.get(name) ?? []), pair.slice(equals + 1)]);
  }
  return inputs;
}

/** The words that may be the command's name: global flags before it are skipped, with their values. */
function leadingWords(argv: readonly string[]): readonly string[] {
  const words: string[] = [];
  for (let index = 0; index < argv.length && words.length < 2; index += 1) {
    const word = argv[index] ?? "";
    if (word === "--") break;
    if (word === "-C" || word === "--directory") index += 1;
    else if (!word.startsWith("-")) words.push(word);
  }
  return words;
}

function withoutFirst(argv: readonly string[], words: readonly string[]): readonly string[] {
  const rest = [...argv];
  let from = 0;
  for (const word of words) {
    // A folder named like the command, in `-C build build`, is not the command.
    while (rest[from] === "-C" || rest[from] === "--directory" || rest[from] !== word) {
      from += rest[from] === "-C" || rest[from] === "--directory" ? 2 : 1;
    }
    rest.splice(from, 1);
  }
  return rest;
}

function firstSentence(message: string): string {
  return message.split(". ")[0] ?? message;
}
