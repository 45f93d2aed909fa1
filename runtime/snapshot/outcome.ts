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

/** Phases by the wrapper's own times; what happens within `criu` is in CRIU's log. */
export function parseOutcome(text: string): Outcome {
  const lines = text.split("\n").flatMap((line) => {
    const at = line.indexOf(" ");
    return at < 0 ? [] : [{ word: line.slice(0, at), value: line.slice(at + 1) }];
  });
  const value = (word: string): string | undefined => lines.find((l) => l.word === word)?.value;
  const at = (word: string): number => Number(value(word) ?? Number.NaN);
  const usesHugePages = value("huge-pages") === "on";
  const phases: StartPhase[] = [
    { name: "files", ms: at("files") - at("begin") },
    { name: "criu", ms: at("restore") - at("files") },
    {
      name: "fall-back",
      ms:
        at("cold") -
        Math.max(
          ...[at("restore"), at("files"), at("begin")].filter((time) => !Number.isNaN(time)),
        ),
    },
  ].filter((phase) => !Number.isNaN(phase.ms));
  if (value("result") === "restored") return { restored: true, phases, usesHugePages };
  const details = lines
    .filter((line) => line.word === "detail")
    .map((line) => line.value.replace(criuPrefix, ""));
  const reason = value("reason") ?? "the OCI runtime did not finish";
  return { restored: false, reason: [reason, ...details].join("; "), phases, usesHugePages };
}

/** Time and source position of a line in CRIU's log: `(00.078649) Error (criu/protobuf.c:72): `. */
const criuPrefix = /^\(\d+\.\d+\)\s+(?:\d+: )?Error \([^)]*\): /;
