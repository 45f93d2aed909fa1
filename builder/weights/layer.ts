import { comparePaths } from "../layer/layer.ts";
import type { PlannedFile } from "../plan/plan.ts";

/** A file of at least this size is a layer of its own: changed alone, uploaded alone, resumed alone. */
export const ownLayerBytesMin: number = 64 * 1024 ** 2;

/** Smaller files share a layer up to this size, so that one change does not move gigabytes. */
export const bundleBytesMax: number = 256 * 1024 ** 2;

/** Docker's overlay2 mounts at most 128 layers; the environment and the code need their share. */
export const weightLayersMax = 64;

/**
 * Which weight files make up which layer, in the order of their paths. The same files always give the same
 * layers; where they would be too many, the limits double until they fit.
 */
export function groupWeights(files: readonly PlannedFile[]): PlannedFile[][] {
  const sorted = files.toSorted((a, b) => comparePaths(a.path, b.path));
  for (let factor = 1; ; factor *= 2) {
    const groups = groupBySize({
      files: sorted,
      ownBytesMin: ownLayerBytesMin * factor,
      bundleBytes: bundleBytesMax * factor,
    });
    if (groups.length <= weightLayersMax) return groups;
  }
}

function groupBySize(options: {
  files: readonly PlannedFile[];
  ownBytesMin: number;
  bundleBytes: number;
}): PlannedFile[][] {
  const groups: PlannedFile[][] = [];
  let bundle: PlannedFile[] | undefined;
  let bundledBytes = 0;
  for (const file of options.files) {
    if (file.sizeBytes >= options.ownBytesMin) {
      groups.push([file]);
      continue;
    }
    if (bundle === undefined || bundledBytes + file.sizeBytes > options.bundleBytes) {
      bundle = [];
      bundledBytes = 0;
      groups.push(bundle);
    }
    bundle.push(file);
    bundledBytes += file.sizeBytes;
  }
  return groups;
}
