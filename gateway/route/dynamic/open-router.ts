import type { Catalog } from "../../catalog/entry.ts";
import type { Providers } from "../../upstream/provider/providers.ts";
import { Limiter } from "../limits/limiter.ts";
import { RouteBook } from "./book.ts";
import { catalogWithRoutes } from "./entry.ts";
import { Router } from "./router.ts";
import { RouteStore } from "./store.ts";

/**
 * Opens the routes and limits of a data directory, and the catalog with the routes in its lists.
 * @throws `CatalogStoreError` when their file cannot be used
 */
export function openRouter(
  options: {
    readonly dataDirectory: string;
    readonly catalog: Catalog;
    readonly randomSource?: () => number;
  },
  parts: {
    readonly providers: Providers;
    /** Milliseconds since the epoch. */
    readonly clock: () => number;
    readonly idSource: () => string;
  },
): { readonly router: Router; readonly catalog: Catalog } {
  const { clock, idSource, providers } = parts;
  const sources = { catalog: options.catalog, providers };
  const store = RouteStore.open(options.dataDirectory);
  try {
    const book = new RouteBook({ store, sources, clock, idSource });
    const router = new Router({
      book,
      limiter: new Limiter({ clock }),
      sources,
      random: options.randomSource ?? Math.random,
    });
    const catalog = catalogWithRoutes(options.catalog, book, sources);
    return { router, catalog };
  } catch (error) {
    store.close();
    throw error;
  }
}
