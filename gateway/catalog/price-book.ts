import { z } from "zod";

import type { Price } from "./entry.ts";
import { pricesSchema } from "./store/records.ts";

/** Prices that hold from a time on, until the next period of the same provider. */
export interface PricePeriod {
  /** ISO 8601. */
  readonly from: string;
  /** Only there; absent: wherever no period of a provider's own holds. */
  readonly provider?: string;
  /** Null: none are set any more; those of the list hold again. */
  readonly prices: readonly Price[] | null;
  /** ISO 8601: when it was said; of two periods with the same beginning the later one holds. */
  readonly setAt: string;
}

/** All prices that an operator has set for one model, the earliest first. Nothing is removed: it is their history. */
export type PriceBook = readonly PricePeriod[];

/** Changes of one model's prices that are kept; a change a day for years. */
const periodsMax = 2_000;
/** Prices from before there were periods hold from here. */
const always = "1970-01-01T00:00:00.000Z";

const periodSchema: z.ZodType<PricePeriod> = z.strictObject({
  from: z.iso.datetime(),
  provider: z.string().min(1).exactOptional(),
  prices: pricesSchema.nullable(),
  setAt: z.iso.datetime(),
});

/** A former byom wrote the prices alone. A book is never written empty. */
export const priceBookSchema: z.ZodType<PriceBook> = z.union([
  pricesSchema.transform((prices): PriceBook => [{ from: always, prices, setAt: always }]),
  z.array(periodSchema).max(periodsMax),
]);

/** The book with one more period. */
export function addPeriod(book: PriceBook, period: PricePeriod): PriceBook {
  const all = [...book, period].toSorted(
    (a, b) => compare(a.from, b.from) || compare(a.setAt, b.setAt),
  );
  return all.length > periodsMax ? all.slice(all.length - periodsMax) : all;
}

/**
 * What an operator's prices are at a time: those of the provider, else those of all. Undefined: none are set. `at`: ISO
 * 8601, in UTC with milliseconds.
 */
export function bookAt(
  book: PriceBook,
  at: string,
  provider: string | undefined,
): readonly Price[] | undefined {
  const holding = (of: string | undefined): readonly Price[] | undefined =>
    book.findLast(({ from, provider: named }) => named === of && from <= at)?.prices ?? undefined;
  return (provider === undefined ? undefined : holding(provider)) ?? holding(undefined);
}

/** When prices change next, after a time; undefined: never, as far as is known. */
export function nextChange(books: readonly PriceBook[], at: string): string | undefined {
  let next: string | undefined;
  for (const book of books) {
    for (const { from } of book) if (from > at && (next === undefined || from < next)) next = from;
  }
  return next;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
