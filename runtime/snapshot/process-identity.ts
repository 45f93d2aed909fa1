import { readFileSync } from "node:fs";

/** A process told apart from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** In ticks since the host's boot (proc(5), stat, field 22). */
  readonly startTicks: number;
}

/** Undefined when there is no such process. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { pid, startTicks: Number(fields[startTicksAt]) };
  } catch {
    return undefined;
  }
}

/** Field 22 of all, counted from the third. */
const startTicksAt = 19;

export function isRunning(process: ProcessIdentity): boolean {
  return identifyProcess(process.pid)?.startTicks === process.startTicks;
}
