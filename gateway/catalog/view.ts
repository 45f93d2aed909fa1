import type { ModelState, Upstream } from "../upstream/upstream.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import { hasKey } from "../upstream/provider/target.ts";
import type { GatewayCatalog } from "./catalog.ts";
import type { CatalogEntry, EntryOrigin } from "./entry.ts";
import type { StartHistory } from "./starts.ts";

/** What a look at the catalog needs. */
export interface CatalogSources {
  readonly catalog: Pick<GatewayCatalog, "list" | "aliasesOf">;
  readonly providers: Providers;
  readonly upstream: Upstream;
  readonly starts: StartHistory;
}

/** An entry as `GET /api/v1/catalog/models` shows it. */
export interface ModelView extends Omit<
  CatalogEntry,
  "inputSchema" | "outputSchema" | "upstreams"
> {
  readonly name: string;
  readonly origin: EntryOrigin;
  readonly aliases: readonly string[];
  readonly inputSchema?: CatalogEntry["inputSchema"];
  readonly outputSchema?: CatalogEntry["outputSchema"];
  /** In the order in which they are tried. */
  readonly upstreams: readonly UpstreamView[];
  /** Whether a call can be answered without a provider key of the caller's own. */
  readonly isCallable: boolean;
  /** Of own models; a third party's health shows only in calls. */
  readonly health?: { readonly state: ModelState };
  readonly starts: ReturnType<StartHistory["of"]>;
}

export interface UpstreamView {
  readonly kind: "deployment" | "provider";
  readonly provider?: string;
  readonly model: string;
  /** Has a key, or needs none. */
  readonly isConfigured: boolean;
}

/** As people say it. */
export function nameOf(entry: CatalogEntry): string {
  return entry.name ?? entry.id.split("/").at(-1) ?? entry.id;
}

export function viewModel(
  entry: CatalogEntry,
  sources: CatalogSources,
  options: { readonly withSchemas: boolean },
): ModelView {
  const { inputSchema, outputSchema, upstreams, ...rest } = entry;
  const targets = upstreams ?? [{ kind: "deployment", modelId: entry.id } as const];
  const views = targets.map((target): UpstreamView => {
    if (target.kind === "deployment") {
      return { kind: "deployment", model: target.modelId, isConfigured: true };
    }
    const { provider, model } = target;
    return { kind: "provider", provider, model, isConfigured: canServe(provider, sources) };
  });
  const state = upstreams === undefined ? sources.upstream.state?.(entry.id) : undefined;
  return {
    ...rest,
    name: nameOf(entry),
    origin: entry.origin ?? "own",
    aliases: sources.catalog.aliasesOf(entry.id),
    ...(options.withSchemas ? { inputSchema, outputSchema } : {}),
    upstreams: views,
    isCallable: views.some(({ isConfigured }) => isConfigured),
    ...(state === undefined ? {} : { health: { state } }),
    starts: sources.starts.of(entry.id),
  };
}

function canServe(name: string, { providers }: CatalogSources): boolean {
  const provider = providers.get(name);
  return provider !== undefined && hasKey(provider, undefined);
}

export interface CatalogQuery {
  readonly search?: string;
  readonly task?: string;
  readonly author?: string;
  readonly source?: string;
}

/** Words of the search are looked for in id, name, description and tags; all must be there. */
export function matches(entry: CatalogEntry, query: CatalogQuery): boolean {
  const { search = "", task, author, source } = query;
  const words = search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const text = [entry.id, nameOf(entry), entry.description, ...(entry.tags ?? [])]
    .join(" ")
    .toLowerCase();
  return (
    words.every((word) => text.includes(word)) &&
    (task === undefined || plain(entry.task) === plain(task)) &&
    (author === undefined || authorOf(entry.id).toLowerCase() === author.toLowerCase()) &&
    (source === undefined || isFrom(entry, source))
  );
}

/** `Text Generation`, as Cloudflare writes it, is `text-generation` too. */
function plain(task: string): string {
  return task.toLowerCase().replaceAll(/[^a-z]+/g, "-");
}

/** Who made it, by its id: of `@cf/moonshotai/kimi-k2.5` moonshotai. */
export function authorOf(id: string): string {
  const parts = id.split("/");
  return (id.startsWith("@") && parts.length > 2 ? parts[1] : parts[0]) ?? id;
}

/** A source is an origin (`own`, `bundled`, …) or the name of a provider. */
function isFrom(entry: CatalogEntry, source: string): boolean {
  if ((entry.origin ?? "own") === source) return true;
  return (entry.upstreams ?? []).some(
    (target) => target.kind === "provider" && target.provider === source,
  );
}
