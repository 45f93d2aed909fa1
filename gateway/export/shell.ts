/** A text as one word of a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** Stands in a JSON body for a secret that the shell puts in. */
export function shellVariable(name: string): string {
  return `\u0000${name}\u0000`;
}

/** A JSON body as one word; what `shellVariable` marked becomes `"$NAME"`. */
export function shellJson(body: unknown): string {
  const quoted = shellQuote(JSON.stringify(body, undefined, 2));
  return quoted.replaceAll(/\\u0000(\w+)\\u0000/g, (_, name: string) => `'"$${name}"'`);
}

/** One call by curl that fails when the remote refuses. */
export function curl(options: {
  readonly method: string;
  /** May hold `$NAME`: it stands in double quotes. */
  readonly url: string;
  /** May hold `$NAME` too. */
  readonly headers: readonly string[];
  readonly body: unknown;
}): string {
  return [
    `curl --fail-with-body -X ${options.method} "${options.url}" \\`,
    ...[...options.headers, "Content-Type: application/json"].map((text) => `  -H "${text}" \\`),
    `  -d ${shellJson(options.body)}`,
  ].join("\n");
}
