// A snapshot goes through a real registry to another platform and is restored there. If these fail, snapshots do not
// travel; or worse, they travel with secrets in them, or are taken from whoever can write to the registry.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import {
  blobFromBytes,
  createRegistryClient,
  digestOf,
  isImageIndex,
  pushImage,
  type RegistryClient,
} from "../../../../registry-client/index.ts";
import { recordFiles } from "../../../../runtime/snapshot/digests.ts";
import { SnapshotDirectory } from "../../../../runtime/snapshot/directory.ts";
import { pullSnapshot } from "../../../../runtime/snapshot/transfer/pull.ts";
import { pushSnapshot } from "../../../../runtime/snapshot/transfer/push.ts";
import { SnapshotKeys } from "../../../../runtime/snapshot/transfer/signature.ts";
import type {
  SnapshotPlace,
  TransferEvent,
} from "../../../../runtime/snapshot/transfer/transfer.ts";
import { startRegistry, whyNoRegistry, type TestRegistry } from "../../../support/registry.ts";
import { captureReal, whyNoSnapshots, type RealSnapshot } from "./real-snapshot.ts";
import { inside, tamper, withField } from "./tamper.ts";

const signal = AbortSignal.timeout(170_000);
const skipReason = whyNoRegistry() ?? (await whyNoSnapshots(signal));
if (skipReason !== undefined) console.log(`skipped: travelling snapshots: ${skipReason}`);

let real: RealSnapshot;
let registry: TestRegistry;
let client: RegistryClient;
let home: string;
let source: SnapshotDirectory;
let ours: SnapshotKeys;
let theirs: SnapshotKeys;
let serial = 0;
/** A place with the snapshot as it was captured. */
let shared: SnapshotPlace;

