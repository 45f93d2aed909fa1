import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

const runcStateSchema = z.object({ init_process_pid: z.number().int() });

/**
 * The init process of a container as the host sees it, from runc's own state file: as quick as a file, where the
 * engine's answer takes a round trip. Undefined when the container does not run.
 */
export async function readInitPid(
  runcRoot: string,
  containerId: string,
): Promise<number | undefined> {
  const text = await readFile(join(runcRoot, containerId, "state.json"), "utf8").catch(() => "{}");
  const pid = runcStateSchema.safeParse(JSON.parse(text)).data?.init_process_pid;
  return pid !== undefined && pid > 0 ? pid : undefined;
}

export interface ContainerProcess {
  readonly hostPid: number;
  /** As the container sees it. */
  readonly pid: number;
  readonly isPython: boolean;
  readonly commandLine: string;
}

/** Init and everything below it. */
export async function readProcesses(initPid: number): Promise<readonly ContainerProcess[]> {
  const own = await readProcess(initPid);
  const children = await childrenOf(initPid);
  const below = await Promise.all(children.map(readProcesses));
  return own === undefined ? below.flat() : [own, ...below.flat()];
}

/** Bytes that a dump of these processes writes at most: their anonymous and shared memory (proc(5), status). */
export async function memoryToDumpBytes(processes: readonly ContainerProcess[]): Promise<number> {
  const sizes = await Promise.all(
    processes.map(async ({ hostPid }) => {
      const status = await readFile(`/proc/${hostPid}/status`, "utf8").catch(() => "");
      const kib = (name: string): number =>
        Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
      return (kib("RssAnon") + kib("RssShmem") + kib("VmSwap")) * 1024;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function readProcess(hostPid: number): Promise<ContainerProcess | undefined> {
  try {
    const [status, command, executable] = await Promise.all([
      readFile(`/proc/${hostPid}/status`, "utf8"),
      readFile(`/proc/${hostPid}/cmdline`, "utf8"),
      readlink(`/proc/${hostPid}/exe`).catch(() => ""),
    ]);
    const pid = /^NSpid:.*\s(\d+)$/m.exec(status)?.[1];
    return {
      hostPid,
      pid: Number(pid ?? hostPid),
      isPython: /\/python[\d.]*$/.test(executable),
      commandLine: command.replaceAll("\0", " ").trim(),
    };
  } catch {
    return undefined; // it ended meanwhile
  }
}

/** Children of every thread: a process forked by a thread is listed there. */
async function childrenOf(pid: number): Promise<readonly number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) =>
      readFile(`/proc/${pid}/task/${thread}/children`, "utf8").catch(() => ""),
    ),
  );
  return lists.flatMap((text) => text.split(" ").filter(Boolean).map(Number));
}
