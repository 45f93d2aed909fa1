import { formatBytes, formatDuration, formatTable } from "../output.ts";

/** A snapshot of `GET /api/v1/snapshots`, as far as the commands print it. */
export interface SnapshotLine {
  readonly id: string;
  readonly status: string;
  readonly reason?: string;
  readonly sizeBytes: number;
  /** ISO 8601. */
  readonly createdAt: string;
  readonly captureMs: number;
  readonly key: Readonly<Record<string, unknown>>;
  readonly holdsSecrets?: readonly string[];
  readonly facts?: SnapshotFactsLine;
  readonly uses: readonly {
    readonly modelId: string;
    readonly version: number;
    readonly restores: number;
    readonly savedMs: number;
    readonly lastRestoredAt?: string;
    readonly payoff: PayoffLine;
  }[];
}

export interface PayoffLine {
  readonly verdict: string;
  readonly coldMs?: number;
  readonly restoredMs?: number;
  readonly reason?: string;
}

interface SnapshotFactsLine {
  readonly pageBytes: number;
  readonly anonymousBytes: number;
  readonly fileMappedBytes: number;
  readonly changedFilesBytes: number;
  readonly frozenMs: number;
  readonly largestMappings: readonly { readonly name: string; readonly bytes: number }[];
  readonly processes: readonly {
    readonly pid: number;
    readonly commandLine: string;
    readonly anonymousBytes: number;
    readonly openFiles: number;
    readonly sockets: number;
    readonly threads: number;
  }[];
}

export interface InspectedSnapshot extends SnapshotLine {
  readonly fit: { readonly fitsHost?: boolean; readonly reasons: readonly string[] };
  readonly advice: readonly {
    readonly finding: string;
    readonly change: string;
    readonly savesBytes?: number;
  }[];
}

export interface DecisionLine {
  readonly at: string;
  readonly by: string;
  readonly what: string;
  readonly text: string;
}

/** `byom snapshot list`: newest first, a line each. */
export function renderSnapshots(snapshots: readonly SnapshotLine[], nowMs: number): string {
  if (snapshots.length === 0) {
    return "no snapshots; a deploy takes one, and so does: byom snapshot create OWNER/NAME";
  }
  const heads = ["id", "model", "status", "size", "age", "restores", "saved", "reason"];
  return formatTable([heads, ...snapshots.map((snapshot) => snapshotRow(snapshot, nowMs))]);
}

function snapshotRow(snapshot: SnapshotLine, nowMs: number): readonly string[] {
  const { uses } = snapshot;
  const restores = uses.reduce((sum, use) => sum + use.restores, 0);
  return [
    snapshot.id,
    uses.map(({ modelId, version }) => `${modelId}@${version}`).join(", ") || "-",
    isSwitchedOff(snapshot) ? "off" : snapshot.status,
    formatBytes(snapshot.sizeBytes),
    formatAge(nowMs - Date.parse(snapshot.createdAt)),
    String(restores),
    restores === 0 ? "-" : formatSaved(uses.reduce((sum, use) => sum + use.savedMs, 0)),
    snapshot.reason ?? uses.find(({ payoff }) => payoff.reason !== undefined)?.payoff.reason ?? "",
  ];
}

/** It is there, and no version starts from it: cold starts are as fast. */
function isSwitchedOff({ status, uses }: SnapshotLine): boolean {
  return (
    status === "available" &&
    uses.length > 0 &&
    uses.every(({ payoff }) => payoff.verdict === "does-not-pay")
  );
}

/** `byom snapshot inspect`. */
export function renderSnapshot(snapshot: InspectedSnapshot, nowMs: number): string {
  const { facts, fit, advice, uses } = snapshot;
  const age = formatAge(nowMs - Date.parse(snapshot.createdAt));
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["snapshot", snapshot.id],
    ["status", [snapshot.status, snapshot.reason].filter(Boolean).join(": ")],
    ["taken", `${snapshot.createdAt} (${age} ago) in ${formatDuration(snapshot.captureMs)}`],
    ["size", formatBytes(snapshot.sizeBytes)],
    ...(facts === undefined ? [] : factRows(facts)),
    ["secrets", renderSecrets(snapshot.holdsSecrets)],
    ["fits this host", renderFit(fit)],
    ...uses.map((use) => [`${use.modelId}@${use.version}`, renderUse(use)] as const),
  ];
  const parts = [formatTable(rows.flatMap(([name, text]) => (text ? [[name, text]] : [])))];
  if (facts !== undefined) parts.push(renderProcesses(facts));
  parts.push(formatTable(keyRows(snapshot.key)));
  if (advice.length > 0) parts.push(renderAdvice(advice));
  return parts.join("\n\n");
}

