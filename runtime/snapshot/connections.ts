import { readdir, readFile, readlink } from "node:fs/promises";

import type { ContainerProcess } from "./processes.ts";

/** A TCP connection of a container with something outside of it. */
export interface OutsideConnection {
  /** Such as `140.82.121.4:443` or `[2606:4700::1]:443`. */
  readonly remote: string;
  /** A caller's, to a port on which the container listens; otherwise the model's own. */
  readonly isIncoming: boolean;
  /** Of the socket; 0 once no process has it open. */
  readonly inode: number;
}

/** States of kernel's include/net/tcp_states.h. */
const established = ["01", "02", "03"];
const listening = "0A";

/** Open and half-open connections that leave the container. A clone would break them. */
export async function outsideConnections(initPid: number): Promise<readonly OutsideConnection[]> {
  const tables = await Promise.all(
    ["tcp", "tcp6"].map((name) => readFile(`/proc/${initPid}/net/${name}`, "utf8").catch(() => "")),
  );
  return parseConnections(tables.join("\n"));
}

/** Connections of `/proc/PID/net/tcp` and `tcp6` with another end than loopback (kernel: proc_net_tcp.rst). Pure. */
export function parseConnections(tables: string): readonly OutsideConnection[] {
  const rows = tables.split("\n").map((line) => line.trim().split(/\s+/));
  const portOf = (address = ""): number => Number.parseInt(address.split(":")[1] ?? "", 16);
  const served = new Set(rows.flatMap((row) => (row[3] === listening ? [portOf(row[1])] : [])));
  return rows.flatMap(([, local = "", remote = "", state = "", , , , , , inode = "0"]) => {
    if (!established.includes(state)) return [];
    const address = parseAddress(remote.split(":")[0] ?? "");
    if (address.startsWith("127.") || address === "[::1]") return [];
    const isIncoming = served.has(portOf(local));
    return [{ remote: `${address}:${portOf(remote)}`, isIncoming, inode: Number(inode) }];
  });
}

/** Words of 32 bits, each in the host's byte order (little-endian wherever CRIU runs). */
function parseAddress(hex: string): string {
  const bytes = Buffer.from(hex, "hex");
  bytes.swap32();
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(at * 2).toString(16));
  const isMapped = groups.slice(0, 6).join(":") === "0:0:0:0:0:ffff";
  if (isMapped) return bytes.subarray(12).join(".");
  // In the short form of RFC 5952.
  return new URL(`http://[${groups.join(":")}]`).hostname;
}

/** One line for a reader per connection, with the process that has it open: `10.0.0.5:5432 of process 7 (python …)`. */
export async function describeConnections(
  connections: readonly OutsideConnection[],
  processes: readonly ContainerProcess[],
): Promise<readonly string[]> {
  const owners = await findOwners(new Set(connections.map(({ inode }) => inode)), processes);
  const lines = connections.map(({ remote, isIncoming, inode }) => {
    const owner = owners.get(inode);
    const whose = owner === undefined ? "" : ` of process ${owner.pid} (${short(owner)})`;
    return `${remote}${whose}${isIncoming ? ", a caller's" : ""}`;
  });
  return [...new Set(lines)];
}

/** The process deepest in the tree that has a socket: what it inherited, its parent only handed on. */
async function findOwners(
  inodes: ReadonlySet<number>,
  processes: readonly ContainerProcess[],
): Promise<ReadonlyMap<number, ContainerProcess>> {
  const owners = new Map<number, ContainerProcess>();
  for (const process of processes) {
    for (const inode of await socketInodes(process.hostPid)) {
      if (inodes.has(inode)) owners.set(inode, process);
    }
  }
  return owners;
}

/** Inodes of the sockets among a process's open files (proc(5), /proc/pid/fd). */
export async function socketInodes(hostPid: number): Promise<readonly number[]> {
  const names = await readdir(`/proc/${hostPid}/fd`).catch(() => []);
  const targets = await Promise.all(
    names.map((name) => readlink(`/proc/${hostPid}/fd/${name}`).catch(() => "")),
  );
  return targets.flatMap((target) => {
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    return inode === undefined ? [] : [Number(inode)];
  });
}

const commandLengthMax = 80;

function short({ commandLine }: ContainerProcess): string {
  return commandLine.length > commandLengthMax
    ? `${commandLine.slice(0, commandLengthMax)}…`
    : commandLine;
}
