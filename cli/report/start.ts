import { formatDuration } from "../output.ts";

/** `restored in 0.62 s (create 40 ms, criu 300 ms, …)`, from a start report or what the gateway's headers say. */
export function renderPhases(start: unknown): string {
  const { mode, totalMs, phases, reason } = start as {
    mode: string;
    totalMs: number;
    reason?: string;
    phases: readonly { name: string; ms: number }[];
  };
  const parts = phases.map(({ name, ms }) => `${name} ${formatDuration(ms)}`).join(", ");
  const why = reason === undefined ? "" : `; ${reason}`;
  return `${mode} start in ${formatDuration(totalMs)}${parts === "" ? "" : ` (${parts})`}${why}`;
}
