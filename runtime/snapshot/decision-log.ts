import { appendFileSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

import { z } from "zod";

import type { Clock } from "../clock.ts";
import type { Decision, DecisionLog } from "./decision.ts";
import { readWrapperDecisions } from "./wrapper-log.ts";

/** Some thousands of starts; read whole by one `explain`. */
const fileBytesMaxDefault = 4 << 20;
/** Of a decision's sentence: CRIU's own words can be long. */
const textLengthMax = 1000;

const lineSchema = z.object({
  instance: z.string(),
  container: z.string().optional(),
  at: z.string(),
  by: z.enum(["platform", "oci-runtime", "criu"]),
  what: z.string(),
  text: z.string(),
  snapshotId: z.string().optional(),
});

type Line = z.infer<typeof lineSchema>;

/**
 * The decision log of a platform: one line of JSON per decision, appended to a file that survives the platform and its
 * instances. At the size limit the older half goes. A line that was cut off by a crash or a full disk is passed over, and
 * a log that cannot be written fails no start.
 */
export function openDecisionLog(options: {
  /** Of the file; its directory exists. */
  readonly path: string;
  readonly clock: Clock;
  /** Where the OCI runtime wrapper leaves word. */
  readonly stateDirectory: string;
  readonly fileBytesMax?: number;
}): DecisionLog {
  const { path, clock, stateDirectory } = options;
  const bytesMax = options.fileBytesMax ?? fileBytesMaxDefault;
  let bytes = sizeOf(path);
  const append = (lines: readonly Line[]): void => {
    if (lines.length === 0) return;
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    try {
      // A line that was cut off must not swallow the next.
      appendFileSync(path, bytes > 0 && !endsWithNewline ? `\n${text}` : text, { mode: 0o600 });
      endsWithNewline = true;
      bytes += Buffer.byteLength(text);
      if (bytes > bytesMax) bytes = keepNewerHalf(path, bytesMax);
    } catch {
      endsWithNewline = false;
    }
  };
  let endsWithNewline = bytes === 0 || readFileSync(path).at(-1) === 0x0a;
  return {
    add(instanceId, { text, ...decision }) {
      const at = new Date(clock.now()).toISOString();
      append([{ instance: instanceId, at, ...decision, text: text.slice(0, textLengthMax) }]);
    },
    async collect(instanceId, containerId) {
      const decisions = await readWrapperDecisions(stateDirectory, containerId, clock.now());
      append(
        decisions.map(({ text, ...decision }) => ({
          instance: instanceId,
          container: containerId,
          ...decision,
          text: text.slice(0, textLengthMax),
        })),
      );
    },
    async explain(instanceId) {
      const lines = parseLines(await readFile(path, "utf8").catch(() => ""));
      const found = findInstance(lines, instanceId);
      return lines
        .filter(({ instance }) => instance === found)
        .map(toDecision)
        .toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    },
  };
}

/** The instance with this ID, or the only one whose ID or container's ID begins so. */
function findInstance(lines: readonly Line[], id: string): string | undefined {
  if (id === "") return undefined;
  const instances = new Set<string>();
  for (const { instance, container } of lines) {
    if (instance === id) return instance;
    if (instance.startsWith(id) || container?.startsWith(id) === true) instances.add(instance);
  }
  return instances.size === 1 ? [...instances][0] : undefined;
}

function toDecision({ at, by, what, text, snapshotId }: Line): Decision {
  return { at, by, what, text, ...(snapshotId !== undefined && { snapshotId }) };
}

function parseLines(text: string): readonly Line[] {
  return text.split("\n").flatMap((line) => {
    try {
      return lineSchema.parse(JSON.parse(line));
    } catch {
      return [];
    }
  });
}

/** By one rename, so that a crash leaves the old file or the new one. */
function keepNewerHalf(path: string, bytesMax: number): number {
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  let from = lines.length;
  for (let bytes = 0; from > 0 && bytes < bytesMax / 2;) {
    from -= 1;
    bytes += Buffer.byteLength(lines[from] ?? "") + 1;
  }
  writeFileSync(`${path}.new`, `${lines.slice(from).join("\n")}\n`, { mode: 0o600 });
  renameSync(`${path}.new`, path);
  return sizeOf(path);
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
