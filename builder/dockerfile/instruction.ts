/** A mount of one RUN: `type=cache,target=/root/.cache/pip`. */
export interface RunOptions {
  readonly mounts: readonly string[];
  readonly command: string;
}

/** `RUN` with one mount per line. The command must be one line or break its lines with `\` itself. */
export function run({ mounts, command }: RunOptions): string {
  const flags = mounts.map((mount) => `--mount=${mount} \\\n    `).join("");
  return `RUN ${flags}${command}`;
}

/** `ENV NAME="value"`, the value taken literally: the frontend expands nothing in it. */
export function env(name: string, value: string): string {
  return `ENV ${name}="${value.replaceAll(/[\\"$]/g, String.raw`\$&`)}"`;
}

/** One word for a POSIX shell, in single quotes. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Like {@link shellQuote}, but a word of plain characters stays bare. */
export function shellWord(text: string): string {
  return /^[A-Za-z0-9_./:=@%+,-]+$/.test(text) ? text : shellQuote(text);
}

/** Leading flags of a RUN that an author wrote into the command (`--mount=type=cache,… pip install …`). */
export function splitRunFlags(command: string): {
  readonly flags: string[];
  readonly rest: string;
} {
  const flags: string[] = [];
  let rest = command.trimStart();
  for (;;) {
    const match = /^--(?:mount|network|security)=(?:"[^"]*"|\S+)\s+/.exec(rest);
    if (match === null) return { flags, rest };
    flags.push(match[0].trim());
    rest = rest.slice(match[0].length);
  }
}
