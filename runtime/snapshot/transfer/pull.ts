import { existsSync } from "node:fs";
import { readFile, rm, statfs } from "node:fs/promises";

import { z } from "zod";

import {
  isImageIndex,
  pullImage,
  type Descriptor,
  type Digest,
} from "../../../registry-client/index.ts";
import { capabilitiesKept } from "../../engine/container-options.ts";
import { NotFoundError, SnapshotError } from "../../errors.ts";
import { recordFiles } from "../digests.ts";
import type { StoredSnapshot } from "../directory.ts";
import { explainDifference, keyIdentity } from "../key.ts";
import { containerBounds, type ContainerBounds } from "../verify/container.ts";
import { refuse } from "../verify/refusal.ts";
import { verifySnapshot } from "../verify/verify.ts";
import {
  annotations,
  documentBytesMax,
  parseDocument,
  snapshotTypes,
  statement,
  type SnapshotDocument,
} from "./document.ts";
import { download, openDownload } from "./download.ts";
import type { TrustedKey } from "./signature.ts";
import type { PassedOver, PulledSnapshot, SnapshotPull } from "./transfer.ts";

/** As many as a host keeps of all models together. */
const bytesMaxDefault: number = 64 * 2 ** 30;
/** Left free on the disk beyond the snapshot itself. */
const diskReserveBytes = 1 << 30;
/** Snapshots of one image are one per kind of host; more are somebody's flood. */
const candidatesMax = 200;

interface Candidate {
  readonly digest: Digest;
  readonly document: SnapshotDocument;
  readonly signedBy: TrustedKey;
}

/**
 * Pulls the snapshot of an image whose compatibility key is this host's, and enters it in the directory, whole or not at
 * all. Its signature is checked before its description is read, the description before a layer is asked for, each
 * layer's digest before it is unpacked, and the whole before it can be restored. An interrupted pull goes on.
 * @throws NotFoundError `snapshot_not_found` when none fits, with the reasons; SnapshotError `snapshot_refused` for one
 * that fits and is not what it must be; RegistryError family; the signal's reason.
 */
export async function pullSnapshot(input: SnapshotPull): Promise<PulledSnapshot> {
  const { directory, onEvent, signal } = input;
  const passedOver: PassedOver[] = [];
  const chosen = await choose(input, passedOver);
  const { digest, document, signedBy } = chosen;
  const { id } = document.stored.snapshot;
  const known = await directory.read(id);
  if (known?.snapshot.status === "available") {
    const facts = { digest, downloadedBytes: 0, isNew: false, signedBy: signedBy.name, passedOver };
    return { snapshot: known.snapshot, ...facts };
  }
  if (known !== undefined) {
    throw new SnapshotError(
      "snapshot_refused",
      `snapshot ${id} ${known.snapshot.status} on this host: ${known.snapshot.reason ?? "unknown"}`,
      { hint: `remove it with \`byom snapshot rm ${id}\` to try it again` },
    );
  }
  const bounds = await readBounds(input);
  await assertRoom(directory.path, document);
  const unfinished = await openDownload(directory.path, digest);
  const { layers } = document;
  const totalBytes = layers.reduce((sum, { size }) => sum + size, 0);
  let downloadedBytes = 0;
  const report = (
    type: "snapshot-pull-start" | "snapshot-pull-progress" | "snapshot-pull-end",
  ): void => onEvent?.({ type, digest, downloadedBytes, totalBytes });
  report("snapshot-pull-start");
  await download(unfinished, document, {
    place: input.place,
    signal,
    onBytes: (bytes) => {
      downloadedBytes += bytes;
      report("snapshot-pull-progress");
    },
  });
  const stored = await admit(unfinished, { document, bounds, input });
  await directory.publish(unfinished, stored);
  report("snapshot-pull-end");
  return {
    snapshot: stored.snapshot,
    digest,
    downloadedBytes,
    isNew: true,
    signedBy: signedBy.name,
    passedOver,
  };
}

/** The newest snapshot that fits; the reasons of the others are collected. */
async function choose(input: SnapshotPull, passedOver: PassedOver[]): Promise<Candidate> {
  const { place, onEvent, signal } = input;
  const { client, repository, image } = place;
  const artifactType = snapshotTypes.artifact;
  const found = await client.referrers(repository, image, { artifactType, signal });
  const fitting: Candidate[] = [];
  for (const { digest } of found.slice(0, candidatesMax)) {
    try {
      fitting.push(await readCandidate(input, digest));
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof SnapshotError)) throw error;
      passedOver.push({ digest, reason: error.message });
      onEvent?.({ type: "snapshot-pass-over", digest, reason: error.message });
    }
  }
  const createdAt = ({ document }: Candidate): string => document.stored.snapshot.createdAt;
  const [newest] = fitting.toSorted((a, b) => (createdAt(a) < createdAt(b) ? 1 : -1));
  if (newest !== undefined) return newest;
  const reasons = passedOver.map(({ digest, reason }) => `${digest.slice(0, 19)}: ${reason}`);
  throw new NotFoundError(
    "snapshot_not_found",
    reasons.length === 0
      ? `${client.registry}/${repository} has no snapshot of the image ${image}`
      : `no snapshot of the image fits this host (${reasons.join("; ")})`,
    { hint: "the model starts cold; `byom snapshot create` captures one here" },
  );
}

