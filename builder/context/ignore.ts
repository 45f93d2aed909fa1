/** One line of a `.dockerignore`, compiled. */
interface IgnorePattern {
  /** Cleaned text without `!`. */
  readonly text: string;
  readonly isException: boolean;
  readonly matches: (path: string) => boolean;
}

/** What a folder's patterns said, so that everything below inherits it; opaque to callers. */
export type MatchState = readonly boolean[];

/**
 * Decides as Docker does which paths stay out of the build (moby/patternmatcher, `MatchesUsingParentResults`):
 * patterns are read in order, the last that matches a path or one of its folders wins, `!` takes a path back in,
 * `*` and `?` stop at `/`, `**` does not, and a pattern is always relative to the repo's root.
 */
export class IgnoreMatcher {
  readonly #patterns: readonly IgnorePattern[];

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns.map(compile);
  }

  /** `path` is relative and `/`-separated; `parent` is the state of its folder (none at the root). */
  match(
    path: string,
    parent?: MatchState,
  ): { readonly isIgnored: boolean; readonly state: MatchState } {
    let isIgnored = false;
    const state: boolean[] = [];
    for (const [index, pattern] of this.#patterns.entries()) {
      let isMatch = parent?.[index] ?? false;
      // A pattern that cannot change the outcome so far is not asked.
      if (!isMatch && pattern.isException === isIgnored) isMatch = pattern.matches(path);
      state.push(isMatch);
      if (isMatch) isIgnored = !pattern.isException;
    }
    return { isIgnored, state };
  }

  /** False when nothing below an ignored folder can be taken back in, so that it need not be walked. */
  mayTakeBackBelow(folder: string): boolean {
    return this.#patterns.some(
      ({ isException, text }) =>
        isException && (/[*?[\\]/.test(text) || `${text}/`.startsWith(`${folder}/`)),
    );
  }

  /** For one path on its own: every folder above it is asked first. */
  isIgnored(path: string): boolean {
    const parts = path.split("/");
    let state: MatchState | undefined;
    let isIgnored = false;
    for (let length = 1; length <= parts.length; length++) {
      ({ isIgnored, state } = this.match(parts.slice(0, length).join("/"), state));
    }
    return isIgnored;
  }
}

/** The patterns of a `.dockerignore` (moby/patternmatcher/ignorefile `ReadAll`). */
export function parseIgnoreFile(text: string): string[] {
  return readIgnoreLines(text).map(({ pattern }) => pattern);
}

/** Lines for which Docker refuses the whole build; 1-based. */
export function findIgnoreProblems(
  text: string,
): { readonly line: number; readonly pattern: string }[] {
  return readIgnoreLines(text).filter(({ pattern }) => !isValidPattern(pattern));
}

function readIgnoreLines(text: string): { readonly line: number; readonly pattern: string }[] {
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .map((written, index) => ({ line: index + 1, written }))
    .filter(({ written }) => !written.startsWith("#") && trimSpace(written) !== "")
    .map(({ line, written }) => {
      const trimmed = trimSpace(written);
      const isException = trimmed.startsWith("!");
      const pattern = isException ? trimSpace(trimmed.slice(1)) : trimmed;
      if (pattern === "") return { line, pattern: trimmed };
      const clean = cleanPath(pattern);
      const relative = clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean;
      return { line, pattern: isException ? `!${relative}` : relative };
    });
}

