import type { DatabaseSync } from "node:sqlite";

import { metadataColumn, type Blocks } from "./blocks.ts";
import { measuredWords } from "./columns.ts";
import type { MetadataKeys } from "./names.ts";
import { wordDimensions } from "./stored-leg.ts";

/** Removes the texts that no leg has any more; a value that is unique to each call is most of a ledger's texts. */
export function forgetNames(store: {
  readonly database: DatabaseSync;
  readonly blocks: Blocks;
  readonly metadataKeys: MetadataKeys;
}): void {
  const { database, blocks, metadataKeys } = store;
  const highest = database.prepare("SELECT coalesce(max(id), 0) AS n FROM names").get();
  const isUsed = new Uint8Array(Number(highest?.["n"] ?? 0) + 1);
  const keys = metadataKeys.list().map((name) => metadataKeys.find(name) ?? 0);
  const columns = [...wordDimensions, ...keys.map(metadataColumn)];
  for (const block of blocks.all()) {
    for (const name of columns) {
      const column = block.column(name);
      if (typeof column === "number") isUsed[column] = 1;
      else for (const id of column) isUsed[id] = 1;
    }
  }
  const remove = database.prepare("DELETE FROM names WHERE id = ?");
  const kept = new Set<string>(measuredWords);
  for (const row of database.prepare("SELECT id, text FROM names").all()) {
    if (isUsed[Number(row["id"])] !== 1 && !kept.has(String(row["text"]))) {
      remove.run(Number(row["id"]));
    }
  }
}
