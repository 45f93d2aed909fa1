import { UsageError } from "./errors.ts";

const millisecondsPerUnit: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 60 * 60_000,
  d: 24 * 60 * 60_000,
  w: 7 * 24 * 60 * 60_000,
};

/** `30d`, `1h`, `90s` as milliseconds; undefined when the flag was not given. @throws UsageError that names the flag. */
export function readDuration(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text.trim());
  const unitMs = millisecondsPerUnit[match?.[2] ?? ""];
  if (match === null || unitMs === undefined) {
    throw new UsageError(
      `${flag} ${text}: expected a number and s, m, h, d or w`,
      `${flag} 30d, ${flag} 1h`,
    );
  }
  return Math.round(Number(match[1]) * unitMs);
}
