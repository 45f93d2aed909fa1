import type { StartPhase } from "./snapshot.ts";

/** What the OCI runtime wrapper wrote about a start; see runtime/oci-runtime/byom-runc.sh. */
export interface Outcome {
  readonly restored: boolean;
  /** Why it is not restored, with CRIU's own words where there are any. */
  readonly reason?: string;
  readonly phases: readonly StartPhase[];
  /** Memory was filled with the host's huge pages. */
  readonly usesHugePages: boolean;
}

/** One line of the wrapper's: `word value`. */
interface OutcomeLine {
  readonly word: string;
  readonly value: string;
  /** Milliseconds since the host booted, for the lines that say when. */
  readonly uptimeMs?: number;
}

/** Phases by the wrapper's own times, to 10 ms; what happens within `criu` is in CRIU's log. */
export function parseOutcome(text: string): Outcome {
  const lines = parseLines(text);
  const find = (word: string): OutcomeLine | undefined => lines.find((line) => line.word === word);
  const at = (word: string): number => find(word)?.uptimeMs ?? Number.NaN;
  const usesHugePages = find("huge-pages")?.value === "on";
  const last = Math.max(
    ...[at("restore"), at("files"), at("begin")].filter((time) => !Number.isNaN(time)),
  );
  const phases: StartPhase[] = [
    { name: "files", ms: Math.round(at("files") - at("begin")) },
    { name: "criu", ms: Math.round(at("restore") - at("files")) },
    { name: "fall-back", ms: Math.round(at("cold") - last) },
  ].filter((phase) => !Number.isNaN(phase.ms));
  if (find("result")?.value === "restored") return { restored: true, phases, usesHugePages };
  const details = lines
    .filter((line) => line.word === "detail")
    .map((line) => line.value.replace(criuPrefix, ""));
  const reason = find("reason")?.value ?? "the OCI runtime did not finish";
  return { restored: false, reason: [reason, ...details].join("; "), phases, usesHugePages };
}

/** The lines of the wrapper's file; what is no `word value` is passed over. */
export function parseLines(text: string): readonly OutcomeLine[] {
  return text.split("\n").flatMap((line) => {
    const at = line.indexOf(" ");
    if (at < 0) return [];
    const [word, value] = [line.slice(0, at), line.slice(at + 1)];
    const uptimeMs = timedWords.has(word) ? Number(value) * 1000 : Number.NaN;
    return [Number.isNaN(uptimeMs) ? { word, value } : { word, value, uptimeMs }];
  });
}

/** Their value is the time of /proc/uptime: seconds with two decimals, read without starting a program. */
const timedWords: ReadonlySet<string> = new Set(["begin", "files", "criu", "restore", "cold"]);

/** Time and source position of a line in CRIU's log: `(00.078649) Error (criu/protobuf.c:72): `. */
const criuPrefix = /^\(\d+\.\d+\)\s+(?:\d+: )?Error \([^)]*\): /;
