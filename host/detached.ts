import { spawn } from "node:child_process";
import { mkdir, open } from "node:fs/promises";
import { dirname } from "node:path";
import type { Environment } from "./directories.ts";

/** Starts a server in a session of its own, its output appended to a log; it outlives this process. Returns its pid. */
export async function startDetached(
  command: readonly [string, ...string[]],
  options: { environment: Environment; log: string; signal: AbortSignal },
): Promise<number> {
  options.signal.throwIfAborted();
  await mkdir(dirname(options.log), { recursive: true });
  const log = await open(options.log, "a");
  try {
    const [program, ...args] = command;
    const child = spawn(program, args, {
      detached: true,
      stdio: ["ignore", log.fd, log.fd],
      env: options.environment,
      cwd: "/",
    });
    const pid = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("spawn", () => resolve(child.pid ?? 0));
    });
    child.unref();
    return pid;
  } finally {
    await log.close();
  }
}
