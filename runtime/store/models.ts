import type { Deployment, Release } from "../deployment/deployment.ts";
import type { Version } from "../deployment/version.ts";
import type { Database, Row } from "./database.ts";

export type NewVersion = Omit<Version, "number" | "createdAt">;

/** Models with their versions, desired state and history. */
export interface ModelStore {
  ids(): readonly string[];
  has(modelId: string): boolean;
  /** The version of this identity: the recorded one, or a new one with the next number. */
  recordVersion(input: { version: NewVersion; identity: string; createdAt: string }): {
    readonly version: Version;
    readonly isNew: boolean;
  };
  version(modelId: string, number: number): Version | undefined;
  /** Newest first. */
  versions(modelId: string): readonly Version[];
  setExampleOutput(modelId: string, number: number, output: unknown): void;
  deployment(modelId: string): Deployment | undefined;
  deployments(): readonly Deployment[];
  /** Puts the desired state and its entry in the history in one transaction. */
  release(deployment: Deployment, change: Pick<Release, "kind" | "by">): Release;
  /** Newest first. */
  releases(modelId: string, limit: number): readonly Release[];
  remove(modelId: string): void;
}

export function createModelStore(database: Database): ModelStore {
  return {
    ids: () => database.all("SELECT id FROM models ORDER BY id").map((row) => String(row["id"])),
    has: (modelId) => database.get("SELECT 1 FROM models WHERE id = ?", modelId) !== undefined,
    ...versionMethods(database),
    ...deploymentMethods(database),
    remove(modelId) {
      database.run("DELETE FROM models WHERE id = ?", modelId);
    },
  };
}

function versionMethods(
  database: Database,
): Pick<ModelStore, "recordVersion" | "version" | "versions" | "setExampleOutput"> {
  return {
    recordVersion({ version, identity, createdAt }) {
      return database.transaction(() => {
        const { modelId } = version;
        database.run(
          "INSERT INTO models (id, created_at) VALUES (?, ?) ON CONFLICT DO NOTHING",
          modelId,
          createdAt,
        );
        const known = database.get(
          "SELECT * FROM versions WHERE model_id = ? AND identity = ?",
          modelId,
          identity,
        );
        if (known !== undefined) return { version: parseVersion(known), isNew: false };
        const counter = database.get(
          "UPDATE models SET next_version = next_version + 1 WHERE id = ? RETURNING next_version - 1 AS number",
          modelId,
        );
        const recorded: Version = { ...version, number: Number(counter?.["number"]), createdAt };
        database.run(
          "INSERT INTO versions (model_id, number, identity, record, created_at) VALUES (?, ?, ?, ?, ?)",
          modelId,
          recorded.number,
          identity,
          JSON.stringify(recorded),
          createdAt,
        );
        return { version: recorded, isNew: true };
      });
    },
    version(modelId, number) {
      const row = database.get(
        "SELECT * FROM versions WHERE model_id = ? AND number = ?",
        modelId,
        number,
      );
      return row === undefined ? undefined : parseVersion(row);
    },
    versions: (modelId) =>
      database
        .all("SELECT * FROM versions WHERE model_id = ? ORDER BY number DESC", modelId)
        .map(parseVersion),
    setExampleOutput(modelId, number, output) {
      database.run(
        "UPDATE versions SET example_output = ? WHERE model_id = ? AND number = ?",
        JSON.stringify(output) ?? null,
        modelId,
        number,
      );
    },
  };
}

function deploymentMethods(
  database: Database,
): Pick<ModelStore, "deployment" | "deployments" | "release" | "releases"> {
  return {
    deployment(modelId) {
      const row = database.get("SELECT * FROM deployments WHERE model_id = ?", modelId);
      return row === undefined ? undefined : parseDeployment(row);
    },
    deployments: () =>
      database.all("SELECT * FROM deployments ORDER BY model_id").map(parseDeployment),
    release(deployment, change) {
      const { modelId, updatedAt } = deployment;
      const traffic = JSON.stringify(deployment.traffic);
      const scaling = JSON.stringify(deployment.scaling);
      return database.transaction(() => {
        database.run(
          `INSERT INTO deployments (model_id, traffic, scaling, updated_at) VALUES (?, ?, ?, ?)
           ON CONFLICT (model_id) DO UPDATE SET traffic = excluded.traffic, scaling = excluded.scaling,
           updated_at = excluded.updated_at`,
          modelId,
          traffic,
          scaling,
          updatedAt,
        );
        const row = database.get(
          "INSERT INTO releases (model_id, kind, traffic, scaling, by, created_at) VALUES (?, ?, ?, ?, ?, ?) RETURNING *",
          modelId,
          change.kind,
          traffic,
          scaling,
          change.by ?? null,
          updatedAt,
        );
        return parseRelease(row ?? {});
      });
    },
    releases: (modelId, limit) =>
      database
        .all("SELECT * FROM releases WHERE model_id = ? ORDER BY id DESC LIMIT ?", modelId, limit)
        .map(parseRelease),
  };
}

function parseVersion(row: Row): Version {
  const version: Version = JSON.parse(String(row["record"]));
  const output = row["example_output"];
  if (version.example === undefined || typeof output !== "string") return version;
  return { ...version, example: { ...version.example, output: JSON.parse(output) } };
}

function parseDeployment(row: Row): Deployment {
  return {
    modelId: String(row["model_id"]),
    traffic: JSON.parse(String(row["traffic"])),
    scaling: JSON.parse(String(row["scaling"])),
    updatedAt: String(row["updated_at"]),
  };
}

function parseRelease(row: Row): Release {
  return {
    id: Number(row["id"]),
    modelId: String(row["model_id"]),
    kind: row["kind"] as Release["kind"],
    traffic: JSON.parse(String(row["traffic"])),
    scaling: JSON.parse(String(row["scaling"])),
    ...(typeof row["by"] === "string" ? { by: row["by"] } : {}),
    createdAt: String(row["created_at"]),
  };
}
