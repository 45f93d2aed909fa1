import { readFileSync } from "node:fs";

/** A process told apart from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the host's boot (proc(5), stat, field 22). */
  readonly startTicks: number;
}

/** Undefined when there is no such process, or only its number is left: a parent that collects nothing keeps zombies. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    if (/[ZX]/.test(fields[0] ?? "")) return undefined;
    return { pid, startTicks: Number(fields[startTicksAt]) };
  } catch {
    return undefined;
  }
}

/** Field 22 of all, counted from the third, which is the state. */
const startTicksAt = 19;

export function isRunning(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTicks === process.startTicks;
}
