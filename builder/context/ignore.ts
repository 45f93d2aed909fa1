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
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => {
      const isException = line.startsWith("!");
      const pattern = isException ? line.slice(1).trim() : line;
      if (pattern === "") return line;
      const clean = cleanPath(pattern);
      const relative = clean.length > 1 && clean.startsWith("/") ? clean.slice(1) : clean;
      return isException ? `!${relative}` : relative;
    });
}

function compile(pattern: string): IgnorePattern {
  const isException = pattern.startsWith("!");
  const text = cleanPath(isException ? pattern.slice(1) : pattern);
  // `.` cleans to itself and matches no path, in Docker too.
  if (!/[*?[\]\\]/.test(text)) return { text, isException, matches: (path) => path === text };
  const suffix = /^\*\*([^*?[\]\\]*)$/.exec(text)?.[1];
  if (suffix !== undefined) {
    // Docker's shortcut, with a meaning of its own: `**.md` is any path that ends so.
    const matches = (path: string): boolean =>
      path.endsWith(suffix) || (suffix.startsWith("/") && path === suffix.slice(1));
    return { text, isException, matches };
  }
  const expression = toRegExp(text);
  return { text, isException, matches: (path) => expression.test(path) };
}

/** Go's `filepath.Match` with `**` (patternmatcher `compile`); a malformed pattern matches nothing. */
function toRegExp(pattern: string): RegExp {
  let source = "";
  for (let index = 0; index < pattern.length; index++) {
    const character = pattern[index] ?? "";
    if (character === "*" && pattern[index + 1] === "*") {
      index++;
      if (pattern[index + 1] === "/") index++;
      source += index + 1 >= pattern.length ? ".*" : "(.*/)?";
    } else if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "\\") {
      index++;
      source += index < pattern.length ? escapeLiteral(pattern[index] ?? "") : "\\\\";
    } else if (character === "[") {
      const end = pattern.indexOf("]", index + 2);
      source += end === -1 ? "\\[" : characterClass(pattern.slice(index + 1, end));
      index = end === -1 ? index : end;
    } else source += escapeLiteral(character);
  }
  try {
    return new RegExp(`^${source}$`, "su");
  } catch {
    return /(?!)/;
  }
}

function characterClass(content: string): string {
  const isNegated = content.startsWith("^");
  const members = content.slice(isNegated ? 1 : 0).replaceAll("[", "\\[");
  return `[${isNegated ? "^" : ""}${members}]`;
}

function escapeLiteral(character: string): string {
  return /[.*+?^${}()|[\]\\/]/.test(character) ? `\\${character}` : character;
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
