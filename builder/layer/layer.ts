import type { BlobSource, Descriptor, Digest } from "../../registry-client/index.ts";
import { LayerPathError } from "./errors.ts";
import type { FileStamp } from "./file-stamp.ts";
import { readSegments, segmentsSizeBytes } from "./segment.ts";
import type { Segment } from "./segment.ts";
import { encodeTarHeader, tarEnd, tarPadding } from "./tar-header.ts";

/** OCI image-spec 1.1, layer.md: an uncompressed layer, whose digest is its diff ID. */
export const layerMediaType = "application/vnd.oci.image.layer.v1.tar";

/** Raise it when equal input gives other bytes: every remembered digest is forgotten then. */
export const packingVersion = 1;

/** One thing to put into a layer; `path` is the path in the image without the leading slash. */
export type LayerEntry =
  | {
      readonly kind: "file";
      readonly path: string;
      /** Absolute path on this machine. */
      readonly file: string;
      readonly stamp: FileStamp;
      readonly isExecutable: boolean;
    }
  | { readonly kind: "bytes"; readonly path: string; readonly bytes: Buffer }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/**
 * The tar archive of the entries as a list of segments: nothing is read or copied here. Entries are sorted by
 * path and each parent directory stands once, before what is in it.
 * @throws LayerPathError for names that mean "delete" in a layer, or that are not UTF-8.
 */
export function packLayer(entries: readonly LayerEntry[]): Segment[] {
  const writer = createSegmentWriter();
  const directories = new Set<string>();
  for (const entry of entries.toSorted((a, b) => comparePaths(a.path, b.path))) {
    checkPath(entry.path);
    for (const path of parentsOf(entry.path)) {
      if (directories.has(path)) continue;
      directories.add(path);
      writer.add(encodeTarHeader({ kind: "directory", path }));
    }
    appendEntry(writer, entry);
  }
  writer.add(tarEnd);
  return writer.finish();
}

/** A layer whose digest is known: readable from any offset, as often as wanted. */
export function createLayerSource(options: {
  segments: readonly Segment[];
  digest: Digest;
}): BlobSource {
  const descriptor: Descriptor = {
    mediaType: layerMediaType,
    digest: options.digest,
    size: segmentsSizeBytes(options.segments),
  };
  return {
    descriptor,
    open: (request = {}) => readSegments({ segments: options.segments, ...request }),
  };
}

/** Order of UTF-16 code units: the same on every machine and in every locale. */
export function comparePaths(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function appendEntry(writer: SegmentWriter, entry: LayerEntry): void {
  if (entry.kind === "link") {
    writer.add(encodeTarHeader(entry));
    return;
  }
  const sizeBytes = entry.kind === "file" ? entry.stamp.sizeBytes : entry.bytes.length;
  const isExecutable = entry.kind === "file" && entry.isExecutable;
  writer.add(encodeTarHeader({ kind: "file", path: entry.path, sizeBytes, isExecutable }));
  if (entry.kind === "bytes") writer.add(entry.bytes);
  else if (sizeBytes > 0) writer.addFile({ path: entry.file, stamp: entry.stamp });
  writer.add(tarPadding(sizeBytes));
}

interface SegmentWriter {
  add(bytes: Buffer): void;
  addFile(file: { readonly path: string; readonly stamp: FileStamp }): void;
  finish(): Segment[];
}

/** Neighbouring buffers become one segment, so that a thousand small files are two thousand reads, not four. */
function createSegmentWriter(): SegmentWriter {
  const segments: Segment[] = [];
  let pending: Buffer[] = [];
  const flush = (): void => {
    const bytes = Buffer.concat(pending);
    if (bytes.length > 0) segments.push({ kind: "buffer", bytes });
    pending = [];
  };
  return {
    add: (bytes) => void pending.push(bytes),
    addFile: (file) => {
      flush();
      segments.push({ kind: "file", ...file });
    },
    finish: () => {
      flush();
      return segments;
    },
  };
}

function parentsOf(path: string): string[] {
  const names = path.split("/").slice(0, -1);
  return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

function checkPath(path: string): void {
  if (path.includes("\u{FFFD}"))
    throw new LayerPathError({
      path,
      problem: "its name is not valid UTF-8",
      hint: "rename the file, or list it in .dockerignore",
    });
  if (path.split("/").some((name) => name.startsWith(".wh.")))
    throw new LayerPathError({
      path,
      problem: "names that start with .wh. mean deletion there",
      hint: "rename the file, or list it in .dockerignore",
    });
}
