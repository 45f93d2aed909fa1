import { setTimeout as delay } from "node:timers/promises";
import { instanceLabels, openStore, StoreError } from "../../runtime/index.ts";
import type { Command } from "../command.ts";
import type { Context } from "../context.ts";
import { CommandError } from "../errors.ts";
import { createEngine, platformDirectory } from "../up.ts";

/** A drain has its own deadline; after it the containers still have to go. */
const stopTimeoutMs = 90_000;

export const down: Command = {
  usage: "",
  async run({ context }) {
    const pid = await stopPlatform(context);
    const removed = await removeContainers(context);
    const stopped =
      pid === undefined ? "the platform was not running" : `stopped the platform (process ${pid})`;
    context.output.answer(`${stopped}${removed > 0 ? `, removed ${removed} containers` : ""}`, {
      pid,
      removed,
    });
  },
};

/** The process that holds the data directory is the platform's. */
async function stopPlatform(context: Context): Promise<number | undefined> {
  const startedAt = Date.now();
  let stopped: number | undefined;
  for (;;) {
    const holder = findHolder(context);
    if (holder === undefined) return stopped;
    if (stopped === undefined) process.kill(holder, "SIGTERM");
    stopped = holder;
    context.signal.throwIfAborted();
    if (Date.now() - startedAt > stopTimeoutMs) {
      throw new CommandError({
        code: "stop_timeout",
        message: `process ${holder} does not stop`,
        hint: `end it with: kill -9 ${holder}; then run \`byom down\` again for its containers`,
      });
    }
    await delay(50);
  }
}

function findHolder(context: Context): number | undefined {
  try {
    openStore({ dataDirectory: platformDirectory(context.directories) }).close();
    return undefined;
  } catch (error) {
    if (
      error instanceof StoreError &&
      error.code === "data_directory_locked" &&
      error.pid !== undefined
    ) {
      return error.pid;
    }
    throw error;
  }
}

/** Those that a killed platform left behind: they carry its label. */
async function removeContainers(context: Context): Promise<number> {
  const { signal } = context;
  const store = openStore({ dataDirectory: platformDirectory(context.directories) });
  try {
    const engine = await createEngine(context);
    const labels = { [instanceLabels.platform]: store.platformId };
    const containers = await engine.list(labels, { signal });
    for (const { id } of containers) await engine.remove(id, { signal });
    for (const { id } of store.instances.list()) store.instances.remove(id);
    return containers.length;
  } finally {
    store.close();
  }
}
