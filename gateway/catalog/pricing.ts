import { ownProvider } from "../route/candidate.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import type { Catalog, Price } from "./entry.ts";
import { bookAt, nextChange, type PriceBook } from "./price-book.ts";
import { upstreamKey } from "./sheet/sheet.ts";
import type { Table } from "./store/table.ts";

/** A model at one of those that serve it. */
export interface PriceQuery {
  readonly model: string;
  /** `byom` for an own deployment. */
  readonly provider: string;
  /** As the provider names it. */
  readonly upstreamModel: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/** What the lists say, without what the operator set. */
export interface ListPrices {
  /** By `upstreamKey`. */
  readonly byUpstream: ReadonlyMap<string, readonly Price[]>;
  /** Of models that the operator added: they hold at all of their providers. */
  readonly added: ReadonlyMap<string, readonly Price[]>;
}

export interface PricingOptions {
  readonly own: Catalog;
  readonly books: Table<PriceBook>;
  readonly providers: Providers;
  readonly lists: ListPrices;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Where prices of a kind of hardware are kept among those of models: no model's id has a space. */
export function hardwareBookId(hardware: string): string {
  return `hardware ${hardware}`;
}

/**
 * The prices as they hold until the next one begins. What an operator set for a model at a provider comes first, then
 * what was set for the model, then the lists; an own model's instance falls back to the price of its hardware. An own
 * model's price is that of its instance: another provider that serves it has its own.
 */
export class Pricing {
  readonly #options: PricingOptions;
  readonly #known = new Map<string, readonly Price[] | undefined>();
  /** Milliseconds since the epoch: before it these prices may not have held yet. */
  readonly #fromMs: number;
  /** From when on others hold. */
  readonly untilMs: number;

  constructor(options: PricingOptions) {
    this.#options = options;
    const books = options.books.entries().map(([, book]) => book);
    const next = nextChange(books, new Date(options.nowMs).toISOString());
    this.untilMs = next === undefined ? Number.POSITIVE_INFINITY : Date.parse(next);
    const began = books.flatMap((book) => book.map(({ from }) => Date.parse(from)));
    this.#fromMs = Math.max(0, ...began.filter((ms) => ms <= options.nowMs));
  }

  pricesOf(query: PriceQuery): readonly Price[] | undefined {
    if (query.atMs < this.#fromMs || query.atMs >= this.untilMs) return this.#find(query);
    const key = `${query.model}\n${query.provider}\n${query.upstreamModel}`;
    if (!this.#known.has(key)) this.#known.set(key, this.#find(query));
    return this.#known.get(key);
  }

  #find({ model, provider, upstreamModel, atMs }: PriceQuery): readonly Price[] | undefined {
    const { own, books, lists } = this.#options;
    const at = new Date(atMs).toISOString();
    const book = books.get(model) ?? [];
    const mine = own.get(model);
    if (provider === ownProvider) {
      const hardware = books.get(hardwareBookId(mine?.hardware ?? ""));
      return bookAt(book, at, provider) ?? mine?.prices ?? bookAt(hardware ?? [], at, undefined);
    }
    const listed = lists.added.get(model) ?? this.#listed(provider, upstreamModel);
    if (mine === undefined) return bookAt(book, at, provider) ?? listed;
    const ofProvider = book.filter((period) => period.provider === provider);
    return bookAt(ofProvider, at, provider) ?? listed ?? bookAt(book, at, undefined);
  }

  /** By the provider's name, else by the kind of provider that it is. */
  #listed(provider: string, upstreamModel: string): readonly Price[] | undefined {
    const { lists, providers } = this.#options;
    const byName = lists.byUpstream.get(upstreamKey(provider, upstreamModel));
    if (byName !== undefined) return byName;
    const kind = providers.get(provider)?.adapter.id;
    if (kind === undefined || kind === "openai-compatible") return undefined;
    return lists.byUpstream.get(upstreamKey(kind, upstreamModel));
  }
}
