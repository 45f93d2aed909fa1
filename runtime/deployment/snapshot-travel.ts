import { isDigest, parseReference, type RegistryClient } from "../../registry-client/index.ts";
import { SnapshotError } from "../errors.ts";
import { SnapshotDirectory } from "../snapshot/directory.ts";
import { SnapshotKeys } from "../snapshot/transfer/signature.ts";
import type { SnapshotPlace } from "../snapshot/transfer/transfer.ts";
import type { Version } from "./version.ts";

/** What a platform needs for snapshots to leave it and to come from elsewhere. */
export interface SnapshotTravel {
  readonly directory: SnapshotDirectory;
  readonly keys: SnapshotKeys;
  /** Speaks to a registry, `host[:port]`, with the credentials that byom has for it. */
  client(registry: string, options: { signal: AbortSignal }): Promise<RegistryClient>;
}

/** @param options.directory the snapshotter's; `keysDirectory` is made with mode 0700. */
export async function openSnapshotTravel(options: {
  readonly directory: string;
  readonly keysDirectory: string;
  readonly client: SnapshotTravel["client"];
}): Promise<SnapshotTravel> {
  return {
    directory: await SnapshotDirectory.open(options.directory),
    keys: await SnapshotKeys.open(options.keysDirectory),
    client: options.client,
  };
}

/**
 * Where snapshots of a version lie: beside its image, or in the repository that a reference names, which then holds
 * the image as well.
 * @throws SnapshotError `snapshot_unavailable` for a version that came from no registry.
 */
export async function findPlace(
  travel: SnapshotTravel,
  input: {
    readonly version: Version;
    readonly reference?: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<SnapshotPlace> {
  const { version, signal } = input;
  const own = parseReference(version.image.reference);
  const place = input.reference === undefined ? own : parseReference(input.reference);
  const image = place.digest ?? own.digest ?? version.digest;
  if (!isDigest(image) || own.digest === undefined) {
    throw new SnapshotError(
      "snapshot_unavailable",
      `${version.modelId} version ${version.number} is in no registry, so its snapshot has no place there`,
      { hint: "`byom push` brings the image to a registry" },
    );
  }
  const client = await travel.client(place.registry, { signal });
  return { client, repository: place.repository, image };
}