describe.skipIf(skipReason !== undefined)("a snapshot that travels", () => {
  beforeAll(async () => {
    home = await mkdtemp(path.join(tmpdir(), "byom-travel-"));
    registry = await startRegistry();
    client = createRegistryClient({ registry: registry.host, retry: { tries: 2 } });
    real = await captureReal("byom-test-travel", signal);
    expect(real.snapshot).toMatchObject({ status: "available" });
    source = await SnapshotDirectory.open(real.directory);
    ours = await SnapshotKeys.open(path.join(home, "our-keys"));
    theirs = await SnapshotKeys.open(path.join(home, "their-keys"));
    await theirs.trust("ours", ours.own.publicKey);
    shared = await newPlace();
    expect((await push(shared)).skippedBytes).toBe(0);
  }, 120_000);

  afterAll(async () => {
    await real[Symbol.asyncDispose]();
    await client.close();
    await registry[Symbol.asyncDispose]();
    await rm(home, { recursive: true, force: true });
  });

  it("is restored on another platform that trusts its key, and pushed again without a byte", async () => {
    const place = shared;
    const first = await push(place);
    expect(first.uploadedBytes).toBe(0);
    expect(first.skippedBytes).toBeLessThan(real.snapshot.sizeBytes);
    const directory = await emptyDirectory();
    const events: TransferEvent[] = [];
    const pulled = await pull(place, directory, { onEvent: (event) => events.push(event) });
    expect(pulled).toMatchObject({
      isNew: true,
      signedBy: "ours",
      digest: first.digest,
      passedOver: [],
    });
    expect(events.at(-1)).toMatchObject({
      type: "snapshot-pull-end",
      downloadedBytes: first.skippedBytes,
    });
    expect(pulled.snapshot).toEqual(real.snapshot);
    expect(await readdir(directory.path)).toEqual([real.snapshot.id]);
    expect(await real.restoreFrom(directory.path, pulled.snapshot)).toMatchObject({
      restored: true,
      answer: { sum: 42 },
    });
    expect(await pull(place, directory)).toMatchObject({ isNew: false, downloadedBytes: 0 });
  });

  it("is not taken from a key that is not trusted", async () => {
    const keys = await SnapshotKeys.open(path.join(home, "stranger"));
    await expect(pull(shared, await emptyDirectory(), { keys })).rejects.toThrow(
      /which this platform does not trust/,
    );
  });

  it("is not taken unsigned, nor when its description was changed after it was signed", async () => {
    const place = shared;
    const snapshot = await client.referrers(place.repository, place.image);
    const { manifest } = await client.getManifest(place.repository, snapshot[0]?.digest ?? "");
    if (isImageIndex(manifest)) throw new Error("an index");
    const chunks: Uint8Array[] = [];
    for await (const chunk of client.getBlob(place.repository, manifest.config)) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString().replace('"sum":42', '"sum":43');
    const changed = blobFromBytes(Buffer.from(text), { mediaType: manifest.config.mediaType });
    await client.pushBlob(place.repository, changed);
    await republish(place, ({ annotations: _annotations, ...old }) => old);
    await republish(place, (old) => ({ ...old, config: changed.descriptor }));
    await republish(place, (old) => ({ ...old, layers: (old["layers"] as unknown[]).slice(1) }));
    const pulled = await pull(place, await emptyDirectory());
    expect(pulled.passedOver.map(({ reason }) => reason).toSorted()).toEqual([
      "it is not signed",
      "its manifest names other layers than were signed",
      "its signature by ours does not fit",
    ]);
    expect(pulled.snapshot.warmUp).toEqual(real.snapshot.warmUp);
  });

  it("is not taken for another host, and says what differs", async () => {
    const key = { ...real.key, kernel: "5.4.0" };
    await expect(pull(shared, await emptyDirectory(), { key })).rejects.toMatchObject({
      code: "snapshot_not_found",
      message: expect.stringContaining(
        `the kernel changed from ${real.key.kernel} to 5.4.0`,
      ) as string,
    });
  });

  it("is refused, and leaves nothing behind, when a trusted key signed images that ask for more", async () => {
    const evil = await SnapshotDirectory.open(path.join(home, "evil"));
    const copy = evil.pathOf(real.snapshot.id);
    await cp(source.pathOf(real.snapshot.id), copy, { recursive: true });
    await tamper(path.join(copy, "images"), "core-1.img", ([core, ...more]) => {
      const thread = inside(core as Buffer, 5);
      const creds = withField(inside(thread, 10), 18, 0n);
      return [withField(core as Buffer, 5, withField(thread, 10, creds)), ...more];
    });
    const stored = await source.read(real.snapshot.id);
    if (stored === undefined) throw new Error("no snapshot");
    const except = ["snapshot.json", "checked"];
    const files = await recordFiles(copy, signal, except);
    await evil.rewrite({ ...stored, files });
    const place = await newPlace();
    await push(place, { directory: evil });
    const directory = await emptyDirectory();
    await expect(pull(place, directory)).rejects.toMatchObject({
      code: "snapshot_refused",
      message: expect.stringContaining("no_new_privs is off") as string,
    });
    expect(await readdir(directory.path)).toEqual([]);
  });

  it("is refused when a byte of a layer was flipped on the registry's disk", async () => {
    const place = shared;
    const { digest } = await push(place);
    const { manifest } = await client.getManifest(place.repository, digest);
    if (isImageIndex(manifest)) throw new Error("an index");
    const layer = manifest.layers.at(-1)?.digest.slice("sha256:".length) ?? "";
    const blob = path.join(await storageOf(), "blobs/sha256", layer.slice(0, 2), layer, "data");
    const bytes = await readFile(blob);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
    await writeFile(blob, bytes);
    const directory = await emptyDirectory();
    try {
      await expect(pull(place, directory)).rejects.toThrow(/is not what was signed|has the digest/);
      expect(await directory.list()).toEqual([]);
    } finally {
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      await writeFile(blob, bytes);
    }
    // What had arrived is not fetched again.
    const pulled = await pull(place, directory);
    const totalBytes = manifest.layers.reduce((sum, { size }) => sum + size, 0);
    expect(pulled.downloadedBytes).toBeLessThanOrEqual(totalBytes);
    expect(await directory.list()).toHaveLength(1);
  });

  it("goes on where an interrupted push and pull ended", async () => {
    const place = await newPlace();
    const cut = new AbortController();
    const attempt = push(place, {
      signal: cut.signal,
      onEvent: (event) => {
        if (event.type === "snapshot-push-progress" && event.chunksDone === 1)
          cut.abort(new Error("cut"));
      },
    });
    await expect(attempt).rejects.toThrow("cut");
    const rest = await push(place);
    expect(rest.skippedBytes).toBeGreaterThan(0);
    const directory = await emptyDirectory();
    const broken = new AbortController();
    const total = rest.uploadedBytes + rest.skippedBytes;
    const onEvent = (event: TransferEvent): void => {
      if (event.type === "snapshot-pull-progress" && event.downloadedBytes > total / 2)
        broken.abort(new Error("cut"));
    };
    await expect(pull(place, directory, { signal: broken.signal, onEvent })).rejects.toThrow("cut");
    expect(await directory.list()).toEqual([]);
    expect((await pull(place, directory)).downloadedBytes).toBeLessThan(total);
    expect(await directory.list()).toHaveLength(1);
  });

  it("stays where it is while it holds secrets", async () => {
    const stored = await source.read(real.snapshot.id);
    if (stored === undefined) throw new Error("no snapshot");
    const place = await newPlace();
    await source.rewrite({
      ...stored,
      snapshot: { ...stored.snapshot, holdsSecrets: ["HF_TOKEN"] },
    });
    try {
      await expect(push(place)).rejects.toMatchObject({
        code: "snapshot_refused",
        message: "the snapshot holds secrets in its memory: HF_TOKEN",
      });
    } finally {
      await source.rewrite(stored);
    }
    expect(await client.referrers(place.repository, place.image)).toEqual([]);
  });
});

