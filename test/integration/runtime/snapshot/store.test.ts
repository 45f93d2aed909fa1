// Snapshots on real disks: full ones, ones that lose a bit, and directories that several processes use. If these fail,
// a full disk takes a serving model down, or callers get answers from memory that is not what was captured.
import { execFile, execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { Snapshot } from "../../../../runtime/snapshot/snapshot.ts";
import { findProgram } from "../../../support/registry.ts";
import { SnapshotLab, type Running } from "./snapshot-lab.ts";

const signal = AbortSignal.timeout(280_000);
const root = mkdtempSync(join(tmpdir(), "byom-store-"));
const lab = new SnapshotLab("store");
const skipReason = await lab.skipReason(join(root, "probe"));
if (skipReason !== undefined) console.log(`skipped: snapshots on real disks: ${skipReason}`);
const lacking = ["mkfs.ext4", "filefrag"].filter((name) => findProgram(name) === undefined);
if (lacking.length > 0)
  console.log(`skipped: a bit that flips: not on PATH: ${lacking.join(", ")}`);
const mebibyte = 1 << 20;

function mount(name: string, ...options: readonly string[]): string {
  const path = mkdtempSync(join(root, `${name}-`));
  execFileSync("mount", [...options, path]);
  return path;
}

function visible(directory: string): readonly string[] {
  return readdirSync(directory).filter((name) => name !== ".locks" && name !== "lost+found");
}

describe.skipIf(skipReason !== undefined)("snapshots on real disks", () => {
  const mounted: string[] = [];
  let original: Running;

  beforeAll(async () => {
    original = await lab.start();
  });

  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
    for (const path of mounted) execFileSync("umount", [path]);
    rmSync(root, { recursive: true, force: true });
  });

  it("says what a snapshot holds, and lets only its owner look", async () => {
    const directory = join(root, "facts");
    const snapshotter = await lab.open(directory);
    const key = await lab.key(snapshotter, "sha256:facts");
    const holdsSecrets = ["HF_TOKEN"];
    const { id } = await snapshotter.capture({ ...original, key, holdsSecrets }, { signal });
    const [snapshot] = await snapshotter.list();
    expect(snapshot).toMatchObject({ id, status: "available", holdsSecrets });
    const facts = snapshot?.facts;
    expect(facts?.processes.length).toBeGreaterThanOrEqual(3);
    // The model's 8 MiB of random bytes, and libraries that every process maps.
    expect(facts?.anonymousBytes).toBeGreaterThan(8 * mebibyte);
    expect(facts?.pageBytes).toBeGreaterThan(8 * mebibyte);
    expect(facts?.pageBytes).toBeLessThanOrEqual(snapshot?.sizeBytes ?? 0);
    expect(facts?.fileMappedBytes).toBeGreaterThan(4 * mebibyte);
    expect(facts?.changedFilesBytes).toBeGreaterThan(0);
    expect(facts?.frozenMs).toBeGreaterThan(0);
    expect(facts?.largestMappings[0]?.bytes).toBeGreaterThan(mebibyte);
    expect(
      facts?.processes.find(({ commandLine }) => commandLine.includes("coglet")),
    ).toMatchObject({
      sockets: expect.any(Number),
      threads: expect.any(Number),
    });
    const modes = readdirSync(join(directory, id, "images")).map(
      (name) => statSync(join(directory, id, "images", name)).mode & 0o777,
    );
    expect(new Set(modes)).toEqual(new Set([0o600]));
    expect(statSync(join(directory, id)).mode & 0o777).toBe(0o700);
  });

  it("does not begin on a disk that is too full, and says how much is missing", async () => {
    const directory = mount("small", "-t", "tmpfs", "-o", "size=16m", "tmpfs");
    mounted.push(directory);
    const snapshotter = await lab.open(directory, { diskReserveBytes: 0 });
    const key = await lab.key(snapshotter, "sha256:small");
    const failed = await snapshotter.capture({ ...original, key }, { signal });
    expect(failed).toMatchObject({ status: "failed", mayRetry: true, sizeBytes: 0 });
    expect(failed.reason).toMatch(/^the disk lacks \d+ MiB: \d+ MiB are free/);
    expect(visible(directory)).toEqual([failed.id]);
    expect(await lab.predict(original)).toMatchObject({ restores: 0 });
  });

  it("gives up cleanly when the disk fills up under the dump", async () => {
    const container = lab.docker.getContainer(original.containerId);
    // Memory that belongs to no process: a capture learns of it only while it writes.
    const fill = "head -c 40000000 /dev/urandom > /dev/shm/ballast";
    const command = await container.exec({ Cmd: ["sh", "-c", fill] });
    await command.start({});
    const probe = await lab.open(join(root, "facts"));
    const needed = (await probe.list())[0]?.facts?.anonymousBytes ?? 0;
    const size = `size=${Math.ceil(needed / mebibyte) + 8}m`;
    const directory = mount("filling", "-t", "tmpfs", "-o", size, "tmpfs");
    mounted.push(directory);
    const snapshotter = await lab.open(directory, { diskReserveBytes: 0 });
    const key = await lab.key(snapshotter, "sha256:filling");
    const failed = await snapshotter.capture({ ...original, key }, { signal });
    expect(failed, failed.reason).toMatchObject({ status: "failed", mayRetry: true });
    expect(failed.reason).toMatch(/^the disk lacks .*; writing about \d+ MiB filled it/);
    expect(visible(directory)).toEqual([failed.id]);
    expect(readdirSync(join(directory, failed.id))).toEqual(["snapshot.json"]);
    expect(await lab.predict(original)).toMatchObject({ restores: 0 });
    await (await container.exec({ Cmd: ["rm", "/dev/shm/ballast"] })).start({});
    execFileSync("mount", ["-o", "remount,size=1g", directory]);
    expect(await snapshotter.capture({ ...original, key }, { signal })).toMatchObject({
      status: "available",
    });
  });

  it("makes one snapshot where two processes want the same at once", async () => {
    const directory = join(root, "shared");
    const snapshotter = await lab.open(directory);
    const key = await lab.key(snapshotter, "sha256:shared");
    const program = new URL("capture-process.ts", import.meta.url).pathname;
    const capture = async (): Promise<Snapshot> => {
      const words = [program, directory, original.containerId, original.address];
      const { stdout } = await promisify(execFile)(process.execPath, [
        ...words,
        JSON.stringify(key),
      ]);
      return JSON.parse(stdout) as Snapshot;
    };
    const [one, other] = await Promise.all([capture(), capture()]);
    expect(one).toMatchObject({ status: "available" });
    expect(other).toEqual(one);
    expect(visible(directory)).toEqual([one.id]);
    expect(await lab.predict(original)).toMatchObject({ restores: 0 });
  });

  describe.skipIf(lacking.length > 0)("a bit that flips", () => {
    let disk = "";
    let snapshot: Snapshot;
    let pages = "";
    let directory = "";

    beforeAll(async () => {
      disk = join(root, "disk.img");
      execFileSync("truncate", ["-s", "600M", disk]);
      execFileSync("mkfs.ext4", ["-q", "-F", disk]);
      directory = mount("disk", "-o", "loop", disk);
      mounted.push(directory);
      const snapshotter = await lab.open(directory, { diskReserveBytes: 0 });
      const key = await lab.key(snapshotter, "sha256:flip");
      snapshot = await snapshotter.capture({ ...original, key }, { signal });
      expect(snapshot).toMatchObject({ status: "available" });
      const images = join(directory, snapshot.id, "images");
      const [largest] = readdirSync(images)
        .filter((name) => name.startsWith("pages-"))
        .toSorted((a, b) => statSync(join(images, b)).size - statSync(join(images, a)).size);
      pages = join(images, largest ?? "");
    });

    it("on the disk, below the files, is found before the clone takes traffic", async () => {
      execFileSync("sync", ["-f", pages]);
      const extents = execFileSync("filefrag", ["-b4096", "-v", pages], { encoding: "utf8" });
      const block = Number(/^\s*0:\s+0\.\.\s*\d+:\s+(\d+)\.\./m.exec(extents)?.[1]);
      await flip(disk, block * 4096 + 100);
      // Out of the page cache, as after a while; times and size of the file are as they were.
      execFileSync("dd", [`if=${pages}`, "iflag=nocache", "count=0", "status=none"]);
      const snapshotter = await lab.open(directory);
      const containerId = await lab.engine.create(lab.spec(), { signal });
      await snapshotter.prepareRestore({ containerId, snapshot }, { signal });
      await lab.engine.start(containerId, { signal });
      const proof = snapshotter.prove(
        {
          containerId,
          address: (await lab.ready(containerId).catch(() => original)).address,
          snapshot,
          identity: {
            id: "i-000000000000",
            containerId,
            modelId: "test/clone",
            version: 1,
            hostname: "clone",
            start: "restored",
            startedAt: new Date().toISOString(),
            environment: {},
            secrets: {},
          },
        },
        { signal },
      );
      await expect(proof).rejects.toThrow(
        /^the snapshot is damaged: images\/pages-\d+\.img is not what was captured, between bytes 0 and /,
      );
      await flip(disk, block * 4096 + 100);
      execFileSync("dd", [`if=${pages}`, "iflag=nocache", "count=0", "status=none"]);
      expect(await snapshotter.verify(snapshot.id, { signal })).toMatchObject({ damage: [] });
    });

    it("in the file is found before anything reads it, and by a verification", async () => {
      await flip(pages, 5000);
      const snapshotter = await lab.open(directory);
      const containerId = await lab.engine.create(lab.spec(), { signal });
      await expect(
        snapshotter.prepareRestore({ containerId, snapshot }, { signal }),
      ).rejects.toThrow(
        /^the snapshot is damaged: images\/pages-\d+\.img is not what was captured/,
      );
      const { damage } = await snapshotter.verify(snapshot.id, { signal });
      expect(damage).toHaveLength(1);
      expect(await snapshotter.list()).toMatchObject([
        { id: snapshot.id, status: "failed", reason: expect.stringContaining("is damaged") },
      ]);
      expect(readdirSync(join(directory, snapshot.id))).toEqual(["snapshot.json"]);
      await expect(snapshotter.verify("gone", { signal })).rejects.toThrow("there is no snapshot");
    });
  });
});

async function flip(path: string, at: number): Promise<void> {
  await using file = await open(path, "r+");
  const byte = Buffer.alloc(1);
  await file.read(byte, 0, 1, at);
  byte[0] = (byte[0] ?? 0) ^ 1;
  await file.write(byte, 0, 1, at);
  await file.sync();
}
