import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";

import { logSettingsSchema } from "./settings-schema.ts";
import { defaultLogSettings, type LogSettings } from "./settings.ts";

/** What is kept of the calls: read from memory, on disk before the memory changes. */
export interface LogSettingsFile {
  readonly current: LogSettings;
  set(settings: LogSettings): void;
}

/** Opens the settings in a file. @throws Error naming the file when it cannot be read */
export function openLogSettings(path: string): LogSettingsFile {
  let current = load(path);
  return {
    get current() {
      return current;
    },
    set(settings) {
      save(path, settings);
      current = settings;
    },
  };
}

function load(path: string): LogSettings {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return defaultLogSettings;
    throw error;
  }
  try {
    return logSettingsSchema.parse(JSON.parse(text));
  } catch (cause) {
    // Going on with the defaults could keep what the operator had forbidden.
    throw new Error(`${path} does not hold settings of the log; mend it or move it away`, {
      cause,
    });
  }
}

/** Whole or not at all, also when the power goes. */
function save(path: string, settings: LogSettings): void {
  const draft = `${path}.new`;
  const file = openSync(draft, "w", 0o600);
  try {
    writeSync(file, `${JSON.stringify(settings, undefined, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, path);
}
