import type { Providers } from "../upstream/provider/providers.ts";
import type { BundledChoice } from "../upstream/provider/provider-file.ts";
import type { Catalog, CatalogEntry, EntryOrigin, Price } from "./entry.ts";
import { withMetadata } from "./own-metadata.ts";
import { Pricing, type PriceQuery } from "./pricing.ts";
import { ownProvider } from "../route/candidate.ts";
import {
  listedModel,
  upstreamKey,
  withSheet,
  type PriceSheet,
  type SheetModel,
} from "./sheet/sheet.ts";
import type { CatalogStore } from "./store/catalog-store.ts";
import { thirdPartyEntry, type ThirdPartyModel } from "./third-party.ts";

/** The catalog of own and third parties' models, with what an administration needs to know beyond it. */
export interface GatewayCatalog extends Catalog {
  /** Whether it is deployed here. */
  isOwn(modelId: string): boolean;
  /** Other names of a model. */
  aliasesOf(modelId: string): readonly string[];
  /** What a model costs at a provider and a time; undefined: no price is known. */
  pricesOf(query: PriceQuery): readonly Price[] | undefined;
}

/**
 * Puts the catalog together: own models, then what the operator added, then newer facts from a public list over the
 * bundled models. An own model's name wins, then an alias, then a third party's. All look-ups are reads of maps; a
 * change of the store rebuilds those of third parties once.
 */
export function createGatewayCatalog(options: {
  readonly own: Catalog;
  readonly store: CatalogStore;
  readonly providers: Providers;
  readonly bundled: readonly ThirdPartyModel[];
  /** Default: all, since callers may bring keys of their own. */
  readonly bundledChoice?: BundledChoice;
  /** Milliseconds since the epoch; default: the system's. */
  readonly clock?: () => number;
}): GatewayCatalog {
  const { own, store, clock = Date.now } = options;
  let view: View | undefined;
  const current = (): View => {
    const revision = store.revision();
    // A price that was set for later takes effect by itself.
    if (view?.revision !== revision || clock() >= view.pricing.untilMs) {
      view = createView(options, revision, clock());
    }
    return view;
  };
  const decorate = (entry: CatalogEntry): CatalogEntry => {
    const { decorated, pricing, nowMs } = current();
    const known = decorated.get(entry);
    if (known !== undefined) return known;
    const { id } = entry;
    const prices = pricing.pricesOf({
      model: id,
      provider: ownProvider,
      upstreamModel: id,
      atMs: nowMs,
    });
    const described = withMetadata(entry, store.metadata.get(entry.id));
    const result = prices === undefined ? described : { ...described, prices };
    decorated.set(entry, result);
    return result;
  };
  const ownEntry = (id: string): CatalogEntry | undefined => {
    const entry = own.get(id);
    return entry === undefined ? undefined : decorate(entry);
  };
  const get = (name: string): CatalogEntry | undefined => {
    const found = ownEntry(name);
    if (found !== undefined) return found;
    const model = store.aliases.get(name)?.model;
    if (model !== undefined) return ownEntry(model) ?? current().models.get(model);
    return current().models.get(name);
  };
  return {
    get,
    list() {
      const mine = own.list().map(decorate);
      const names = new Set(mine.map(({ id }) => id));
      return [...mine, ...current().list.filter(({ id }) => !names.has(id))];
    },
    versions(modelId) {
      const entry = get(modelId);
      if (entry === undefined) return [];
      if (own.get(entry.id) === undefined) return [entry];
      return own.versions?.(entry.id).map(decorate) ?? [entry];
    },
    isOwn: (modelId) => own.get(modelId) !== undefined,
    aliasesOf: (modelId) => current().aliases.get(modelId) ?? [],
    pricesOf: (query) => current().pricing.pricesOf(query),
  };
}

/** What follows from one state of the store. */
interface View {
  readonly revision: number;
  /** Third parties' models by id. */
  readonly models: ReadonlyMap<string, CatalogEntry>;
  /** The same by origin and id. */
  readonly list: readonly CatalogEntry[];
  /** Aliases by model. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
  /** Own models with metadata and prices, by the plain entry. */
  readonly decorated: WeakMap<CatalogEntry, CatalogEntry>;
  readonly pricing: Pricing;
  /** When it was made, milliseconds since the epoch. */
  readonly nowMs: number;
}

