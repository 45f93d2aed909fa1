import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";

/** A server of the benchmark in a process of its own, so that its CPU time and memory are its own. */
export interface ServerProcess extends AsyncDisposable {
  readonly origin: string;
  /** What the server said beside its address. */
  readonly facts: Readonly<Record<string, string>>;
  readonly pid: number;
}

/** In the child: listens on loopback and tells the parent where. */
export async function announce(
  server: Server,
  facts: Readonly<Record<string, string>> = {},
): Promise<void> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  process.once("disconnect", () => process.exit(0));
  process.send?.({ origin: `http://127.0.0.1:${port}`, facts });
}

/** In the child: where the provider is. */
export function upstreamOrigin(): string {
  return process.argv[2] ?? "";
}

export async function startServer(name: string, args: readonly string[]): Promise<ServerProcess> {
  const path = fileURLToPath(new URL(`${name}.ts`, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ready = await Promise.race([
    once(child, "message").then(
      ([message]) => message as { origin: string; facts: Record<string, string> },
    ),
    once(child, "exit").then(([code]) => {
      throw new Error(`${name} ended with exit code ${String(code)}`);
    }),
  ]);
  return { ...ready, pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child) };
}

export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** User and system time of a process so far, in milliseconds (proc(5): stat, fields 14 and 15, in ticks of 10 ms). */
export function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

export function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024;
}
