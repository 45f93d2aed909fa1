import { createHash } from "node:crypto";
import type { Digest } from "../../registry-client/index.ts";
import { renderStamp } from "../layer/file-stamp.ts";
import type { FileStamp } from "../layer/file-stamp.ts";
import { packingVersion } from "../layer/layer.ts";
import type { LayerEntry } from "../layer/layer.ts";
import type { BuilderStore } from "../store.ts";

/** The digest of a layer, found again without a read as long as no file of it changed. */
export interface DigestCache {
  find(entries: readonly LayerEntry[]): Digest | undefined;
  /** `startedAtNs` (Unix time) is taken before the files were stat'ed. */
  remember(options: {
    readonly entries: readonly LayerEntry[];
    readonly digest: Digest;
    readonly startedAtNs: bigint;
  }): void;
}

/** A kernel stamps files with a clock of 1 to 10 ms steps; two writes within one step look the same. */
const clockStepNs = 50_000_000n;

/** Some file systems keep whole seconds, FAT even pairs of them. */
const wholeSecondStepNs = 2_000_000_000n;

const secondNs = 1_000_000_000n;

export function createDigestCache(options: { store: BuilderStore }): DigestCache {
  return {
    find: (entries) => options.store.find("digest", cacheKey(entries)) as Digest | undefined,
    remember: ({ entries, digest, startedAtNs }) => {
      const stamps = entries.flatMap((entry) => (entry.kind === "file" ? [entry.stamp] : []));
      if (stamps.some((stamp) => isRacy({ stamp, startedAtNs }))) return;
      options.store.remember("digest", cacheKey(entries), digest);
    },
  };
}

/**
 * Whether a later write could leave the stamp as it is: the file was written so shortly before it was hashed
 * that the next write may carry the same time (the rule that Git calls "racily clean").
 */
export function isRacy(options: { stamp: FileStamp; startedAtNs: bigint }): boolean {
  const { modifiedNs, changedNs } = options.stamp;
  const newestNs = modifiedNs > changedNs ? modifiedNs : changedNs;
  const stepNs = newestNs % secondNs === 0n ? wholeSecondStepNs : clockStepNs;
  return newestNs + stepNs >= options.startedAtNs;
}

/** Everything that decides over the layer's bytes, with each file's content told by its stamp. */
function cacheKey(entries: readonly LayerEntry[]): string {
  const hash = createHash("sha256");
  hash.update(`${packingVersion}\n`);
  for (const entry of entries) hash.update(`${JSON.stringify(describeEntry(entry))}\n`);
  return hash.digest("hex");
}

function describeEntry(entry: LayerEntry): readonly (string | boolean)[] {
  switch (entry.kind) {
    case "file":
      return ["file", entry.path, entry.isExecutable, renderStamp(entry.stamp)];
    case "bytes":
      return ["bytes", entry.path, createHash("sha256").update(entry.bytes).digest("hex")];
    case "link":
      return ["link", entry.path, entry.target];
  }
}
