/** One challenge of a `WWW-Authenticate` header (RFC 9110 §11.6.1), names in lower case. */
export interface Challenge {
  readonly scheme: string;
  readonly parameters: Readonly<Record<string, string>>;
}

/** Longest header that is read, in characters; real ones stay below 1,000. */
const challengeLengthMax = 8192;

const tokenPattern = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const valuePattern = /\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/y;
const separatorPattern = /[\s,]+/y;

/** Reads all challenges of one header; what is not well-formed ends the reading. */
export function parseChallenges(header: string): Challenge[] {
  const text = header.slice(0, challengeLengthMax);
  const challenges: { scheme: string; parameters: Record<string, string> }[] = [];
  let position = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position;
    const match = pattern.exec(text);
    if (match) position = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(separatorPattern);
    const name = take(tokenPattern)?.[0].toLowerCase();
    if (name === undefined) return challenges;
    const value = take(valuePattern);
    if (value === null) {
      challenges.push({ scheme: name, parameters: {} });
      continue;
    }
    const current = challenges.at(-1);
    if (current) current.parameters[name] = value[1]?.replace(/\\(.)/g, "$1") ?? value[2] ?? "";
  }
}
