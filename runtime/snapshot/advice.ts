import type { SnapshotFacts } from "./facts.ts";
import type { Snapshot } from "./snapshot.ts";

/** What to change in a model so that its snapshot is smaller or restores faster. */
export interface Advice {
  /** Stable word: `file-map-weights`, `make-buffers-late`, … */
  readonly about: string;
  /** What was found, with its size. */
  readonly finding: string;
  /** What to do. */
  readonly change: string;
  /** At most this much less to capture, keep and fill, in bytes, where it can be told. */
  readonly savesBytes?: number;
}

/** Below this, in bytes, a restore fills the memory in some hundredths of a second: nothing to gain. */
const smallBytes = 256 * 2 ** 20;
/** A mapping as large as this is weights or a cache, not an interpreter's heap. In bytes. */
const largeMappingBytes = 64 * 2 ** 20;
/** A container's own changes are copied for each clone; logs and pid files are below this. In bytes. */
const changedFilesLargeBytes = 16 * 2 ** 20;
/** A process of Python with nothing imported takes some 10 MiB; below this it is a helper. In bytes. */
const processLargeBytes = 32 * 2 ** 20;
/** Page images beyond what the processes use: freed memory that the allocator kept. */
const slackShareMax = 0.25;

/** By what the capture counted; nothing for a snapshot without facts. The change that saves most comes first. Pure. */
export function adviseOn(snapshot: Pick<Snapshot, "facts" | "gpu" | "key">): readonly Advice[] {
  const { facts } = snapshot;
  if (facts === undefined) return [];
  const advice = [
    adviseOnWeights(facts),
    adviseOnBuffers(facts),
    adviseOnProcesses(facts),
    adviseOnSlack(facts),
    adviseOnChangedFiles(facts),
    adviseOnGpu(snapshot),
  ];
  return advice
    .filter((one) => one !== undefined)
    .toSorted((a, b) => (b.savesBytes ?? 0) - (a.savesBytes ?? 0));
}

/** Weights that were read into memory are copied once per clone; those that are mapped are shared by all of them. */
function adviseOnWeights(facts: SnapshotFacts): Advice | undefined {
  const large = facts.largestMappings.filter(({ bytes }) => bytes >= largeMappingBytes);
  const bytes = large.reduce((sum, mapping) => sum + mapping.bytes, 0);
  if (bytes < smallBytes) return undefined;
  const count = large.length === 1 ? "one block" : `${large.length} blocks`;
  return {
    about: "file-map-weights",
    finding: `${size(bytes)} of anonymous memory in ${count}, as weights are that were read into it`,
    change:
      "leave weights in their files: safetensors' load_file, torch.load(path, mmap=True), numpy.load(path, mmap_mode='r') or numpy.memmap; and do not convert them (.half(), .to(dtype), astype): store them as they are used",
    savesBytes: bytes,
  };
}

/** Many middle-sized blocks rather than a few large ones: caches, buffers and copies made during setup(). */
function adviseOnBuffers(facts: SnapshotFacts): Advice | undefined {
  const large = facts.largestMappings
    .filter(({ bytes }) => bytes >= largeMappingBytes)
    .reduce((sum, { bytes }) => sum + bytes, 0);
  const rest = facts.anonymousBytes - large;
  if (rest < smallBytes) return undefined;
  return {
    about: "make-buffers-late",
    finding: `${size(rest)} of anonymous memory in smaller blocks: buffers, caches and copies that setup() has left`,
    change:
      "make buffers and caches in the first prediction that needs them, and drop what only setup() needs (del, state dicts, tokenizers' sources); a @byom.before_snapshot hook is the place to release what can be made again",
    savesBytes: rest,
  };
}

/** Each process has a heap, and imports of its own; a restore fills them side by side, but all of them. */
function adviseOnProcesses(facts: SnapshotFacts): Advice | undefined {
  const [first, ...others] = facts.processes
    .filter(({ anonymousBytes }) => anonymousBytes >= processLargeBytes)
    .toSorted((a, b) => b.anonymousBytes - a.anonymousBytes);
  if (first === undefined || others.length < 2) return undefined;
  const bytes = others.reduce((sum, { anonymousBytes }) => sum + anonymousBytes, 0);
  return {
    about: "fewer-processes",
    finding: `${others.length + 1} processes with ${size(processLargeBytes)} and more each, ${size(bytes)} of it beside the largest`,
    change:
      "use threads rather than worker processes in setup() (DataLoader(num_workers=0), no multiprocessing pool), or start them when a prediction needs them",
    savesBytes: bytes,
  };
}

/** What is dumped but in no process's use. */
function adviseOnSlack({ pageBytes, anonymousBytes }: SnapshotFacts): Advice | undefined {
  const slack = pageBytes - anonymousBytes;
  if (slack < smallBytes || slack < pageBytes * slackShareMax) return undefined;
  return {
    about: "unshare-memory",
    finding: `${size(slack)} of the pages are not anonymous memory: shared memory, or changed pages of mapped files`,
    change:
      "open mapped files read-only (mmap_mode='r', not 'c' or 'r+'), do not write into mapped tensors, and free shared memory (/dev/shm, torch's share_memory_) before setup() ends",
    savesBytes: slack,
  };
}

function adviseOnChangedFiles({ changedFilesBytes }: SnapshotFacts): Advice | undefined {
  if (changedFilesBytes < changedFilesLargeBytes) return undefined;
  return {
    about: "bake-files",
    finding: `${size(changedFilesBytes)} of files that setup() wrote: unpacked for each clone before it starts`,
    change:
      "write them when the image is built (`run:` in cog.yaml, `weights:` for downloads), or remove them before setup() ends",
    savesBytes: changedFilesBytes,
  };
}

function adviseOnGpu({ gpu, key }: Pick<Snapshot, "gpu" | "key">): Advice | undefined {
  if (gpu === undefined && key.gpu === "") return undefined;
  return {
    about: "gpu-memory",
    finding: "the memory of GPUs goes through the host's memory into the snapshot and back",
    change:
      "drop copies of the weights on the host once they are on the device (del the state dict), and free torch's cache with torch.cuda.empty_cache() in a @byom.before_snapshot hook",
  };
}

function size(bytes: number): string {
  return bytes >= 2 ** 30
    ? `${(bytes / 2 ** 30).toFixed(1)} GiB`
    : `${Math.round(bytes / 2 ** 20)} MiB`;
}
