import { readdir, readFile, rm } from "node:fs/promises";

import type { Clock } from "../clock.ts";
import type { SnapshotDirectory } from "./directory.ts";
import { thaw, type RuncPaths } from "./dump.ts";

/** A dump under way when byom was killed goes on without it, at about 1 GB/s. */
const dumpEndTimeoutMs = 30_000;
const pollMs = 50;

/**
 * Removes what captures and removals left behind whose process was killed, and lets their containers run on. A dump
 * that still runs is waited for: CRIU cut off in the middle would take the container down.
 */
export async function sweepCaptures(
  directory: SnapshotDirectory,
  context: { readonly paths: RuncPaths; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const { paths, clock, signal } = context;
  for (const { path, containerId } of await directory.abandoned()) {
    if (containerId !== undefined) {
      const deadline = clock.monotonicMs() + dumpEndTimeoutMs;
      while ((await isDumping(path)) && clock.monotonicMs() < deadline) {
        await clock.delay(pollMs, signal);
      }
      await thaw(paths, containerId);
    }
    await rm(path, { recursive: true, force: true });
  }
}

/** Whether a `runc checkpoint` that writes into this directory is still there, with CRIU below it. */
async function isDumping(path: string): Promise<boolean> {
  const names = await readdir("/proc");
  const commands = await Promise.all(
    names
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")),
  );
  return commands.some(
    (command) => command.includes("checkpoint\0") && command.includes(`=${path}/images`),
  );
}
