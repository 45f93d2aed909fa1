import { pullScope, pushScope } from "./auth/scope.ts";
import { RegistryError } from "./errors.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import { isImageIndex, parseManifest, type ImageIndex } from "./oci/manifest.ts";
import { mediaTypes } from "./oci/media-type.ts";
import { checkRepository } from "./oci/reference.ts";
import type { Transport } from "./transport/client.ts";
import { resolveAddress } from "./transport/redirect.ts";

/** Largest list of referrers that is read, in bytes, per page; the same as for manifests. */
const referrersBytesMax = 4 * 1024 * 1024;
/** Pages that are read; beyond it the registry is going in circles. */
const referrerPagesMax = 1000;

/**
 * Everything that names this digest as its subject (distribution-spec 1.1, "Listing Referrers"), from the API or,
 * where the registry has none, from the tag `sha256-<hex>`.
 * @throws RegistryError family.
 */
export async function listReferrers(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly digest: Digest;
    readonly artifactType?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Descriptor[]> {
  const { artifactType } = options;
  const found =
    (await fromApi(transport, options)) ??
    (await readReferrersTag(transport, options))?.manifests ??
    [];
  // Registries may ignore the filter; then OCI-Filters-Applied is missing. Filtering twice does no harm.
  return found.filter(
    (descriptor) => artifactType === undefined || descriptor.artifactType === artifactType,
  );
}

/** Enters a manifest in its subject's referrers tag, unless it stands there. */
export async function addToReferrersTag(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly subject: Digest;
    readonly descriptor: Descriptor;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { repository, subject, descriptor, signal } = options;
  const current = await readReferrersTag(transport, { repository, digest: subject, signal });
  if (current?.manifests.some(({ digest }) => digest === descriptor.digest)) return;
  const index: ImageIndex = {
    schemaVersion: 2,
    mediaType: mediaTypes.imageIndex,
    ...current,
    manifests: [...(current?.manifests ?? []), descriptor],
  };
  const bytes = Buffer.from(JSON.stringify(index));
  const response = await transport.send({
    method: "PUT",
    url: tagUrl(transport, repository, subject),
    headers: { "content-type": mediaTypes.imageIndex },
    body: {
      sizeBytes: bytes.byteLength,
      isReplayable: true,
      async *open() {
        yield bytes;
      },
    },
    scopes: [pushScope(repository)],
    accept: [200, 201, 202],
    signal,
  });
  await response.discard();
}

/** Undefined when the registry has no such API. */
async function fromApi(
  transport: Transport,
  options: Parameters<typeof listReferrers>[1],
): Promise<Descriptor[] | undefined> {
  const found: Descriptor[] = [];
  let url: URL | undefined = transport.address(
    `${checkRepository(options.repository)}/referrers/${options.digest}`,
  );
  if (options.artifactType !== undefined)
    url.searchParams.set("artifactType", options.artifactType);
  for (let page = 0; url && page < referrerPagesMax; page += 1) {
    const response = await transport.send({
      method: "GET",
      url,
      headers: { accept: mediaTypes.imageIndex },
      scopes: [pullScope(options.repository)],
      accept: [200, 404, 405, 501],
      signal: options.signal,
    });
    const bytes = await response.readUpTo(referrersBytesMax);
    if (response.status !== 200) return undefined;
    found.push(...expectIndex(bytes).manifests);
    const next = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(response.header("link") ?? "")?.[1];
    const base: URL = url;
    url = next === undefined ? undefined : nextOf(transport, base, next);
  }
  return found;
}

function nextOf(transport: Transport, base: URL, address: string): URL | undefined {
  const next = resolveAddress({ address, base, registry: transport.registry, what: "Location" });
  return next.href === base.href || next.host !== transport.registry.host ? undefined : next;
}

async function readReferrersTag(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly digest: Digest;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<ImageIndex | undefined> {
  const response = await transport.send({
    method: "GET",
    url: tagUrl(transport, options.repository, options.digest),
    headers: { accept: mediaTypes.imageIndex },
    scopes: [pullScope(options.repository)],
    accept: [200, 404],
    signal: options.signal,
  });
  const bytes = await response.readUpTo(referrersBytesMax);
  return response.status === 404 ? undefined : expectIndex(bytes);
}

function tagUrl(transport: Transport, repository: string, subject: Digest): URL {
  return transport.address(`${checkRepository(repository)}/manifests/${subject.replace(":", "-")}`);
}

function expectIndex(bytes: Uint8Array): ImageIndex {
  const manifest = parseManifest(bytes);
  if (isImageIndex(manifest)) return manifest;
  throw new RegistryError({
    code: "invalid-manifest",
    message: "the list of referrers is an image, not an index",
    hint: "remove the tag sha256-<hex> of the subject if somebody pushed an image under that name",
  });
}