/** Go's `strings.TrimSpace`: U+0085 is a space there, U+FEFF is none. */
function trimSpace(text: string): string {
  const isSpace = (character: string | undefined): boolean =>
    character !== undefined && /[^\S\uFEFF]|\u0085/.test(character);
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

function compile(pattern: string): IgnorePattern {
  const isException = pattern.startsWith("!");
  const text = cleanPath(isException ? pattern.slice(1) : pattern);
  const literal = { text, isException };
  // `.` cleans to itself and matches no path, in Docker too.
  if (!/[*?[\]\\]/.test(text)) return { ...literal, matches: (path) => path === text };
  const suffix = /^\*\*\/?([^*?[\]\\]*)$/.test(text) ? text.slice(2) : undefined;
  if (suffix !== undefined) {
    // Docker's shortcut, with a meaning of its own: `**.md` is any path that ends so.
    const matches = (path: string): boolean =>
      path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
    return { ...literal, matches };
  }
  const prefix = /^([^*?[\]\\]+)\*\*$/.exec(text)?.[1];
  if (prefix !== undefined) return { ...literal, matches: (path) => path.startsWith(prefix) };
  const expression = toRegExp(text);
  return { ...literal, matches: (path) => expression?.test(path) ?? false };
}

/** What Docker checks of every pattern before it reads the first file: Go's `filepath.Match` and `regexp` take it. */
function isValidPattern(pattern: string): boolean {
  const text = pattern.startsWith("!") ? pattern.slice(1) : pattern;
  if (text === "") return false;
  const classMember = String.raw`(?:\\[^]|[^\]\\-])`;
  const grammar = new RegExp(
    String.raw`^(?:[^[\\]|\\[^]|\[\^?(?:${classMember}(?:-${classMember})?)+\])*$`,
    "u",
  );
  return grammar.test(text) && (!/[*?[\]\\]/.test(text) || toRegExp(text) !== undefined);
}

/**
 * Docker turns a pattern into a regular expression of Go (patternmatcher `compile`), quirks included: `^` is no
 * literal, `.` never a line's end, and `*` in a class ends in an expression of its own. Undefined when Go refuses it.
 */
function toRegExp(pattern: string): RegExp | undefined {
  try {
    return new RegExp(`^${fromGoExpression(toGoExpression(pattern))}$`, "u");
  } catch {
    return undefined;
  }
}

function toGoExpression(pattern: string): string {
  const token = /\*\*\/?|\*|\?|\\[^]|[.+()|{}$]|[^]/gu;
  return (
    pattern
      .replace(token, (text, index: number) => {
        if (text.startsWith("**")) return index + text.length >= pattern.length ? ".*" : "(.*/)?";
        if (text === "*") return "[^/]*";
        if (text === "?") return "[^/]";
        return /^[.+()|{}$]$/.test(text) ? `\\${text}` : text;
      })
      // One of them matches all that several in a row do, without trying each way to share a path among them.
      .replace(/(?:\(\.\*\/\)\?)+/g, "(.*/)?")
  );
}

/** The same expression in JavaScript's stricter grammar. */
function fromGoExpression(expression: string): string {
  let isClass = false;
  return expression.replace(/\\[^]|\[\^?|[^]/gu, (text) => {
    if (text.startsWith("\\") && text.length > 1) return fromGoEscape(text.slice(1));
    if (isClass && text === "]") isClass = false;
    else if (isClass && text.startsWith("[")) return `\\${text}`;
    else if (text.startsWith("[")) isClass = true;
    else if (text === "]") return "\\]";
    else if (text === "." && !isClass) return "[^\\n]";
    return text;
  });
}

/** `\d` and its like mean in Docker what they mean in expressions; an escaped sign means itself. */
function fromGoEscape(character: string): string {
  if (/[\^$\\.*+?()[\]{}|/]/.test(character)) return `\\${character}`;
  if (character === "-") return String.raw`\x2d`;
  if (/[dDwWsSbBtnrfv]/.test(character)) return `\\${character}`;
  if (/[A-Za-z0-9]/.test(character)) throw new SyntaxError(`\\${character}`);
  return character;
}

/** Go's `filepath.Clean` for `/`-separated paths. */
function cleanPath(path: string): string {
  const isAbsolute = path.startsWith("/");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!isAbsolute) parts.push("..");
  }
  const clean = parts.join("/");
  if (isAbsolute) return `/${clean}`;
  return clean === "" ? "." : clean;
}
