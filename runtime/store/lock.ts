import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";

import { StoreError } from "../errors.ts";

/** Held for as long as a platform uses a data directory. */
export interface DirectoryLock {
  release(): void;
}

/**
 * Takes the data directory for this process. The lock is SQLite's exclusive file lock, which the kernel drops with
 * the process, so that no kill -9 leaves a stale one behind; the pid beside it is only for the message.
 * @throws StoreError `data_directory_locked` with the holder's pid.
 */
export function lockDirectory(directory: string, pid: number): DirectoryLock {
  const pidFile = path.join(directory, "platform.pid");
  const database = new DatabaseSync(path.join(directory, "platform.lock"));
  try {
    database.exec("PRAGMA journal_mode = DELETE; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
  } catch (error) {
    database.close();
    const holder = readPid(pidFile);
    throw new StoreError(
      "data_directory_locked",
      `the data directory ${directory} is in use by another platform${holder === undefined ? "" : ` (process ${holder})`}`,
      {
        pid: holder,
        hint: "stop it with `byom down`, or give this one its own directory with BYOM_DATA_DIR",
        cause: error,
      },
    );
  }
  writeFileSync(pidFile, `${pid}\n`);
  return {
    release() {
      if (database.isOpen) database.close();
    },
  };
}

function readPid(file: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(file, "utf8"), 10);
    return Number.isNaN(pid) ? undefined : pid;
  } catch {
    return undefined;
  }
}
