import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * How much more memory a process may take: what the host has available, or less where its cgroup has a limit. Device
 * memory that is checkpointed becomes the process's own, so that a limit below it means the kernel's kill.
 */
export async function roomBytes(pid: number, root = "/"): Promise<number> {
  const read = async (...parts: readonly string[]): Promise<string> =>
    await readFile(join(root, ...parts), "utf8").catch(() => "");
  const available = /^MemAvailable:\s*(\d+) kB/m.exec(await read("proc/meminfo"))?.[1];
  const groups = await read("proc", String(pid), "cgroup");
  const unified = /^0::(.*)$/m.exec(groups)?.[1];
  const legacy = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  const [limit, used] =
    legacy === undefined
      ? [
          await read("sys/fs/cgroup", unified ?? "", "memory.max"),
          await read("sys/fs/cgroup", unified ?? "", "memory.current"),
        ]
      : [
          await read("sys/fs/cgroup/memory", legacy, "memory.limit_in_bytes"),
          await read("sys/fs/cgroup/memory", legacy, "memory.usage_in_bytes"),
        ];
  const host = available === undefined ? Number.POSITIVE_INFINITY : Number(available) * 1024;
  const isLimited = /^\d+\s*$/.test(limit);
  return isLimited ? Math.min(host, Math.max(0, Number(limit) - Number(used))) : host;
}