/** @throws SnapshotError with the reason why it is passed over. */
async function readCandidate(input: SnapshotPull, digest: Digest): Promise<Candidate> {
  const { place, key, keys, signal } = input;
  const { client, repository, image } = place;
  const { manifest } = await client.getManifest(repository, digest, { signal });
  if (isImageIndex(manifest) || manifest.artifactType !== snapshotTypes.artifact) {
    return refuse("it is no snapshot");
  }
  if (manifest.subject?.digest !== image) refuse("it belongs to another image");
  const { config } = manifest;
  const keyId = manifest.annotations?.[annotations.keyId];
  const signature = manifest.annotations?.[annotations.signature];
  if (keyId === undefined || signature === undefined) return refuse("it is not signed");
  const signedBy = await keys.verify(statement(config.digest, image), { keyId, signature });
  const bytesMax = input.bytesMax ?? bytesMaxDefault;
  const bytes = await readDocument(input, config);
  const document = parseDocument(bytes, { image, bytesMax });
  const isSame =
    document.layers.length === manifest.layers.length &&
    document.layers.every(({ digest: own, size }, at) => {
      const layer = manifest.layers[at];
      return layer?.digest === own && layer.size === size;
    });
  if (!isSame) refuse("its manifest names other layers than were signed");
  const { snapshot } = document.stored;
  if (snapshot.holdsSecrets?.length) refuse("it holds secrets in its memory");
  if (keyIdentity(snapshot.key) !== keyIdentity(key)) {
    throw new SnapshotError(
      "snapshot_unavailable",
      `it is for another host or version: ${explainDifference(snapshot.key, key).join(", ")}`,
    );
  }
  return { digest, document, signedBy };
}

async function readDocument(input: SnapshotPull, config: Descriptor): Promise<Uint8Array> {
  const { client, repository } = input.place;
  if (config.size > documentBytesMax) refuse(`its description has ${config.size} bytes`);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.getBlob(repository, config, { signal: input.signal })) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What a new container of this image has here; the image is named by the digest that the caller gave. */
async function readBounds({ place, key, signal }: SnapshotPull): Promise<ContainerBounds> {
  const { client, repository, image } = place;
  const { configBytes } = await pullImage({ client, repository, reference: image, signal });
  const parsed = configSchema.safeParse(JSON.parse(Buffer.from(configBytes).toString("utf8")));
  const appArmor = await readFile("/sys/module/apparmor/parameters/enabled", "utf8").catch(
    () => "",
  );
  return containerBounds({
    capabilities: capabilitiesKept,
    // The destination comes first; what is said of a mount beyond it is the key's business.
    mounts: key.mounts.map((mount) => mount.split(/[\s:]/)[0] ?? mount),
    user: parsed.data?.config?.User ?? "",
    hasAppArmor: appArmor.startsWith("Y") && existsSync("/etc/apparmor.d"),
  });
}

const configSchema = z.object({ config: z.object({ User: z.string().optional() }).optional() });

/** Verifies what was downloaded; a snapshot that is refused leaves nothing behind. */
async function admit(
  unfinished: string,
  work: {
    readonly document: SnapshotDocument;
    readonly bounds: ContainerBounds;
    readonly input: SnapshotPull;
  },
): Promise<StoredSnapshot> {
  const { document, bounds, input } = work;
  const { stored } = document;
  const { signal } = input;
  const bytesMax = input.bytesMax ?? bytesMaxDefault;
  try {
    const files = await recordFiles(unfinished, signal);
    for (const { path, digest } of stored.files) {
      const own = files.find((file) => file.path === path);
      if (own?.digest !== digest) refuse(`${path} is not what was signed`);
    }
    await verifySnapshot({
      directory: unfinished,
      files: stored.files,
      bounds,
      bytesMax,
      ignored: [],
      signal,
    });
    return { ...stored, files };
  } catch (error) {
    if (error instanceof SnapshotError) await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
}

async function assertRoom(path: string, { stored, layers }: SnapshotDocument): Promise<void> {
  const disk = await statfs(path);
  // Some compressed chunks lie beside what they unpack to.
  const largest = Math.max(...layers.map(({ size }) => size));
  const needed = stored.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 4 * largest);
  const freeBytes = disk.bavail * disk.bsize;
  if (freeBytes >= needed + diskReserveBytes) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  throw new SnapshotError(
    "snapshot_unavailable",
    `the disk has ${mib(freeBytes)} free; the snapshot of ${mib(needed)} must leave ${mib(diskReserveBytes)}`,
    { hint: "remove snapshots or images, or move the data directory to a larger disk" },
  );
}
