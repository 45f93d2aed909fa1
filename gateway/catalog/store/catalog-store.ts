import { mkdirSync } from "node:fs";
import { join } from "node:path";

import {
  providerConfigSchema,
  type ProviderConfig,
} from "../../upstream/provider/provider-config.ts";
import { sealedSecretSchema, type SealedSecret } from "../../upstream/provider/secret-box.ts";
import { ownMetadataSchema, type OwnMetadata } from "../own-metadata.ts";
import { priceBookSchema, type PriceBook } from "../price-book.ts";
import { priceSheetSchema, type PriceSheet } from "../sheet/sheet.ts";
import { thirdPartyModelSchema, type ThirdPartyModel } from "../third-party.ts";
import { aliasSchema, hiddenSchema, type Alias, type Hidden } from "./records.ts";
import { transaction } from "../../sqlite.ts";
import { openDatabase } from "./database.ts";
import { openTable, type Table } from "./table.ts";

/** What the operator changed about the catalog, by id; every write is durable when it returns and seen by the next call. */
export interface CatalogStore {
  /** Third parties' models that were added, by model id. */
  readonly models: Table<ThirdPartyModel>;
  /** Bundled models that were removed, by model id. */
  readonly hidden: Table<Hidden>;
  readonly aliases: Table<Alias>;
  /** Prices that replace those of an entry, own models' too, by model id, with their history. */
  readonly prices: Table<PriceBook>;
  /** What is said about own models beyond what their images say, by model id. */
  readonly metadata: Table<OwnMetadata>;
  readonly providers: Table<ProviderConfig>;
  /** Encrypted keys by provider. */
  readonly secrets: Table<SealedSecret>;
  /** The last good list of facts of each source, by its name. */
  readonly sheets: Table<PriceSheet>;
  /** Counts changes, for whoever caches what is made of the records. */
  revision(): number;
  /** All of `work` or nothing, in memory too. */
  transaction<Result>(work: () => Result): Result;
  close(): void;
}

/** Encrypted keys lie in it: the owner alone reads it. */
const directoryMode = 0o700;

/**
 * Opens `catalog.db` in a folder, making both when absent.
 * @throws CatalogStoreError
 */
export function openCatalogStore(options: {
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}): CatalogStore {
  const clock = options.clock ?? Date.now;
  mkdirSync(options.directory, { recursive: true, mode: directoryMode });
  const database = openDatabase(join(options.directory, "catalog.db"));
  let revision = 0;
  const shared = {
    database,
    now: () => new Date(clock()).toISOString(),
    onChange: () => {
      revision += 1;
    },
  };
  try {
    const tables = {
      models: openTable({ ...shared, name: "models", schema: thirdPartyModelSchema }),
      hidden: openTable({ ...shared, name: "hidden", schema: hiddenSchema }),
      aliases: openTable({ ...shared, name: "aliases", schema: aliasSchema }),
      prices: openTable({ ...shared, name: "prices", schema: priceBookSchema }),
      metadata: openTable({ ...shared, name: "metadata", schema: ownMetadataSchema }),
      providers: openTable({ ...shared, name: "providers", schema: providerConfigSchema }),
      secrets: openTable({ ...shared, name: "secrets", schema: sealedSecretSchema }),
      sheets: openTable({ ...shared, name: "sheets", schema: priceSheetSchema }),
    };
    return {
      ...tables,
      revision: () => revision,
      transaction(work) {
        try {
          return transaction(database, work);
        } catch (error) {
          for (const table of Object.values(tables)) table.reload();
          throw error;
        }
      },
      close: () => database.close(),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
