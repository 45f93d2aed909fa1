import { readdir, readFile } from "node:fs/promises";

import { socketInodes } from "./connections.ts";
import type { ProcessFacts, SnapshotFacts } from "./facts.ts";
import type { ContainerProcess } from "./processes.ts";

type MemoryFacts = Omit<SnapshotFacts, "pageBytes" | "changedFilesBytes" | "frozenMs">;

/** A reader of `byom snapshot inspect` looks at the first few. */
const mappingsMax = 10;

/** One range of a process's memory. Bytes. */
export interface Mapping {
  /** The file, `[heap]`, `[stack]`; empty for memory without a name. */
  readonly name: string;
  /** The same for the same part of a file in every process. */
  readonly place: string;
  readonly anonymousBytes: number;
  readonly fileMappedBytes: number;
}

/** What the processes hold, read while they run: nothing of it needs them to stand still. */
export async function countMemory(processes: readonly ContainerProcess[]): Promise<MemoryFacts> {
  const counted = await Promise.all(
    processes.map(async (process) => {
      const text = await readFile(`/proc/${process.hostPid}/smaps`, "utf8").catch(() => "");
      const mappings = parseMappings(text);
      return { mappings, facts: await countProcess(process, mappings) };
    }),
  );
  return {
    anonymousBytes: sum(counted.map(({ facts }) => facts.anonymousBytes)),
    fileMappedBytes: sharedBytes(counted.flatMap(({ mappings }) => mappings)),
    processes: counted.map(({ facts }) => facts),
    largestMappings: largest(counted),
  };
}

/** Lines of `/proc/PID/smaps` (kernel: filesystems/proc.rst). Pure. */
export function parseMappings(smaps: string): readonly Mapping[] {
  const header = /^[0-9a-f]+-[0-9a-f]+ \S{4} ([0-9a-f]+) (\S+) (\d+) *(.*)$/;
  const mappings: Mapping[] = [];
  let place = "";
  let name = "";
  let rss = 0;
  for (const line of smaps.split("\n")) {
    const found = header.exec(line);
    if (found !== null) {
      const [, offset, device, inode, path = ""] = found;
      place = `${device}:${inode}:${offset}`;
      name = path.replace(/ \(deleted\)$/, "");
    } else if (line.startsWith("Rss:")) rss = kib(line);
    else if (line.startsWith("Anonymous:")) {
      const anonymousBytes = kib(line);
      // The kernel's own pages in every process are neither files nor the model's.
      const isFile = name.startsWith("/") && !/^\/(?:dev\/zero|memfd:|SYSV)/.test(name);
      const rest = Math.max(0, rss - anonymousBytes);
      const isShared = !isFile && name.startsWith("/");
      mappings.push({
        name,
        place,
        anonymousBytes: anonymousBytes + (isShared ? rest : 0),
        fileMappedBytes: isFile ? rest : 0,
      });
    }
  }
  return mappings;
}

async function countProcess(
  { hostPid, pid, commandLine }: ContainerProcess,
  mappings: readonly Mapping[],
): Promise<ProcessFacts> {
  const list = async (name: string): Promise<number> =>
    await readdir(`/proc/${hostPid}/${name}`).then(
      (entries) => entries.length,
      () => 0,
    );
  const [openFiles, sockets, threads] = await Promise.all([
    list("fd"),
    socketInodes(hostPid),
    list("task"),
  ]);
  return {
    pid,
    commandLine,
    anonymousBytes: sum(mappings.map((mapping) => mapping.anonymousBytes)),
    fileMappedBytes: sum(mappings.map((mapping) => mapping.fileMappedBytes)),
    openFiles,
    sockets: sockets.length,
    threads,
  };
}

/** What several processes have mapped of one file is in memory once. */
function sharedBytes(mappings: readonly Mapping[]): number {
  const byPlace = new Map<string, number>();
  for (const { place, fileMappedBytes } of mappings) {
    byPlace.set(place, Math.max(byPlace.get(place) ?? 0, fileMappedBytes));
  }
  return sum([...byPlace.values()]);
}

function largest(
  counted: readonly { facts: ProcessFacts; mappings: readonly Mapping[] }[],
): SnapshotFacts["largestMappings"] {
  const byName = new Map<string, number>();
  for (const { facts, mappings } of counted) {
    for (const { name, anonymousBytes } of mappings) {
      const what = `${name || "memory without a name"} of process ${facts.pid}`;
      byName.set(what, (byName.get(what) ?? 0) + anonymousBytes);
    }
  }
  return [...byName]
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => ({ name, bytes }))
    .toSorted((a, b) => b.bytes - a.bytes)
    .slice(0, mappingsMax);
}

function kib(line: string): number {
  return Number(/(\d+) kB/.exec(line)?.[1] ?? 0) * 1024;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
