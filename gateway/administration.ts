import { join } from "node:path";

import type { Administration } from "./admin/route.ts";
import { bundledModels } from "./catalog/bundled/index.ts";
import { createGatewayCatalog } from "./catalog/catalog.ts";
import type { Catalog } from "./catalog/entry.ts";
import { openCatalogStore } from "./catalog/store/catalog-store.ts";
import type { ThirdPartyModel } from "./catalog/third-party.ts";
import type { AdapterId, ProviderAdapter } from "./upstream/provider/adapter.ts";
import { adapters as knownAdapters } from "./upstream/provider/adapters/index.ts";
import type { ProviderFile } from "./upstream/provider/provider-file.ts";
import { openProviders } from "./upstream/provider/provider-store.ts";
import { openSecretBox } from "./upstream/provider/secret-box.ts";

export interface AdministrationOptions {
  /** Folder for `catalog.db` and the master key of stored secrets; made when it is missing. */
  readonly dataDirectory: string;
  /** The models that are deployed here. */
  readonly own: Catalog;
  /** What the operator's file says. */
  readonly file?: ProviderFile;
  /** Where keys that are named by a variable come from. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds since the epoch; default: the system's. */
  readonly clock?: () => number;
  /** Default: all that byom knows. */
  readonly adapters?: ReadonlyMap<AdapterId, ProviderAdapter>;
  /** Default: those that come with byom. */
  readonly bundled?: readonly ThirdPartyModel[];
}

/**
 * Opens the catalog of own and third parties' models with its providers; what it gives goes into `createGateway`.
 * @throws CatalogStoreError when the catalog's file cannot be used
 */
export function openAdministration(
  options: AdministrationOptions,
): Administration & { close(): void } {
  const { dataDirectory, file, environment, own } = options;
  const store = openCatalogStore({
    directory: dataDirectory,
    ...(options.clock === undefined ? {} : { clock: options.clock }),
  });
  try {
    const providers = openProviders({
      store,
      secrets: openSecretBox(join(dataDirectory, "master-key.json")),
      adapters: options.adapters ?? knownAdapters,
      environment,
      ...(file === undefined ? {} : { configured: file.providers }),
    });
    const catalog = createGatewayCatalog({
      own,
      store,
      providers,
      bundled: options.bundled ?? bundledModels,
      ...(file === undefined ? {} : { bundledChoice: file.bundled }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
    });
    return { catalog, store, providers, close: () => store.close() };
  } catch (error) {
    store.close();
    throw error;
  }
}
