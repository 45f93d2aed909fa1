/** What a snapshot is on disk. A damaged one must never be restored, and a killed capture must leave nothing. */
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  rm,
  stat,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { findChangedFiles, writeChangedFiles } from "../../../../runtime/snapshot/changed-files.ts";
import { findDamage, recordFiles } from "../../../../runtime/snapshot/digests.ts";
import { SnapshotDirectory, type StoredSnapshot } from "../../../../runtime/snapshot/directory.ts";
import { readAhead } from "../../../../runtime/snapshot/read-ahead.ts";

const signal = new AbortController().signal;
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "byom-snapshot-files-"));
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

function stored(id: string): StoredSnapshot {
  const key = {
    imageId: "sha256:i",
    weightsDigest: "w",
    cpuFeatures: "c",
    kernel: "k",
    criu: "4",
    ociRuntime: "r",
    cgroupVersion: "1",
    gpu: "",
    mounts: ["/w"],
    environment: "e",
  };
  const createdAt = "2026-01-01T00:00:00.000Z";
  const warmUp = { input: { a: 1 }, output: [1] };
  const snapshot = { id, key, status: "available", sizeBytes: 9, createdAt, captureMs: 5, warmUp };
  return { snapshot: snapshot as StoredSnapshot["snapshot"], files: [], helperPids: [7] };
}

describe("the snapshots' directory", () => {
  it("is only its owner's: memory holds secrets", async () => {
    const { path } = await SnapshotDirectory.open(join(root, "snapshots"));
    expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  it("shows a capture only once it is published", async () => {
    const directory = await SnapshotDirectory.open(root);
    const unfinished = await directory.begin("one", "container");
    expect((await stat(unfinished)).mode & 0o777).toBe(0o700);
    await writeFile(join(unfinished, "files.tar"), "x");
    expect(await directory.list()).toEqual([]);
    await directory.publish(unfinished, stored("one"));
    expect(await directory.list()).toMatchObject([stored("one")]);
    expect(await readdir(directory.pathOf("one"))).toEqual(["files.tar", "snapshot.json"]);
  });

  it("names the containers of captures whose process ended, not of those under way", async () => {
    const directory = await SnapshotDirectory.open(root);
    const path = await directory.begin("one", "frozen");
    expect(await directory.abandoned()).toEqual([]);
    // The number is taken by a process that started at another time.
    await writeFile(join(path, "container"), `frozen\n${process.pid}\n1`);
    expect(await directory.abandoned()).toEqual([{ path, containerId: "frozen" }]);
    await writeFile(join(path, "container"), "frozen");
    expect(await directory.abandoned()).toEqual([{ path, containerId: "frozen" }]);
    await rm(join(path, "container"));
    expect(await directory.abandoned()).toEqual([{ path, containerId: undefined }]);
  });

  it("closes a directory that others could look into", async () => {
    await chmod(root, 0o755);
    await SnapshotDirectory.open(root);
    expect((await stat(root)).mode & 0o777).toBe(0o700);
  });

  it("keeps what the record says: facts, secrets, failures", async () => {
    const directory = await SnapshotDirectory.open(root);
    const one = stored("one");
    const facts = {
      pageBytes: 1,
      anonymousBytes: 2,
      fileMappedBytes: 3,
      changedFilesBytes: 4,
      processes: [],
      largestMappings: [{ name: "[heap]", bytes: 2 }],
      frozenMs: 5.5,
    };
    const snapshot = { ...one.snapshot, facts, holdsSecrets: ["HF_TOKEN"], failures: 2 };
    await directory.publish(await directory.begin("one", "c"), { ...one, snapshot });
    expect(await directory.read("one")).toMatchObject({ snapshot });
  });

  it("keeps of a retired one only its record and the reason", async () => {
    const directory = await SnapshotDirectory.open(root);
    const unfinished = await directory.begin("one", "c");
    await mkdir(join(unfinished, "images"));
    await directory.publish(unfinished, stored("one"));
    await directory.retire(stored("one"), "failed", "it broke");
    expect(await readdir(directory.pathOf("one"))).toEqual(["snapshot.json"]);
    const [found] = await directory.list();
    expect(found?.snapshot).toMatchObject({ status: "failed", reason: "it broke", sizeBytes: 0 });
  });

  it("takes no record that is broken, or lies under another name", async () => {
    const directory = await SnapshotDirectory.open(root);
    await directory.publish(await directory.begin("one", "c"), stored("one"));
    await mkdir(join(root, "two"));
    await writeFile(
      join(root, "two/snapshot.json"),
      JSON.stringify({ format: 1, ...stored("one") }),
    );
    await mkdir(join(root, "three"));
    await writeFile(join(root, "three/snapshot.json"), "{");
    expect((await directory.list()).map(({ snapshot }) => snapshot.id)).toEqual(["one"]);
  });
});

describe("damage", () => {
  it("is none in files that nobody touched, or only copied", async () => {
    await mkdir(join(root, "images"));
    await writeFile(join(root, "images/pages-1.img"), "memory");
    const records = await recordFiles(root, signal);
    expect(await findDamage(root, records, signal)).toBeUndefined();
    await rm(join(root, "images/pages-1.img"));
    await writeFile(join(root, "images/pages-1.img"), "memory");
    expect(await findDamage(root, records, signal)).toBeUndefined();
  });

  it("is found by size, by content under equal size and times, and by absence", async () => {
    const file = join(root, "pages-1.img");
    await writeFile(file, "memory");
    const { atime, mtime } = await stat(file);
    const records = await recordFiles(root, signal);
    await writeFile(file, "MEMORY");
    await utimes(file, atime, mtime);
    expect(await findDamage(root, records, signal)).toBe(
      "pages-1.img is not what was captured, between bytes 0 and 6",
    );
    await appendFile(file, "!");
    expect(await findDamage(root, records, signal)).toBe("pages-1.img has 7 bytes instead of 6");
    await rm(file);
    expect(await findDamage(root, records, signal)).toContain("pages-1.img cannot be read");
  });
});

describe("changed files", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  it("are written ones without sockets; a file over a directory of the image replaces it", async () => {
    const upper = join(root, "upper");
    const lower = join(root, "lower");
    await mkdir(join(upper, "etc"), { recursive: true });
    await mkdir(join(lower, "etc/was-directory"), { recursive: true });
    await writeFile(join(upper, "etc/was-directory"), "file");
    await writeFile(join(upper, "etc/line\nbreak"), "");
    server = createServer().listen(join(upper, "etc/7.sock"));
    await new Promise((resolve) => server?.once("listening", resolve));
    const overlay = { upper, lower: [lower] };
    const files = await findChangedFiles(overlay);
    expect(files).toEqual({
      removed: ["etc/was-directory"],
      written: ["etc", "etc/line\nbreak", "etc/was-directory"],
    });
    await writeChangedFiles(root, overlay, files);
    expect((await readdir(root)).toSorted()).toEqual(["files.tar", "lower", "removed", "upper"]);
  });

  it("of a container that changed nothing make no file", async () => {
    const overlay = { upper: join(root, "upper"), lower: [] };
    await mkdir(overlay.upper);
    await writeChangedFiles(root, overlay, await findChangedFiles(overlay));
    expect(await readdir(root)).toEqual(["upper"]);
  });
});

it("reads ahead what is there, and does not fail a restore over what is not", async () => {
  await writeFile(join(root, "pages-1.img"), "x".repeat(10_000));
  await readAhead([join(root, "pages-1.img")], signal);
  await expect(readAhead([join(root, "gone")], signal)).rejects.toThrow("ENOENT");
});
