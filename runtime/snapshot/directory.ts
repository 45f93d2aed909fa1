import { randomBytes } from "node:crypto";
import {
  chmod,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { join } from "node:path";

import { z } from "zod";

import { fileRecordSchema, type FileRecord } from "./digests.ts";
import { identifyProcess, isRunning } from "./process-identity.ts";
import type { CompatibilityKey, Snapshot } from "./snapshot.ts";

/** A snapshot as it lies on disk: `snapshot.json` beside `images/`, `files.tar` and `removed`. */
export interface StoredSnapshot {
  readonly snapshot: Snapshot;
  readonly files: readonly FileRecord[];
  /** Python processes that answered at the capture, by their PID in the container; all must answer after a restore. */
  readonly helperPids: readonly number[];
}

const keySchema: z.ZodType<CompatibilityKey> = z.object({
  imageId: z.string(),
  weightsDigest: z.string(),
  cpuFeatures: z.string(),
  kernel: z.string(),
  criu: z.string(),
  ociRuntime: z.string(),
  cgroupVersion: z.string(),
  gpu: z.string(),
  mounts: z.array(z.string()),
  environment: z.string(),
});

const bytes = z.number().int().nonnegative();

const factsSchema = z.object({
  pageBytes: bytes,
  anonymousBytes: bytes,
  fileMappedBytes: bytes,
  changedFilesBytes: bytes,
  processes: z.array(
    z.object({
      pid: z.number().int(),
      commandLine: z.string(),
      anonymousBytes: bytes,
      fileMappedBytes: bytes,
      openFiles: z.number().int(),
      sockets: z.number().int(),
      threads: z.number().int(),
    }),
  ),
  largestMappings: z.array(z.object({ name: z.string(), bytes })),
  frozenMs: z.number(),
});

const gpuSchema = z.object({
  facts: z.object({
    driver: z.string(),
    devices: z.array(
      z.object({
        index: z.number().int(),
        uuid: z.string(),
        model: z.string(),
        memoryBytes: bytes,
        isMig: z.boolean(),
      }),
    ),
  }),
  processes: z.array(z.object({ pid: z.number().int(), deviceBytes: bytes })),
  ms: z.number(),
});

const storedSchema = z.object({
  format: z.literal(1),
  snapshot: z.object({
    id: z.string().regex(/^[a-z0-9-]+$/),
    key: keySchema,
    status: z.enum(["pending", "available", "failed", "expired"]),
    reason: z.string().optional(),
    sizeBytes: z.number(),
    createdAt: z.string(),
    captureMs: z.number(),
    warmUp: z
      .object({ input: z.record(z.string(), z.unknown()), output: z.unknown().optional() })
      .optional(),
    facts: factsSchema.optional(),
    holdsSecrets: z.array(z.string()).optional(),
    gpu: gpuSchema.optional(),
    failures: z.number().int().optional(),
    mayRetry: z.boolean().optional(),
  }),
  files: z.array(fileRecordSchema),
  helperPids: z.array(z.number()),
});

const recordFile = "snapshot.json";
/** What `snapshot.json` says, from text that may come from elsewhere; undefined when it is none. */
export function parseStored(value: unknown): StoredSnapshot | undefined {
  const parsed = storedSchema.safeParse(value);
  return parsed.success ? (parsed.data as StoredSnapshot) : undefined;
}

/** Beginning of the names of captures in progress, which are no snapshots. */
const unfinishedPrefix = ".capture-";
/** Beginning of the names of snapshots that are being removed. */
const removedPrefix = ".removed-";
/** Names the container of an unfinished capture, which is frozen when byom was killed in it, and who captures. */
export const containerFile = "container";

/** A capture whose process ended in the middle of it. */
export interface AbandonedCapture {
  readonly path: string;
  /** Perhaps frozen. */
  readonly containerId: string | undefined;
}

/** The directory of a host's snapshots. They hold a program's whole memory, so only their owner may look. */
export class SnapshotDirectory {
  readonly #path: string;

  private constructor(path: string) {
    this.#path = path;
  }

  static async open(path: string): Promise<SnapshotDirectory> {
    await mkdir(path, { recursive: true, mode: 0o700 });
    await chmod(path, 0o700);
    return new SnapshotDirectory(path);
  }

  get path(): string {
    return this.#path;
  }

  pathOf(snapshotId: string): string {
    return join(this.#path, snapshotId);
  }

  /** Newest first. A directory whose `snapshot.json` cannot be read is no snapshot. */
  async list(): Promise<readonly StoredSnapshot[]> {
    const names = await readdir(this.#path);
    const read = await Promise.all(
      names.filter((name) => !name.startsWith(".")).map((name) => this.read(name)),
    );
    return read
      .filter((stored) => stored !== undefined)
      .toSorted((a, b) => (a.snapshot.createdAt < b.snapshot.createdAt ? 1 : -1));
  }

  async read(snapshotId: string): Promise<StoredSnapshot | undefined> {
    const path = join(this.pathOf(snapshotId), recordFile);
    try {
      const parsed = storedSchema.parse(JSON.parse(await readFile(path, "utf8")));
      return parsed.snapshot.id === snapshotId ? (parsed as StoredSnapshot) : undefined;
    } catch {
      return undefined;
    }
  }

  /** A directory for a capture in progress; {@link publish} or {@link discard} it. */
  async begin(snapshotId: string, containerId: string): Promise<string> {
    const path = join(this.#path, unfinishedPrefix + snapshotId);
    await rm(path, { recursive: true, force: true });
    await mkdir(path, { mode: 0o700 });
    const owner = identifyProcess(process.pid);
    const text = [containerId, owner?.pid, owner?.startTicks].join("\n");
    await writeFile(join(path, containerFile), text, { mode: 0o600 });
    return path;
  }

  /**
   * Makes the capture in progress a snapshot: all of it or nothing, by one rename. Its record is on the disk before;
   * memory may follow later, since a host that lost power reads all content once more before it trusts it.
   */
  async publish(unfinished: string, stored: StoredSnapshot): Promise<void> {
    await writeStored(unfinished, stored);
    await rm(join(unfinished, containerFile), { force: true });
    await synchronize(unfinished);
    await rename(unfinished, this.pathOf(stored.snapshot.id));
    await synchronize(this.#path);
  }

  /** Replaces the record of a snapshot. */
  async rewrite(stored: StoredSnapshot): Promise<void> {
    await writeStored(this.pathOf(stored.snapshot.id), stored);
  }

  async discard(unfinished: string): Promise<void> {
    await rm(unfinished, { recursive: true, force: true });
  }

  /** Captures in progress whose process is gone, and what was left of a removal; those of living processes are theirs. */
  async abandoned(): Promise<readonly AbandonedCapture[]> {
    const names = await readdir(this.#path);
    const found: AbandonedCapture[] = [];
    for (const name of names) {
      const path = join(this.#path, name);
      if (name.startsWith(removedPrefix)) found.push({ path, containerId: undefined });
      if (!name.startsWith(unfinishedPrefix)) continue;
      const text = await readFile(join(path, containerFile), "utf8").catch(() => "");
      const [containerId = "", pid, startTicks] = text.split("\n");
      if (isRunning({ pid: Number(pid), startTicks: Number(startTicks) })) continue;
      found.push({ path, containerId: containerId === "" ? undefined : containerId });
    }
    return found;
  }

  /** Marks it and drops its memory image: what failed once is not tried again, only remembered with its reason. */
  async retire(
    stored: StoredSnapshot,
    status: "failed" | "expired",
    reason: string,
    facts: Pick<Snapshot, "failures" | "mayRetry"> = {},
  ): Promise<void> {
    const path = this.pathOf(stored.snapshot.id);
    const snapshot = { ...stored.snapshot, ...facts, status, reason, sizeBytes: 0 };
    await writeStored(path, { ...stored, snapshot, files: [] });
    const names = await readdir(path);
    for (const name of names.filter((candidate) => candidate !== recordFile)) {
      await rm(join(path, name), { recursive: true, force: true });
    }
  }

  /** It is no snapshot any more as soon as this begins, however long its files take. */
  async remove(snapshotId: string): Promise<void> {
    const doomed = `${removedPrefix}${snapshotId}-${randomBytes(4).toString("hex")}`;
    const path = join(this.#path, doomed);
    await rename(this.pathOf(snapshotId), path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
    });
    await rm(path, { recursive: true, force: true });
  }

  /** Remembers a use, for the order in which snapshots make room. */
  async touch(snapshotId: string): Promise<void> {
    const now = new Date();
    await utimes(this.pathOf(snapshotId), now, now);
  }

  /** Milliseconds since the epoch. */
  async lastUsedMs(snapshotId: string): Promise<number> {
    return await stat(this.pathOf(snapshotId)).then(
      (facts) => facts.mtimeMs,
      () => 0,
    );
  }
}

async function writeStored(directory: string, stored: StoredSnapshot): Promise<void> {
  const path = join(directory, recordFile);
  const text = `${JSON.stringify({ format: 1, ...stored }, null, 2)}\n`;
  await writeFile(`${path}.new`, text, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

/** Names in a directory survive a loss of power after this (fsync(2)). */
async function synchronize(directory: string): Promise<void> {
  await using handle = await open(directory);
  await handle.sync();
}