function factRows(facts: SnapshotFactsLine): readonly (readonly [string, string])[] {
  const { processes, largestMappings } = facts;
  const sum = (count: (one: (typeof processes)[number]) => number): string =>
    String(processes.reduce((total, one) => total + count(one), 0));
  return [
    ["pages", `${formatBytes(facts.pageBytes)}, copied for each clone`],
    ["anonymous", formatBytes(facts.anonymousBytes)],
    ["file-mapped", `${formatBytes(facts.fileMappedBytes)}, not in it, shared by clones`],
    ["changed files", formatBytes(facts.changedFilesBytes)],
    [
      "largest",
      largestMappings.map(({ name, bytes }) => `${name} ${formatBytes(bytes)}`).join(", "),
    ],
    ["processes", String(processes.length)],
    ["open files", sum(({ openFiles }) => openFiles)],
    ["sockets", sum(({ sockets }) => sockets)],
    ["stood still", formatDuration(facts.frozenMs)],
  ];
}

function renderProcesses({ processes }: SnapshotFactsLine): string {
  return formatTable([
    ["pid", "anonymous", "threads", "command"],
    ...processes.map(({ pid, anonymousBytes, threads, commandLine }) => [
      String(pid),
      formatBytes(anonymousBytes),
      String(threads),
      commandLine,
    ]),
  ]);
}

/** What must be equal for a restore. */
function keyRows(key: InspectedSnapshot["key"]): readonly (readonly string[])[] {
  return Object.entries(key).map(([name, value]) => {
    const text = Array.isArray(value) ? value.join(", ") : String(value);
    return [name, text === "" ? "-" : text];
  });
}

function renderAdvice(advice: InspectedSnapshot["advice"]): string {
  const lines = advice.map(({ finding, change, savesBytes }) => {
    const saves = savesBytes === undefined ? "" : ` (up to ${formatBytes(savesBytes)} less)`;
    return `- ${finding}${saves}\n  ${change}`;
  });
  return ["to make it smaller:", ...lines].join("\n");
}

function renderSecrets(names: readonly string[] | undefined): string {
  return names === undefined || names.length === 0
    ? "none known in it"
    : `holds ${names.join(", ")}: never pushed`;
}

function renderFit({ fitsHost, reasons }: InspectedSnapshot["fit"]): string {
  if (fitsHost === undefined) return `unknown: ${reasons.join(", ")}`;
  return fitsHost ? "yes" : `no, because ${reasons.join(", ")}`;
}

function renderUse(use: SnapshotLine["uses"][number]): string {
  const { restores, savedMs, lastRestoredAt, payoff } = use;
  const used =
    restores === 0
      ? "not restored yet"
      : `${restores} restores, ${formatSaved(savedMs)} saved, last ${lastRestoredAt ?? "unknown"}`;
  return `${used}; ${renderPayoff(payoff)}`;
}

/** `pays: 0.41 s restored, 2.30 s cold`; or why restores are off. */
export function renderPayoff({ verdict, coldMs, restoredMs, reason }: PayoffLine): string {
  const times = [
    ...(restoredMs === undefined ? [] : [`${formatDuration(restoredMs)} restored`]),
    ...(coldMs === undefined ? [] : [`${formatDuration(coldMs)} cold`]),
  ].join(", ");
  if (verdict === "does-not-pay") return `switched off: ${reason ?? times}`;
  if (verdict === "pays") return `pays: ${times}`;
  if (coldMs !== undefined && restoredMs !== undefined) return `too close to tell yet: ${times}`;
  return times === "" ? "not measured yet" : `measured in part: ${times}`;
}

/** `byom snapshot explain`: times from the first decision on. */
export function renderDecisions(decisions: readonly DecisionLine[]): string {
  const began = Date.parse(decisions[0]?.at ?? "");
  return formatTable(
    decisions.map(({ at, by, what, text }, index) => [
      index === 0 ? at : `+${formatDuration(Math.max(0, Date.parse(at) - began))}`,
      by,
      what,
      text,
    ]),
  );
}

function formatSaved(ms: number): string {
  return ms < 0 ? `-${formatDuration(-ms)}` : formatDuration(ms);
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

function formatAge(ms: number): string {
  if (ms < minuteMs) return `${Math.max(0, Math.round(ms / 1000))} s`;
  if (ms < hourMs) return `${Math.round(ms / minuteMs)} min`;
  return ms < dayMs ? `${Math.round(ms / hourMs)} h` : `${Math.round(ms / dayMs)} d`;
}
