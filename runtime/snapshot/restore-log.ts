import type { StartPhase } from "./snapshot.ts";

/**
 * Where a restore spent its time, from the times in CRIU's log (verbosity 4, which runc asks for): `network`, the
 * engine's hook that attaches the container to its network, and `memory`, from the first read of page images to the
 * last. Both lie within the phase `criu`. A log that reads otherwise gives no phases.
 */
export function readRestoreLog(log: string, memoryBytes?: number): readonly StartPhase[] {
  const network = between(log, /^\(([\d.]+)\).*\bRPC$/m, /^\(([\d.]+)\) +1: cg: Move into/m);
  const memory = between(
    log,
    /^\(([\d.]+)\) pie: \d+: Preadv /m,
    /^\(([\d.]+)\) pie: \d+: `- returned (?![^]*`- returned)/m,
  );
  return [
    ...(network === undefined ? [] : [{ name: "network", ms: network }]),
    ...(memory === undefined
      ? []
      : [{ name: "memory", ms: memory, ...(memoryBytes !== undefined && { bytes: memoryBytes }) }]),
  ];
}

function between(log: string, from: RegExp, to: RegExp): number | undefined {
  const [start, end] = [from.exec(log)?.[1], to.exec(log)?.[1]];
  if (start === undefined || end === undefined) return undefined;
  return Math.round((Number(end) - Number(start)) * 1000);
}
