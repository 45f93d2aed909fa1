import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";

import { wrapperFiles } from "../oci-runtime/wrapper.ts";
import type { Decision } from "./decision.ts";
import { parseLines } from "./outcome.ts";

/** CRIU says much while it fails; what it says last is why. */
const criuErrorsMax = 8;

/**
 * What the OCI runtime wrapper decided for a container, and CRIU's errors, oldest first; see
 * runtime/oci-runtime/byom-runc.sh. The wrapper's file is taken: nobody else reads it any more.
 * @param now milliseconds since the epoch; the wrapper's times count from the boot.
 */
export async function readWrapperDecisions(
  stateDirectory: string,
  containerId: string,
  now: number,
): Promise<readonly Decision[]> {
  const { outcome, work } = wrapperFiles(stateDirectory, containerId);
  const text = await readFile(outcome, "utf8").catch(() => "");
  if (text === "") return [];
  const log = await readFile(join(work, "restore.log"), "latin1").catch(() => "");
  const uptime = await readFile("/proc/uptime", "utf8").catch(() => "");
  const bootMs = now - Number(uptime.split(" ")[0] ?? 0) * 1000;
  await rm(outcome, { force: true });
  return wrapperDecisions({ text, log, bootMs });
}

/** @see readWrapperDecisions Pure. */
export function wrapperDecisions(input: {
  readonly text: string;
  /** CRIU's. */
  readonly log: string;
  /** When the host booted, in milliseconds since the epoch. */
  readonly bootMs: number;
}): readonly Decision[] {
  const { text, log, bootMs } = input;
  const lines = parseLines(text);
  const path = lines.find(({ word }) => word === "snapshot")?.value ?? "";
  const snapshotId = path.slice(path.lastIndexOf("/") + 1);
  const isRestored = lines.some(({ word, value }) => word === "result" && value === "restored");
  let at = new Date(bootMs).toISOString();
  return lines.flatMap(({ word, value, uptimeMs }) => {
    // What has no time of its own happened with the line before.
    if (uptimeMs !== undefined) at = new Date(Math.round(bootMs + uptimeMs)).toISOString();
    const sentence = sentences[word]?.(value);
    if (sentence === undefined) return [];
    const [what, said] = sentence;
    const decision: Decision = { at, by: "oci-runtime", what, text: said, snapshotId };
    if (what !== "restore-failed" || isRestored) return [decision];
    return [
      decision,
      ...criuErrors(log).map((error): Decision => ({
        at,
        by: "criu",
        what: "error",
        text: error,
        snapshotId,
      })),
    ];
  });
}

/** The stable word and the sentence for each of the wrapper's lines; the words' meaning is in the script's header. */
const sentences: Readonly<
  Record<string, (value: string) => readonly [what: string, text: string] | undefined>
> = {
  begin: () => ["marker-found", "the OCI runtime found the restore marker"],
  snapshot: (path) => ["snapshot-opened", `it restores from ${path}`],
  files: () => ["files-applied", "the container's changed files are in its root"],
  "huge-pages": () => ["huge-pages-on", "memory is filled with huge pages"],
  criu: () => ["restore-begin", "runc restore began"],
  restore: () => ["restore-end", "runc restore ended"],
  reason: (reason) => ["restore-failed", reason],
  cleaned: (what) => ["cleaned-up", `what the restore left is removed: ${what}`],
  undone: (how) => ["files-undone", how],
  result: (result) =>
    result === "restored" ? ["restored", "the container runs from the snapshot"] : undefined,
  cold: () => ["cold", "the same container starts cold"],
};

/** CRIU's errors without times and source positions. */
function criuErrors(log: string): readonly string[] {
  return log
    .split("\n")
    .flatMap((line) => /Error \([^)]*\): (.*)$/.exec(line)?.[1] ?? [])
    .filter((error) => !error.includes("Can't setup RLIMIT_NOFILE"))
    .slice(-criuErrorsMax);
}
