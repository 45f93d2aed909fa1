import { formatDuration } from "../output.ts";

/** How an instance came up, as the runtime reports it and the gateway's headers say it. */
export interface Start {
  readonly mode: string;
  readonly reason?: string;
  readonly totalMs: number;
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
}

/** `restored in 0.62 s (create 40 ms, criu 300 ms, …)`. */
export function renderPhases({ mode, reason, totalMs, phases }: Start): string {
  if (mode === "running") return "answered by a running instance";
  const parts = phases.map(({ name, ms }) => `${name} ${formatDuration(ms)}`).join(", ");
  const why = reason === undefined ? "" : `; ${reason}`;
  return `${mode} start in ${formatDuration(totalMs)}${parts === "" ? "" : ` (${parts})`}${why}`;
}

/** From the gateway's response headers; undefined when no instance was involved. */
export function readStart(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): Start | undefined {
  const mode = headers["x-byom-start"];
  if (typeof mode !== "string") return undefined;
  const phases = String(headers["x-byom-start-phases"] ?? "")
    .split(",")
    .map((part) => /^\s*([\w-]+);dur=([\d.]+)/.exec(part))
    .filter((match) => match !== null)
    .map((match) => ({ name: match[1] ?? "", ms: Number(match[2]) }));
  const reason = headers["x-byom-start-reason"];
  return {
    mode,
    totalMs: Number(headers["x-byom-start-ms"] ?? 0),
    phases,
    ...(typeof reason === "string" && { reason }),
  };
}
