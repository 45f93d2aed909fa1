import type { CatalogEntry, PriceUnit } from "../entry.ts";

/** Digits after the point that a price for one token may need: $0.01 for a million is 8. */
const decimalsMax = 15;

/** US dollars for `times` of a unit as a decimal, by exact arithmetic; undefined when there is no price for it. */
export function priceOf(entry: CatalogEntry, unit: PriceUnit, times = 1): string | undefined {
  const price = entry.prices?.find((candidate) => candidate.unit === unit);
  if (price === undefined) return undefined;
  const [whole = "0", fraction = ""] = price.usd.split(".");
  const scale = 10n ** BigInt(decimalsMax);
  const scaled = BigInt(whole + fraction) * scale * BigInt(times);
  const divisor = 10n ** BigInt(fraction.length) * BigInt(price.per);
  return decimal((scaled + divisor / 2n) / divisor);
}

/** A whole number of 10^-15 as a decimal without zeros at its end. */
function decimal(value: bigint): string {
  const digits = value.toString().padStart(decimalsMax + 1, "0");
  const whole = digits.slice(0, -decimalsMax);
  const fraction = digits.slice(-decimalsMax).replace(/0+$/, "");
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
