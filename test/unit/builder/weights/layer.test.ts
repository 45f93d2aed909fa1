import { expect, test } from "vitest";
import type { PlannedFile } from "../../../../builder/plan/plan.ts";
import { groupWeights, weightLayersMax } from "../../../../builder/weights/layer.ts";

const mib = 1024 ** 2;

function file(path: string, sizeMib: number): PlannedFile {
  return { path, sizeBytes: sizeMib * mib, isExecutable: false };
}

function pathsOf(groups: readonly (readonly PlannedFile[])[]): string[][] {
  return groups.map((group) => group.map(({ path }) => path));
}

test("large files are layers of their own, so that one changed shard moves alone", () => {
  expect(pathsOf(groupWeights([file("b", 64), file("a", 5_000)]))).toEqual([["a"], ["b"]]);
});

test("small files share layers of at most 256 MiB, in the order of their paths", () => {
  const files = ["e", "d", "c", "b", "a"].map((path) => file(path, 63));
  expect(pathsOf(groupWeights(files))).toEqual([["a", "b", "c", "d"], ["e"]]);
});

test("a model of very many shards still fits into the layers that Docker can mount", () => {
  const files = Array.from({ length: 500 }, (_, index) =>
    file(`shard-${String(index).padStart(4, "0")}`, 100),
  );
  const groups = groupWeights(files);
  expect(groups.length).toBeLessThanOrEqual(weightLayersMax);
  expect(groups.flat()).toHaveLength(500);
});

test("no weights, no layers", () => {
  expect(groupWeights([])).toEqual([]);
});
