/** An exact amount: `numerator / denominator`, neither of them negative. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** Digits of an exponent that are read: `2e-6` is a price for one token, `1e-999` is a mistake. */
const exponentMax = 40;
const pattern = /^(\d{1,30})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** A decimal number as it is written, such as `0.15` or `2e-6`; undefined for anything else, negative ones too. */
export function readDecimal(text: string): Fraction | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [, whole = "0", decimals = "", exponentText = "0"] = match;
  const exponent = Number(exponentText) - decimals.length;
  if (Math.abs(Number(exponentText)) > exponentMax) return undefined;
  const digits = BigInt(whole + decimals);
  return exponent >= 0
    ? { numerator: digits * 10n ** BigInt(exponent), denominator: 1n }
    : { numerator: digits, denominator: 10n ** BigInt(-exponent) };
}

/** A number as the decimal that JSON writes for it; undefined unless it is finite and not negative. */
export function exactly(value: number): Fraction | undefined {
  if (!Number.isFinite(value) || value < 0) return undefined;
  if (Number.isSafeInteger(value)) return { numerator: BigInt(value), denominator: 1n };
  return readDecimal(String(value));
}

export function isLess(one: Fraction, other: Fraction): boolean {
  return one.numerator * other.denominator < other.numerator * one.denominator;
}

/** The product, times 10⁹, as a whole number rounded half up: nano-dollars of a quantity at a price in dollars. */
export function nanoOf(quantity: Fraction, price: Fraction): bigint {
  const numerator = quantity.numerator * price.numerator * 1_000_000_000n;
  const denominator = quantity.denominator * price.denominator;
  return (2n * numerator + denominator) / (2n * denominator);
}
