import { nanoOf, readDecimal } from "./decimal.ts";

/** Nano-dollars in a dollar. */
export const nanoPerUsd = 1_000_000_000;
const decimals = 9;
const one = { numerator: 1n, denominator: 1n };

/** US dollars as people write them, such as `12.50`, in nano-dollars; undefined when it is no such number or too large to count. */
export function parseUsd(text: string): number | undefined {
  const price = readDecimal(text);
  if (price === undefined) return undefined;
  const nano = nanoOf(one, price);
  return nano > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(nano);
}

/** Whole nano-dollars as decimal US dollars without zeros at the end: `1500000000` is `1.5`. */
export function formatUsd(nanoUsd: number | bigint): string {
  const sign = nanoUsd < 0 ? "-" : "";
  const whole = typeof nanoUsd === "number" ? Math.trunc(nanoUsd) : nanoUsd;
  const digits = String(whole)
    .replace("-", "")
    .padStart(decimals + 1, "0");
  const fraction = digits.slice(-decimals).replace(/0+$/, "");
  return `${sign}${digits.slice(0, -decimals)}${fraction === "" ? "" : `.${fraction}`}`;
}
