/** The pure parts of snapshots. A key that misses a difference restores a program where it crashes. */
import { describe, expect, it } from "vitest";

import type { ContainerSpec } from "../../../../runtime/engine/engine.ts";
import { parseOverlayRoot } from "../../../../runtime/snapshot/changed-files.ts";
import { dumpFailureReasons } from "../../../../runtime/snapshot/dump.ts";
import {
  compatibilityKey,
  explainDifference,
  keyIdentity,
} from "../../../../runtime/snapshot/key.ts";
import { parseOutcome } from "../../../../runtime/snapshot/outcome.ts";

const host = {
  cpuFeatures: "x64-1",
  kernel: "6.1.0",
  criu: "4.2.1",
  ociRuntime: "runc version 1.1.5",
  cgroupVersion: "1",
};
const spec: ContainerSpec = {
  name: "a",
  imageId: "sha256:image",
  labels: { instance: "one" },
  environment: { B: "2", A: "1" },
  mounts: [
    { source: "/z", target: "/weights", isReadOnly: true },
    { source: "/a", target: "/cache", isReadOnly: false },
  ],
  network: "byom",
};
const key = compatibilityKey({ spec, weightsDigest: "sha256:w", host });

describe("the compatibility key", () => {
  it("is the same for what may differ between clones: name, labels, sources of mounts, order", () => {
    const other: ContainerSpec = {
      ...spec,
      name: "b",
      labels: {},
      environment: { A: "1", B: "2" },
      mounts: spec.mounts.toReversed().map((mount) => ({ ...mount, source: "/elsewhere" })),
    };
    expect(compatibilityKey({ spec: other, weightsDigest: "sha256:w", host })).toEqual(key);
  });

  it("has the GPUs as the driver knows them: another driver or model is another key", () => {
    const on = (gpu: string): string =>
      keyIdentity(
        compatibilityKey({ spec: { ...spec, gpus: "all" }, weightsDigest: "sha256:w", host, gpu }),
      );
    expect(on("driver 580.1: L4")).toBe(on("driver 580.1: L4"));
    expect(on("driver 580.1: L4")).not.toBe(on("driver 580.2: L4"));
    // A container without GPUs does not care which the host has.
    expect(
      compatibilityKey({ spec, weightsDigest: "sha256:w", host, gpu: "driver 580.1: L4" }),
    ).toEqual(key);
  });

  it.each([
    ["the image", { ...spec, imageId: "sha256:other" }],
    ["the mounts", { ...spec, mounts: spec.mounts.slice(1) }],
    ["the GPUs", { ...spec, gpus: "all" as const }],
    ["the environment", { ...spec, environment: { A: "1" } }],
    ["a resource limit", { ...spec, memoryBytes: 1 << 30 }],
    ["a resource limit", { ...spec, cpus: 2 }],
  ])("changes with %s", (what, other) => {
    const changed = compatibilityKey({ spec: other, weightsDigest: "sha256:w", host });
    expect(keyIdentity(changed)).not.toBe(keyIdentity(key));
    expect(explainDifference(key, changed).join()).toContain(what);
  });

  it.each(Object.keys(host))("changes with the host's %s", (field) => {
    const changed = { ...key, [field]: "other" };
    expect(keyIdentity(changed)).not.toBe(keyIdentity(key));
    expect(explainDifference(key, changed)).toHaveLength(1);
  });

  it("does not show secrets of the environment", () => {
    const secret = { ...spec, environment: { TOKEN: "r8_secret" } };
    const changed = compatibilityKey({ spec: secret, weightsDigest: "sha256:w", host });
    expect(JSON.stringify(changed)).not.toContain("secret");
    expect(explainDifference(key, changed)).toEqual([
      "the environment or a resource limit changed",
    ]);
  });
});

describe("the wrapper's outcome", () => {
  it("becomes phases", () => {
    const text = "begin 10.00\nsnapshot /s\nfiles 10.02\nrestore 10.50\nresult restored\n";
    expect(parseOutcome(text)).toEqual({
      restored: true,
      phases: [
        { name: "files", ms: 20 },
        { name: "criu", ms: 480 },
      ],
      usesHugePages: false,
    });
  });

  it("becomes a reason with CRIU's words", () => {
    const text =
      "begin 10.00\nsnapshot /s\nfiles 10.02\nrestore 10.10\nreason runc restore failed with exit code 1\n" +
      "detail (00.078649) Error (criu/protobuf.c:72): Unexpected EOF\ndetail (00.1)     11: Error (criu/files.c:1): no file\n" +
      "result cold\ncold 10.15\n";
    expect(parseOutcome(text)).toEqual({
      restored: false,
      reason: "runc restore failed with exit code 1; Unexpected EOF; no file",
      phases: [
        { name: "files", ms: 20 },
        { name: "criu", ms: 80 },
        { name: "fall-back", ms: 50 },
      ],
      usesHugePages: false,
    });
  });

  it("is no success when it ends early", () => {
    expect(parseOutcome("begin 10.00\nsnapshot /s\n")).toMatchObject({
      restored: false,
      reason: "the OCI runtime did not finish",
    });
  });
});

it("takes CRIU's reasons out of its log, without noise", () => {
  const log = [
    "(00.000001) Version: 4.2.1",
    "(00.001) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
    "(00.012) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.",
    "(00.013) Error (criu/cr-dump.c:1781): Dump files (pid: 12) failed with -1",
    "(00.014) Error (criu/cr-dump.c:2128): Dumping FAILED.",
  ].join("\n");
  expect(dumpFailureReasons(log)).toEqual([
    "Connected TCP socket, consider using --tcp-established option.",
    "Dump files (pid: 12) failed with -1",
  ]);
});

describe("the overlay root", () => {
  it("is found among mounts, with Docker's shortened layers made absolute", () => {
    const mountinfo = [
      "140 90 0:49 / /dev/shm rw - tmpfs shm rw",
      "142 91 0:50 / / rw,relatime master:3 - overlay overlay rw,lowerdir=l/AAA:l/BBB,upperdir=/var/lib/docker/overlay2/f/diff,workdir=/var/lib/docker/overlay2/f/work",
    ].join("\n");
    expect(parseOverlayRoot(mountinfo)).toEqual({
      upper: "/var/lib/docker/overlay2/f/diff",
      lower: ["/var/lib/docker/overlay2/l/AAA", "/var/lib/docker/overlay2/l/BBB"],
    });
  });

  it("of another file system is refused in words", () => {
    expect(() => parseOverlayRoot("142 91 0:50 / / rw - btrfs /dev/sda rw")).toThrow(
      "is no overlay",
    );
  });
});
