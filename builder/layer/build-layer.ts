import { join } from "node:path";
import type { BlobSource } from "../../registry-client/index.ts";
import type { OnBuilderEvent } from "../events.ts";
import type { PlannedFile } from "../plan/plan.ts";
import type { DigestCache } from "../weights/digest-cache.ts";
import { readStamps } from "./file-stamp.ts";
import { createLayerSource, packLayer } from "./layer.ts";
import type { LayerEntry } from "./layer.ts";
import { hashSegments, segmentsSizeBytes } from "./segment.ts";

/** Progress is told once per this many bytes. */
const progressBytes = 64 * 1024 ** 2;

/**
 * The layer that puts `files` of the repo (and `extra` content) under `root` in the image. A layer whose files
 * did not change since it was hashed is not read.
 * @throws FileChangedError when a file is written meanwhile.
 */
export async function buildLayer(options: {
  /** One line for progress and errors. */
  name: string;
  /** Absolute path of the model repo. */
  directory: string;
  /** Where the files go in the image, without the leading slash, such as `src`. */
  root: string;
  files: readonly PlannedFile[];
  extra?: readonly { readonly path: string; readonly bytes: Buffer }[];
  cache: DigestCache;
  onEvent?: OnBuilderEvent | undefined;
  signal?: AbortSignal | undefined;
}): Promise<BlobSource> {
  const startedAtNs = BigInt(Date.now()) * 1_000_000n;
  const entries = await readEntries(options);
  const segments = packLayer(entries);
  const known = options.cache.find(entries);
  if (known !== undefined) return createLayerSource({ segments, digest: known });

  const { name, onEvent, signal } = options;
  const start = performance.now();
  onEvent?.({ type: "layer-hash-start", layer: name, sizeBytes: segmentsSizeBytes(segments) });
  const digest = await hashSegments({ segments, onBytes: countBytes({ name, onEvent }), signal });
  onEvent?.({ type: "layer-hash-end", layer: name, ms: performance.now() - start });
  options.cache.remember({ entries, digest, startedAtNs });
  return createLayerSource({ segments, digest });
}

async function readEntries(options: {
  directory: string;
  root: string;
  files: readonly PlannedFile[];
  extra?: readonly { readonly path: string; readonly bytes: Buffer }[];
  signal?: AbortSignal | undefined;
}): Promise<LayerEntry[]> {
  const { directory, root, signal } = options;
  const extra = options.extra ?? [];
  const replaced = new Set(extra.map(({ path }) => path));
  const kept = options.files.filter(({ path }) => !replaced.has(path));
  const files = kept.filter(({ linkTarget }) => linkTarget === undefined);
  const stamps = await readStamps({
    paths: files.map(({ path }) => join(directory, path)),
    signal,
  });
  const stampByPath = new Map(files.map(({ path }, index) => [path, stamps[index]]));
  const planned = kept.map((file): LayerEntry => {
    const path = `${root}/${file.path}`;
    if (file.linkTarget !== undefined) return { kind: "link", path, target: file.linkTarget };
    const stamp = stampByPath.get(file.path);
    if (stamp === undefined) throw new Error(`no stamp was read of ${file.path}`);
    const { isExecutable } = file;
    return { kind: "file", path, file: join(directory, file.path), stamp, isExecutable };
  });
  const added = extra.map(({ path, bytes }): LayerEntry => {
    return { kind: "bytes", path: `${root}/${path}`, bytes };
  });
  return [...planned, ...added];
}

function countBytes(options: {
  name: string;
  onEvent?: OnBuilderEvent | undefined;
}): (bytes: number) => void {
  let total = 0;
  let told = 0;
  return (bytes) => {
    total += bytes;
    if (total - told < progressBytes) return;
    told = total;
    options.onEvent?.({ type: "layer-hash-progress", layer: options.name, bytes: total });
  };
}