/** An image of its own, so that it has no other snapshots. */
async function newPlace(): Promise<SnapshotPlace> {
  const repository = `travel/model-${(serial += 1)}`;
  const config = {
    architecture: "amd64",
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: [] },
  };
  const configBytes = Buffer.from(JSON.stringify(config));
  const { digest } = await pushImage({ client, repository, configBytes, layers: [] });
  return { client, repository, image: digest };
}

async function emptyDirectory(): Promise<SnapshotDirectory> {
  return await SnapshotDirectory.open(await mkdtemp(path.join(home, "directory-")));
}

async function push(
  place: SnapshotPlace,
  changes: Partial<Parameters<typeof pushSnapshot>[0]> = {},
): ReturnType<typeof pushSnapshot> {
  const snapshotId = real.snapshot.id;
  return await pushSnapshot({
    directory: source,
    snapshotId,
    place,
    keys: ours,
    signal,
    ...changes,
  });
}

async function pull(
  place: SnapshotPlace,
  directory: SnapshotDirectory,
  changes: Partial<Parameters<typeof pullSnapshot>[0]> = {},
): ReturnType<typeof pullSnapshot> {
  return await pullSnapshot({ directory, place, key: real.key, keys: theirs, signal, ...changes });
}

/** Puts a changed copy of the snapshot's manifest beside it, as somebody with access to the registry would. */
async function republish(
  { repository, image }: SnapshotPlace,
  change: (manifest: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const [snapshot] = await client.referrers(repository, image);
  const { bytes, mediaType } = await client.getManifest(repository, snapshot?.digest ?? "");
  const changed = change(JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>);
  const text = Buffer.from(JSON.stringify(changed));
  await client.putManifest(repository, digestOf(text), text, mediaType);
}

async function storageOf(): Promise<string> {
  const names = await readdir(registry.directory, { recursive: true });
  const found = names.find((name) => name.endsWith("docker/registry/v2"));
  return path.join(registry.directory, found ?? "");
}
