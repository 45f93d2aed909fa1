import { formatDuration, formatTable } from "../output.ts";

/** One call as the platform's log has it. */
export interface CallLine {
  readonly id: string;
  readonly createdAt: string;
  readonly surface?: string;
  readonly path?: string;
  readonly requestedModel: string;
  readonly model: string;
  readonly provider: string;
  readonly route?: string;
  readonly keyId?: string;
  readonly requestId?: string;
  readonly eventId?: string;
  readonly traceId?: string;
  readonly status: string;
  readonly statusCode: number;
  readonly code?: string;
  readonly error?: string;
  readonly durationMs: number;
  readonly firstOutputMs?: number;
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly isEstimated?: boolean;
  readonly costUsd: string;
  readonly isCached: boolean;
  readonly isStreamed: boolean;
  readonly start?: StartLine;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly legs: readonly LegLine[];
  readonly hasPayload: boolean;
  readonly feedback?: number;
  readonly score?: number;
}

interface StartLine {
  readonly mode: string;
  readonly reason?: string;
  readonly totalMs: number;
  readonly phases: readonly { readonly name: string; readonly ms: number }[];
}

interface LegLine {
  readonly index: number;
  readonly afterMs: number;
  readonly durationMs: number;
  readonly firstOutputMs?: number;
  readonly provider: string;
  readonly upstreamModel: string;
  readonly state: string;
  readonly status?: number;
  readonly code?: string;
  readonly error?: string;
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly nanoUsd: number;
  readonly start?: StartLine;
}

export interface CallPayload {
  readonly input: unknown;
  readonly output: unknown;
}

/** A line of the list: time, id, how it ended, how long, tokens, cost, model. */
export function callRow(call: CallLine): readonly string[] {
  return [
    call.createdAt.replace("T", " ").slice(0, 19),
    call.id,
    call.status === "succeeded" ? "ok" : (call.code ?? call.status),
    formatDuration(call.durationMs),
    tokens(call),
    `$${call.costUsd}`,
    call.isCached ? "cached" : legCount(call),
    call.requestedModel === call.model ? call.model : `${call.requestedModel} → ${call.model}`,
  ];
}

/** Everything that is known of a call, its legs as a table. */
export function describeCall(call: CallLine, payload: CallPayload | undefined): string {
  const facts = [
    ["id", call.id],
    ["began", call.createdAt],
    ["request", [call.requestId, call.surface, call.path].filter(Boolean).join("  ")],
    ["event", call.eventId],
    ["trace", call.traceId],
    [
      "model",
      call.requestedModel === call.model ? call.model : `${call.requestedModel} → ${call.model}`,
    ],
    ["route", call.route],
    ["key", call.keyId],
    ["ended", ended(call)],
    ["error", call.error],
    ["took", times(call)],
    ["tokens", tokens(call)],
    ["cost", `$${call.costUsd}`],
    ["start", describeStart(call.start)],
    ["metadata", describeMetadata(call.metadata)],
    ["feedback", call.feedback === undefined ? undefined : String(call.feedback)],
    ["score", call.score === undefined ? undefined : String(call.score)],
  ].filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== "");
  const parts = [formatTable(facts), formatTable([legHeads, ...call.legs.map(legRow)])];
  if (payload !== undefined) {
    parts.push(`input\n${JSON.stringify(payload.input, undefined, 2)}`);
    parts.push(`output\n${JSON.stringify(payload.output, undefined, 2)}`);
  }
  return parts.join("\n\n");
}

const legHeads = [
  "leg",
  "after",
  "provider",
  "model",
  "state",
  "first",
  "took",
  "tokens",
  "cost",
  "why",
];

function legRow(leg: LegLine): readonly string[] {
  return [
    String(leg.index),
    formatDuration(leg.afterMs),
    leg.provider,
    leg.upstreamModel,
    leg.status === undefined ? leg.state : `${leg.state} (${leg.status})`,
    leg.firstOutputMs === undefined ? "-" : formatDuration(leg.firstOutputMs),
    formatDuration(leg.durationMs),
    tokens(leg),
    dollars(leg.nanoUsd),
    leg.code === undefined ? (leg.start?.mode ?? "") : `${leg.code}: ${leg.error ?? ""}`,
  ];
}

/** Without the exponent that a small number would have. */
function dollars(nanoUsd: number): string {
  return `$${(nanoUsd / 1e9).toFixed(9).replace(/\.?0+$/, "")}`;
}

function ended({ status, statusCode, code, isCached, isStreamed }: CallLine): string {
  const notes = [isCached ? "cached" : undefined, isStreamed ? "streamed" : undefined];
  const end = code === undefined ? status : `${status}: ${code}`;
  return [`${end} (${statusCode})`, ...notes.filter(Boolean)].join(", ");
}

function times({ durationMs, firstOutputMs }: CallLine): string {
  const first =
    firstOutputMs === undefined ? "" : `, first output after ${formatDuration(firstOutputMs)}`;
  return `${formatDuration(durationMs)}${first}`;
}

function tokens(of: {
  readonly tokensIn?: number;
  readonly tokensOut?: number;
  readonly isEstimated?: boolean;
}): string {
  const { tokensIn, tokensOut, isEstimated = false } = of;
  if (tokensIn === undefined && tokensOut === undefined) return "-";
  return `${isEstimated ? "~" : ""}${tokensIn ?? 0}→${tokensOut ?? 0}`;
}

function legCount({ legs }: CallLine): string {
  return legs.length === 1 ? "1 leg" : `${legs.length} legs`;
}

function describeStart(start: StartLine | undefined): string | undefined {
  if (start === undefined) return undefined;
  const phases = start.phases.map(({ name, ms }) => `${name} ${formatDuration(ms)}`).join(", ");
  const reason = start.reason === undefined ? "" : `, because ${start.reason}`;
  return `${start.mode} in ${formatDuration(start.totalMs)}${phases === "" ? "" : ` (${phases})`}${reason}`;
}

function describeMetadata(metadata: CallLine["metadata"]): string {
  return Object.entries(metadata)
    .map(([key, value]) => `${key}=${value}`)
    .join(" ");
}
