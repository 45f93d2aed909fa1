/** The pure parts of a capture. A failure taken for a lasting one leaves a model cold for ever. */
import { describe, expect, it } from "vitest";

import { SnapshotError } from "../../../../runtime/errors.ts";
import { classifyFailure } from "../../../../runtime/snapshot/capture-failure.ts";
import { parseMappings } from "../../../../runtime/snapshot/count-facts.ts";
import { findSnapshot } from "../../../../runtime/snapshot/find.ts";
import type { CompatibilityKey, Snapshot } from "../../../../runtime/snapshot/snapshot.ts";

describe("a failed capture", () => {
  it.each([
    ["the container could not be frozen: unable to freeze", "passing"],
    ["CRIU cannot dump the container: inet: Can't dump half-closed connection", "passing"],
    ["the container has open connections: 10.0.0.1:4 of process 1 (tini), a caller's", "passing"],
    ["the disk lacks 12 MiB: 3 MiB are free", "resource"],
    ["CRIU cannot dump the container: No space left on device", "resource"],
    ["the container has open connections: 10.0.0.5:5432 of process 7 (python)", "permanent"],
    ["CRIU cannot dump the container: io_uring is not supported", "permanent"],
  ])("%s: %s", (message, kind) => {
    expect(classifyFailure(new SnapshotError("snapshot_capture_failed", message))).toBe(kind);
  });

  it("of a hook is the model's own, whatever it says", () => {
    const error = new SnapshotError("snapshot_hook_failed", "before_snapshot: Timeout");
    expect(classifyFailure(error)).toBe("permanent");
  });
});

describe("a process's memory", () => {
  const block = (header: string, rss: number, anonymous: number): string =>
    `${header}\nSize: 9 kB\nRss:  ${rss} kB\nPss: 1 kB\nAnonymous:  ${anonymous} kB\nSwap: 0 kB`;

  it("is told apart: anonymous, mapped from files, shared", () => {
    const text = [
      block("7f00-7f01 rw-p 00000000 00:00 0", 100, 100),
      block("7f02-7f03 r--p 00001000 fe:00 42                         /w/model.gguf", 60, 20),
      block("7f04-7f05 rw-s 00000000 00:01 9                          /memfd:x (deleted)", 30, 0),
    ].join("\n");
    expect(parseMappings(text)).toEqual([
      { name: "", place: "00:00:0:00000000", anonymousBytes: 102_400, fileMappedBytes: 0 },
      {
        name: "/w/model.gguf",
        place: "fe:00:42:00001000",
        anonymousBytes: 20_480,
        fileMappedBytes: 40_960,
      },
      { name: "/memfd:x", place: "00:01:9:00000000", anonymousBytes: 30_720, fileMappedBytes: 0 },
    ]);
  });
});

describe("the search for a snapshot", () => {
  const key: CompatibilityKey = {
    imageId: "sha256:image",
    weightsDigest: "sha256:weights",
    cpuFeatures: "c",
    kernel: "6.1",
    criu: "4",
    ociRuntime: "r",
    cgroupVersion: "1",
    gpu: "",
    mounts: [],
    environment: "e",
  };
  const snapshot = (id: string, change: Partial<CompatibilityKey>): Snapshot => ({
    id,
    key: { ...key, ...change },
    status: "available",
    sizeBytes: 1,
    createdAt: "",
    captureMs: 1,
  });

  it("tells the fewest differences when none fits", () => {
    const far = snapshot("far", { kernel: "5", criu: "3" });
    const near = snapshot("near", { kernel: "6.0" });
    expect(findSnapshot([far, near], key)).toEqual({
      reason: "no snapshot fits: the kernel changed from 6.0 to 6.1",
    });
  });

  it("takes another model's snapshot for nothing to compare with", () => {
    const other = snapshot("other", { imageId: "sha256:b", weightsDigest: "sha256:other" });
    expect(findSnapshot([other], key)).toEqual({ reason: "no snapshot yet" });
    const weightless = snapshot("none", { imageId: "sha256:b", weightsDigest: "none" });
    expect(findSnapshot([weightless], { ...key, weightsDigest: "none" })).toEqual({
      reason: "no snapshot yet",
    });
  });

  it("names a failed one, for whoever may try again", () => {
    const failed = { ...snapshot("f", {}), status: "failed", reason: "it broke" } as const;
    expect(findSnapshot([failed], key)).toEqual({
      reason: "snapshot failed: it broke",
      failed,
    });
  });
});
