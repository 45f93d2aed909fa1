import type { Price, PriceUnit } from "../catalog/entry.ts";
import type { LegBegin, LegEnd } from "../route/leg.ts";
import { noCost, type CostLine, type LegCost } from "./accounts.ts";
import { exactly, isLess, nanoOf, readDecimal, type Fraction } from "./decimal.ts";
import { hasAnswered, quantitiesOf, tokenUnits, type Quantity } from "./units.ts";

/** What a leg is counted with. */
export interface LegPrices {
  /** Those that held when the leg began; absent: none is known; an empty list: it costs nothing. */
  readonly prices?: readonly Price[];
  /** Of an own model: `gpu`, `cpu`, as the catalog has it. */
  readonly hardware?: string;
}

/** One line beyond this (a million dollars) is a count that cannot be meant; it is counted as not priced. */
const lineNanoUsdMax = 1_000_000_000_000_000n;

/**
 * What one leg costs, exactly: decimal prices times decimal quantities, each line rounded half up once to the
 * nano-dollar. A failed leg costs what it used. A leg from the cache costs nothing. What the caller says of the price
 * (`cf-aig-custom-cost`) comes before the catalog. A cached token is never dearer than another one.
 */
export function costOfLeg(begin: LegBegin, end: LegEnd, known: LegPrices): LegCost {
  if (end.state === "cached") return noCost;
  const { items, isEstimated: isGuess } = quantitiesOf(begin, end, known.hardware ?? "");
  const priced = begin.customCost === undefined ? priceItems(items, known) : undefined;
  const { lines, isPriced } = priced ?? customLines(begin, end, items);
  return {
    nanoUsd: lines.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0),
    lines,
    isEstimated: isGuess && items.some(({ unit }) => tokenUnits.has(unit)),
    isPriced: isPriced && (begin.customCost !== undefined || isComplete(end, items, known)),
  };
}

interface Bill {
  readonly lines: readonly CostLine[];
  /** Everything that had to have a price had one. */
  readonly isPriced: boolean;
}

function priceItems(items: readonly Quantity[], { prices }: LegPrices): Bill {
  const byUnit = new Map(prices?.map((price) => [price.unit, fractionOf(price)]));
  const lines: CostLine[] = [];
  let isPriced = true;
  for (const item of items) {
    const price = priceFor(item, byUnit);
    const line = lineOf(item, price);
    if (line === undefined || (price === undefined && mustHavePrice(item.unit, byUnit))) {
      isPriced = false;
    }
    if (item.unit === "request" && price === undefined) continue;
    lines.push(line ?? { unit: item.unit, quantity: item.quantity, nanoUsd: 0 });
  }
  return { lines, isPriced };
}

type PricesByUnit = ReadonlyMap<PriceUnit, Fraction | undefined>;

function priceFor({ unit, insteadOf }: Quantity, byUnit: PricesByUnit): Fraction | undefined {
  const own = byUnit.get(unit);
  if (own === undefined) {
    for (const other of insteadOf) {
      const price = byUnit.get(other);
      if (price !== undefined) return price;
    }
    return undefined;
  }
  // A list that has a cached token dearer than another one is wrong, and nobody pays for that.
  const full = unit === "cached-input-token" ? byUnit.get("input-token") : undefined;
  return full !== undefined && isLess(full, own) ? full : own;
}

/** A model priced by its tokens has a price for each kind of them; one priced by its images has none for tokens. */
function mustHavePrice(unit: PriceUnit, byUnit: PricesByUnit): boolean {
  return tokenUnits.has(unit) && [...tokenUnits].some((one) => byUnit.has(one));
}

/** Undefined when the count cannot be meant. */
function lineOf(item: Quantity, price: Fraction | undefined): CostLine | undefined {
  const { unit, quantity } = item;
  if (price === undefined) return { unit, quantity, nanoUsd: 0 };
  const count = exactly(quantity);
  const nano = count === undefined ? undefined : nanoOf(count, price);
  if (nano === undefined || nano > lineNanoUsdMax) return undefined;
  return { unit, quantity, nanoUsd: Number(nano) };
}

const partsOfOthers: ReadonlySet<PriceUnit> = new Set<PriceUnit>([
  "cached-input-token",
  "cache-write-token",
  "reasoning-token",
  "cold-start-second",
]);

/** Whether the price of a leg that used something is known: at least one thing that it used has one. */
function isComplete(end: LegEnd, items: readonly Quantity[], { prices }: LegPrices): boolean {
  const hasUsed = hasAnswered(end) || end.firstOutputMs !== undefined || items.length > 0;
  const isUnknown = end.state === "interrupted" || end.state === "abandoned";
  if (prices === undefined) return !hasUsed && !isUnknown;
  const due = prices.filter(({ unit, usd }) => !partsOfOthers.has(unit) && Number(usd) > 0);
  if (due.length === 0 || (!hasUsed && !isUnknown)) return true;
  if (end.state === "failed" && items.length === 0) return true;
  return items.some(({ unit, insteadOf }) =>
    due.some((price) => price.unit === unit || insteadOf.includes(price.unit)),
  );
}

/** What the caller says: a price for each token, or one for the answer; a try that failed is not the answer. */
function customLines(begin: LegBegin, end: LegEnd, items: readonly Quantity[]): Bill {
  const { customCost } = begin;
  if (customCost === undefined) return { lines: [], isPriced: false };
  if ("total" in customCost) {
    const counted = items.map(({ unit, quantity }) => ({ unit, quantity, nanoUsd: 0 }));
    if (!hasAnswered(end)) return { lines: counted, isPriced: true };
    const total = customLine("custom", 1, customCost.total);
    return { lines: [...counted, ...total], isPriced: total.length > 0 };
  }
  const { perTokenIn, perTokenOut } = customCost;
  const lines = items.flatMap(({ unit, quantity, insteadOf }) => {
    if (!tokenUnits.has(unit)) return unit === "request" ? [] : [{ unit, quantity, nanoUsd: 0 }];
    const isInput = unit === "input-token" || insteadOf.includes("input-token");
    return customLine(unit, quantity, isInput ? perTokenIn : perTokenOut);
  });
  return { lines, isPriced: true };
}

function customLine(unit: string, quantity: number, usd: string): readonly CostLine[] {
  const price = readDecimal(usd);
  const count = exactly(quantity);
  if (price === undefined || count === undefined) return [];
  const nano = nanoOf(count, price);
  return nano > lineNanoUsdMax ? [] : [{ unit, quantity, nanoUsd: Number(nano) }];
}

/** Prices are looked at with every leg and change seldom. */
const fractions = new WeakMap<Price, Fraction>();

/** Dollars for one of the unit. */
function fractionOf(price: Price): Fraction | undefined {
  const known = fractions.get(price);
  if (known !== undefined) return known;
  const usd = readDecimal(price.usd);
  if (usd === undefined) return undefined;
  const fraction = { ...usd, denominator: usd.denominator * BigInt(price.per) };
  fractions.set(price, fraction);
  return fraction;
}
