import { UsageError } from "./errors.ts";

export type PairValue = string | number | boolean;

/**
 * `NAME=VALUE` of repeated flags as an object.
 * @throws UsageError
 */
export function readPairs(
  texts: readonly string[],
  options: {
    /** Such as `--metadata`. */
    readonly flag: string;
    /** Numbers, `true` and `false` are taken as such; quotes (`'"5"'`) keep a text. */
    readonly isTyped?: boolean;
  },
): Readonly<Record<string, PairValue>> {
  return Object.fromEntries(
    texts.map((text) => {
      const equalsAt = text.indexOf("=");
      if (equalsAt <= 0) {
        throw new UsageError(
          `${options.flag} ${text}: expected NAME=VALUE`,
          `${options.flag} team=search`,
        );
      }
      const value = text.slice(equalsAt + 1);
      return [text.slice(0, equalsAt), options.isTyped === true ? typed(value) : value];
    }),
  );
}

function typed(text: string): PairValue {
  if (text === "true" || text === "false") return text === "true";
  if (/^-?\d+(?:\.\d+)?$/.test(text)) return Number(text);
  return /^".*"$/s.test(text) ? text.slice(1, -1) : text;
}