type ViewOptions = Parameters<typeof createGatewayCatalog>[0];

function createView(options: ViewOptions, revision: number, nowMs: number): View {
  const { store } = options;
  const known = publicModels(options);
  const pricing = new Pricing({
    own: options.own,
    books: store.prices,
    providers: options.providers,
    lists: listPrices(options, known),
    nowMs,
  });
  const models = new Map<string, CatalogEntry>();
  const add = (model: ThirdPartyModel, origin: EntryOrigin): void => {
    const [first] = model.upstreams;
    if (models.has(model.id) || first === undefined) return;
    const { provider, model: upstreamModel } = first;
    const prices = pricing.pricesOf({ model: model.id, provider, upstreamModel, atMs: nowMs });
    models.set(
      model.id,
      thirdPartyEntry(prices === undefined ? model : { ...model, prices }, origin),
    );
  };
  for (const [, model] of store.models.entries()) add(model, "added");
  for (const { model, origin } of known) {
    if (!store.hidden.has(model.id)) add(model, origin);
  }
  const aliases = new Map<string, string[]>();
  for (const [alias, { model }] of store.aliases.entries()) {
    aliases.set(model, [...(aliases.get(model) ?? []), alias]);
  }
  const list = [...models.values()];
  return { revision, models, list, aliases, decorated: new WeakMap(), pricing, nowMs };
}

/** The prices of the lists: a bundled or listed one holds at the provider whose list it is, an added one at all. */
function listPrices(
  { store }: ViewOptions,
  known: readonly PublicModel[],
): { byUpstream: Map<string, readonly Price[]>; added: Map<string, readonly Price[]> } {
  const byUpstream = new Map<string, readonly Price[]>();
  for (const { model } of known) {
    const [first] = model.upstreams;
    if (first === undefined || model.prices === undefined) continue;
    const key = upstreamKey(first.provider, first.model);
    if (!byUpstream.has(key)) byUpstream.set(key, model.prices);
  }
  const added = store.models
    .entries()
    .flatMap(([id, { prices }]) => (prices === undefined ? [] : [[id, prices] as const]));
  return { byUpstream, added: new Map(added) };
}

interface PublicModel {
  readonly model: ThirdPartyModel;
  readonly origin: EntryOrigin;
}

/** Bundled models with newer facts over them, and those that only a list knows. */
function publicModels(options: ViewOptions): readonly PublicModel[] {
  const { store, bundled, providers, bundledChoice = "all" } = options;
  if (bundledChoice === "none") return [];
  const facts = factsOf(store.sheets.entries().map(([, sheet]) => sheet));
  const known = new Set<string>();
  const updated = bundled.map((model): PublicModel => {
    for (const target of model.upstreams) known.add(upstreamKey(target.provider, target.model));
    const [first] = model.upstreams;
    const newer = first && facts.get(upstreamKey(first.provider, first.model));
    const isNewer = newer !== undefined && newer.sheet.readAt > (model.facts?.asOf ?? "");
    return {
      model: isNewer ? withSheet(model, newer.facts, newer.sheet) : model,
      origin: "bundled",
    };
  });
  const listed = [...facts]
    .filter(([key]) => !known.has(key))
    .map(([, { facts: model, sheet }]): PublicModel => ({
      model: listedModel(model, sheet),
      origin: "listed",
    }));
  const all = [...updated, ...listed];
  if (bundledChoice === "all") return all;
  return all.filter(({ model }) =>
    model.upstreams.some(({ provider }) => providers.get(provider)?.key !== undefined),
  );
}

/** What the lists say, the one that was read last first. */
function factsOf(
  sheets: readonly PriceSheet[],
): ReadonlyMap<string, { readonly facts: SheetModel; readonly sheet: PriceSheet }> {
  const found = new Map<string, { facts: SheetModel; sheet: PriceSheet }>();
  for (const sheet of sheets.toSorted((a, b) => (a.readAt < b.readAt ? 1 : -1))) {
    for (const facts of sheet.models) {
      const key = upstreamKey(facts.provider, facts.model);
      if (!found.has(key)) found.set(key, { facts, sheet });
    }
  }
  return found;
}
