import type { InstanceState } from "../instance/instance.ts";
import type { StartReport } from "../snapshot/snapshot.ts";
import type { Database, Row } from "./database.ts";

/** What must be known of a container after a kill -9. `busy` is not kept: no call waits for a database. */
export interface InstanceRecord {
  readonly id: string;
  readonly modelId: string;
  readonly version: number;
  readonly state: Exclude<InstanceState, "busy" | "stopped">;
  readonly containerId?: string;
  readonly start?: StartReport;
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface InstanceStore {
  put(record: InstanceRecord): void;
  remove(id: string): void;
  list(): readonly InstanceRecord[];
}

export function createInstanceStore(database: Database): InstanceStore {
  return {
    put(record) {
      database.run(
        `INSERT OR REPLACE INTO instances (id, model_id, version, state, container_id, start, created_at)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        record.id,
        record.modelId,
        record.version,
        record.state,
        record.containerId ?? null,
        record.start === undefined ? null : JSON.stringify(record.start),
        record.createdAt,
      );
    },
    remove(id) {
      database.run("DELETE FROM instances WHERE id = ?", id);
    },
    list: () => database.all("SELECT * FROM instances ORDER BY created_at, id").map(parseInstance),
  };
}

function parseInstance(row: Row): InstanceRecord {
  return {
    id: String(row["id"]),
    modelId: String(row["model_id"]),
    version: Number(row["version"]),
    state: row["state"] as InstanceRecord["state"],
    ...(typeof row["container_id"] === "string" ? { containerId: row["container_id"] } : {}),
    ...(typeof row["start"] === "string" ? { start: JSON.parse(row["start"]) } : {}),
    createdAt: String(row["created_at"]),
  };
}
