import { randomBytes } from "node:crypto";
import { mkdirSync } from "node:fs";
import path from "node:path";

import { systemClock } from "../clock.ts";
import { ociRuntimeStateDirectory } from "../oci-runtime/wrapper.ts";
import type { DecisionLog } from "../snapshot/decision.ts";
import { openDecisionLog } from "../snapshot/decision-log.ts";
import { openSecretKey } from "../secrets/key-file.ts";
import type { SecretStore } from "../secrets/secret.ts";
import { createSecretStore } from "../secrets/store.ts";
import { openDatabase } from "./database.ts";
import { createInstanceStore, type InstanceStore } from "./instances.ts";
import { createKeyStore, type KeyStore } from "./keys.ts";
import { lockDirectory } from "./lock.ts";
import { migrate } from "./migrations.ts";
import { createModelStore, type ModelStore } from "./models.ts";
import { createPredictionStore, type StoredPredictions } from "./predictions.ts";
import { createStartStore, type StartStore } from "./starts.ts";

/** Everything of the platform that outlives its process. */
export interface Store {
  /** Random, made with the data directory; labels the platform's containers. */
  readonly platformId: string;
  readonly models: ModelStore;
  readonly instances: InstanceStore;
  readonly keys: KeyStore;
  readonly predictions: StoredPredictions;
  /** What was decided for each instance; in a file of its own beside the database. */
  readonly decisions: DecisionLog;
  readonly starts: StartStore;
  /** Sealed with a key in a file of its own, `secrets.key`, that is made with the first one. */
  readonly secrets: SecretStore;
  readonly settings: {
    get(name: string): string | undefined;
    set(name: string, value: string): void;
  };
  /** Closes the file and gives the data directory free. */
  close(): void;
}

/** Keys' hashes and inputs of predictions lie in it: the owner alone reads it. */
const directoryMode = 0o700;

/**
 * Opens `platform.db` in the data directory, making both when absent.
 * @throws StoreError `data_directory_locked` while another platform uses the directory; `database_too_new`.
 */
export function openStore(options: {
  readonly dataDirectory: string;
  /** Of this process, for the message that another one gets. */
  readonly pid?: number;
  /** The OCI runtime wrapper's, as installed. Default: `/run/byom`. */
  readonly stateDirectory?: string;
}): Store {
  const { dataDirectory } = options;
  mkdirSync(dataDirectory, { recursive: true, mode: directoryMode });
  const lock = lockDirectory(dataDirectory, options.pid ?? process.pid);
  try {
    const database = openDatabase(path.join(dataDirectory, "platform.db"));
    migrate(database.connection);
    const settings: Store["settings"] = {
      get(name) {
        const value = database.get("SELECT value FROM settings WHERE name = ?", name)?.["value"];
        return typeof value === "string" ? value : undefined;
      },
      set(name, value) {
        database.run("INSERT OR REPLACE INTO settings (name, value) VALUES (?, ?)", name, value);
      },
    };
    return {
      platformId: ensurePlatformId(settings),
      models: createModelStore(database),
      instances: createInstanceStore(database),
      keys: createKeyStore(database),
      predictions: createPredictionStore(database),
      decisions: openDecisionLog({
        path: path.join(dataDirectory, "decisions.jsonl"),
        clock: systemClock,
        stateDirectory: options.stateDirectory ?? ociRuntimeStateDirectory,
      }),
      starts: createStartStore(database),
      secrets: createSecretStore(database, {
        key: openSecretKey(path.join(dataDirectory, "secrets.key")),
        clock: systemClock,
      }),
      settings,
      close() {
        database.close();
        lock.release();
      },
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

function ensurePlatformId(settings: Store["settings"]): string {
  const known = settings.get("platform_id");
  if (known !== undefined) return known;
  const id = randomBytes(8).toString("hex");
  settings.set("platform_id", id);
  return id;
}
