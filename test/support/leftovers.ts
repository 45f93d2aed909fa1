import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { engineCgroups, engineProcesses, type PrivateEngine } from "./private-engine.ts";

/** What a machine holds on behalf of containers: lists of names to compare, and counts that may breathe a little. */
export interface Inventory {
  readonly lists: Readonly<Record<string, readonly string[]>>;
  readonly counts: Readonly<Record<string, number>>;
}

/** Kept-alive connections and files that a program opens lazily; less than one for each start of a test. */
const countSlackDefault = 8;
const settleTimeoutMs = 20_000;
const settlePollMs = 200;

/**
 * Everything that starts and stops of containers could leave behind in a private engine and in a data directory of
 * byom: processes, containers, mounts, cgroups, network endpoints and namespaces, the OCI runtime's state and markers,
 * unfinished captures, open files.
 */
export async function takeInventory(
  engine: PrivateEngine,
  options: { readonly dataDirectory: string; readonly platformPid?: number },
): Promise<Inventory> {
  const { directory } = engine;
  const bridges = (await engine.docker.listNetworks()).map(({ Id }) => `br-${Id.slice(0, 12)}`);
  const processes = engineProcesses(engine).flatMap((pid) => describeProcess(pid) ?? []);
  const containers = await engine.docker.listContainers({ all: true });
  const openFiles = (name: string): number =>
    processes
      .filter((entry) => entry.name === name)
      .reduce((sum, { pid }) => sum + names(`/proc/${pid}/fd`).length, 0);
  const { platformPid } = options;
  return {
    lists: {
      processes: processes.map(({ name }) => name).toSorted(),
      containers: containers.map(({ Names, State }) => `${Names[0]} ${State}`).toSorted(),
      mounts: mountPoints(engine.holderPid),
      // Docker sweeps the files that they were mounted on once a minute.
      "network namespaces": mountPoints(engine.holderPid, "nsfs"),
      "cgroups of containers": engineCgroups(engine.cgroupParent),
      "network endpoints": bridges.flatMap((bridge) => names(`/sys/class/net/${bridge}/brif`)),
      "state of runc": names(join(directory, "docker/runtime-runc/moby")),
      "bundles of containerd": names(
        join(directory, "docker/containerd/daemon/io.containerd.runtime.v2.task/moby"),
      ),
      // One without a file is what a kill in the first moment of a creation leaves: dockerd's own, known to no caller.
      "directories of containers": names(join(directory, "data/containers")).filter(
        (name) => names(join(directory, "data/containers", name)).length > 0,
      ),
      "words of the OCI runtime": filesBelow(join(directory, "byom")),
      "huge pages": ["enabled", "defrag"].map((name) =>
        selected(readText(join(directory, "huge-pages", name))),
      ),
      "unfinished captures": names(join(options.dataDirectory, "snapshots")).filter((name) =>
        name.startsWith("."),
      ),
    },
    counts: {
      "root file systems": names(join(directory, "data/overlay2")).length,
      "open files of dockerd": openFiles("dockerd"),
      "open files of containerd": openFiles("containerd"),
      "open files of shims": openFiles("containerd-shim"),
      ...(platformPid === undefined
        ? {}
        : { "open files of byom": names(`/proc/${platformPid}/fd`).length }),
    },
  };
}

/** What is there after and was not before, one line each; empty when nothing is left over. */
export function findLeftovers(
  before: Inventory,
  after: Inventory,
  options: { readonly countSlack?: number } = {},
): readonly string[] {
  const { countSlack = countSlackDefault } = options;
  const lists = Object.entries(after.lists).flatMap(([kind, entries]) => {
    const known = [...(before.lists[kind] ?? [])];
    return entries
      .filter((entry) => {
        const at = known.indexOf(entry);
        if (at >= 0) known.splice(at, 1);
        return at < 0;
      })
      .map((entry) => `${kind}: ${entry}`);
  });
  const counts = Object.entries(after.counts)
    .filter(([kind, count]) => count > (before.counts[kind] ?? 0) + countSlack)
    .map(([kind, count]) => `${kind}: ${count} instead of ${before.counts[kind]}`);
  return [...lists, ...counts];
}

/** Waits until nothing is left over; resolves with what still is after the time. Removal goes on after an answer. */
export async function settleLeftovers(
  before: Inventory,
  take: () => Promise<Inventory>,
): Promise<readonly string[]> {
  const deadline = performance.now() + settleTimeoutMs;
  for (;;) {
    const leftovers = findLeftovers(before, await take());
    if (leftovers.length === 0 || performance.now() > deadline) return leftovers;
    await delay(settlePollMs);
  }
}

/** A line for each kind: how many before and after. */
export function describeInventories(before: Inventory, after: Inventory): string {
  const rows = [
    ...Object.keys(before.lists).map(
      (kind) => [kind, before.lists[kind]?.length ?? 0, after.lists[kind]?.length ?? 0] as const,
    ),
    ...Object.keys(before.counts).map(
      (kind) => [kind, before.counts[kind] ?? 0, after.counts[kind] ?? 0] as const,
    ),
  ];
  return rows
    .map(([kind, was, is]) => `${kind.padEnd(28)} ${String(was).padStart(5)} → ${is}`)
    .join("\n");
}

function describeProcess(pid: number): { pid: number; name: string } | undefined {
  const words = readText(`/proc/${pid}/cmdline`).split("\0").filter(Boolean);
  const [program] = words;
  if (program === undefined) return undefined; // it ends just now
  const name = program.split("/").at(-1) ?? program;
  if (name.startsWith("containerd-shim")) return { pid, name: "containerd-shim" };
  if (name.startsWith("node")) return { pid, name: `byom ${words[2] ?? ""}` };
  return { pid, name };
}

/** Of one type of file system, or of all. */
function mountPoints(pid: number, type = ""): readonly string[] {
  return readText(`/proc/${pid}/mountinfo`)
    .split("\n")
    .filter((line) => line.includes(` - ${type}`))
    .flatMap((line) => line.split(" ")[4] ?? [])
    .toSorted();
}

function filesBelow(directory: string): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory() || /^[0-9a-f]{64}$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted();
}

function names(directory: string): readonly string[] {
  try {
    return readdirSync(directory).toSorted();
  } catch {
    return [];
  }
}

/** Of `always [madvise] never`, or of what was written: `madvise`. */
function selected(text: string): string {
  return /\[(\w+)\]/.exec(text)?.[1] ?? text.trim();
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
