import { timestamp, type Clock } from "../clock.ts";
import type { Database, Row } from "../store/database.ts";
import type { SecretKey } from "./key-file.ts";
import type { Secret, SecretStore } from "./secret.ts";

/** The secrets in `platform.db`; what is readable there is names, scopes and times. They go with their model. */
export function createSecretStore(
  database: Database,
  { key, clock }: { readonly key: SecretKey; readonly clock: Clock },
): SecretStore {
  const rows = (modelId: string): readonly Row[] =>
    database.all("SELECT * FROM secrets WHERE model_id = ? ORDER BY name", modelId);
  const values: SecretStore["values"] = (modelId, scope) =>
    Object.fromEntries(
      rows(modelId)
        .filter((row) => scope === undefined || row["scope"] === scope)
        .map((row) => {
          const name = String(row["name"]);
          return [name, key.open(boundName(modelId, name), row["sealed"] as Uint8Array)];
        }),
    );
  return {
    set({ modelId, name, scope }, value) {
      database.run(
        `INSERT INTO secrets (model_id, name, scope, sealed, created_at) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (model_id, name) DO UPDATE SET scope = excluded.scope, sealed = excluded.sealed,
         created_at = excluded.created_at`,
        modelId,
        name,
        scope,
        key.seal(boundName(modelId, name), value),
        timestamp(clock),
      );
    },
    remove(modelId, name) {
      const isKnown = rows(modelId).some((row) => row["name"] === name);
      database.run("DELETE FROM secrets WHERE model_id = ? AND name = ?", modelId, name);
      return isKnown;
    },
    list: (modelId) =>
      (modelId === undefined
        ? database.all("SELECT * FROM secrets ORDER BY model_id, name")
        : rows(modelId)
      ).map(parseSecret),
    values,
    digest(modelId) {
      const entries = Object.entries(values(modelId, "setup"));
      if (entries.length === 0) return undefined;
      return key.digest(JSON.stringify([modelId, ...entries]));
    },
  };
}

/** What a value is sealed for: neither another model nor another name opens it. */
function boundName(modelId: string, name: string): string {
  return `${modelId} ${name}`;
}

function parseSecret(row: Row): Secret {
  return {
    modelId: String(row["model_id"]),
    name: String(row["name"]),
    scope: row["scope"] === "setup" ? "setup" : "run",
    createdAt: String(row["created_at"]),
  };
}
