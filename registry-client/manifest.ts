import { pullScope, pushScope, type Scope } from "./auth/scope.ts";
import { DigestMismatchError, RegistryError } from "./errors.ts";
import { digestOf, isDigest, type Digest } from "./oci/digest.ts";
import { parseManifest, type Manifest } from "./oci/manifest.ts";
import { manifestAccept, mediaTypes } from "./oci/media-type.ts";
import { checkRepository, checkTagOrDigest } from "./oci/reference.ts";
import { addToReferrersTag } from "./referrers.ts";
import type { Transport } from "./transport/client.ts";

/** Largest manifest that is read or sent, in bytes: what the spec asks registries to take (4 MiB). */
const manifestBytesMax = 4 * 1024 * 1024;
/** Pages of tags that are read; beyond it the registry is going in circles. */
const tagPagesMax = 10_000;
const tagsPerPage = 1000;
/** Bytes of one page of tags. */
const tagPageBytesMax = 1024 * 1024;

/** A manifest as stored: the bytes are what the digest names. */
export interface FetchedManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly manifest: Manifest;
}

/** What a HEAD says; undefined digest where the registry does not tell it. */
export interface ManifestHead {
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  readonly sizeBytes: number | undefined;
}

interface ManifestAddress {
  readonly repository: string;
  /** A tag or a digest. */
  readonly reference: string;
  readonly signal?: AbortSignal | undefined;
}

/** Undefined when there is no such manifest. @throws RegistryError family. */
export async function headManifest(
  transport: Transport,
  options: ManifestAddress,
): Promise<ManifestHead | undefined> {
  const response = await transport.send({
    method: "HEAD",
    url: manifestUrl(transport, options),
    headers: { accept: manifestAccept },
    scopes: [pullScope(options.repository)],
    accept: [200, 404],
    signal: options.signal,
  });
  await response.discard();
  if (response.status === 404) return undefined;
  const digest = response.header("docker-content-digest") ?? "";
  const length = response.header("content-length");
  return {
    digest: isDigest(digest) ? digest : undefined,
    mediaType: baseMediaType(response.header("content-type")),
    sizeBytes: length === undefined ? undefined : Number(length),
  };
}

/**
 * Reads a manifest and checks it against the digest that was asked for.
 * @throws RegistryError `not-found`, `invalid-manifest`, `too-large`; DigestMismatchError; the rest of the family.
 */
export async function getManifest(
  transport: Transport,
  options: ManifestAddress,
): Promise<FetchedManifest> {
  const response = await transport.send({
    method: "GET",
    url: manifestUrl(transport, options),
    headers: { accept: manifestAccept },
    scopes: [pullScope(options.repository)],
    accept: [200],
    signal: options.signal,
  });
  const bytes = await response.readUpTo(manifestBytesMax + 1);
  if (bytes.byteLength > manifestBytesMax) throw tooLarge(options.reference);
  const digest = digestOf(bytes);
  const expected = isDigest(options.reference) ? options.reference : undefined;
  if (expected !== undefined && digest !== expected)
    throw mismatch(expected, digest, options.repository);
  const manifest = parseManifest(bytes);
  const stated = baseMediaType(response.header("content-type"));
  return {
    bytes,
    digest,
    manifest,
    mediaType: manifest.mediaType ?? stated ?? mediaTypes.imageManifest,
  };
}

/**
 * Stores a manifest under a tag or its digest. Where the registry does not keep referrers by itself, a manifest
 * with a subject is also entered in the subject's referrers tag (distribution-spec 1.1, "Pushing Manifests with Subject").
 * @throws RegistryError family; `MANIFEST_BLOB_UNKNOWN` among the problems when a blob is missing.
 */
export async function putManifest(
  transport: Transport,
  options: ManifestAddress & { readonly bytes: Uint8Array; readonly mediaType: string },
): Promise<{ readonly digest: Digest }> {
  const { bytes, mediaType, repository, reference, signal } = options;
  if (bytes.byteLength > manifestBytesMax) throw tooLarge(reference);
  const manifest = parseManifest(bytes);
  const digest = digestOf(bytes);
  if (isDigest(reference) && reference !== digest) throw mismatch(reference, digest, repository);
  const response = await transport.send({
    method: "PUT",
    url: manifestUrl(transport, options),
    headers: { "content-type": mediaType },
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
  const stored = response.header("docker-content-digest");
  if (stored !== undefined && stored !== digest) throw mismatch(digest, stored, repository);
  if (manifest.subject && response.header("oci-subject") === undefined) {
    await addToReferrersTag(transport, {
      repository,
      subject: manifest.subject.digest,
      descriptor: referrerDescriptor(manifest, { mediaType, digest, size: bytes.byteLength }),
      signal,
    });
  }
  return { digest };
}

/** Removes a tag or, by digest, a manifest. False when it was not there. @throws RegistryError family. */
export async function deleteManifest(
  transport: Transport,
  options: ManifestAddress,
): Promise<boolean> {
  const { repository } = options;
  const scope: Scope = { repository, actions: ["pull", "push", "delete"] };
  const response = await transport.send({
    method: "DELETE",
    url: manifestUrl(transport, options),
    scopes: [scope],
    accept: [200, 202, 204, 404],
    signal: options.signal,
  });
  await response.discard();
  return response.status !== 404;
}

/** All tags of a repository in the registry's order; empty when there is no such repository. */
export async function listTags(
  transport: Transport,
  options: { readonly repository: string; readonly signal?: AbortSignal | undefined },
): Promise<string[]> {
  const tags: string[] = [];
  let url: URL | undefined = transport.address(
    `${checkRepository(options.repository)}/tags/list?n=${tagsPerPage}`,
  );
  for (let page = 0; url && page < tagPagesMax; page += 1) {
    const response = await transport.send({
      method: "GET",
      url,
      scopes: [pullScope(options.repository)],
      accept: [200, 404],
      signal: options.signal,
    });
    const body = await response.readUpTo(tagPageBytesMax);
    if (response.status === 404) return tags;
    tags.push(...parseTags(body));
    url = nextPage(transport, url, response.header("link"));
  }
  return tags;
}

/** The next page of a list (RFC 5988 Link with rel=next); it never leaves the registry. */
function nextPage(transport: Transport, current: URL, link: string | undefined): URL | undefined {
  const target = /<([^>]*)>\s*;[^,]*\brel="?next"?/i.exec(link ?? "")?.[1];
  if (target === undefined || !URL.canParse(target, current.href)) return undefined;
  const next = new URL(target, current);
  if (next.href === current.href || !next.pathname.startsWith("/v2/")) return undefined;
  return new URL(next.pathname + next.search, transport.registry);
}

function manifestUrl(transport: Transport, options: ManifestAddress): URL {
  return transport.address(
    `${checkRepository(options.repository)}/manifests/${checkTagOrDigest(options.reference)}`,
  );
}

function referrerDescriptor(
  manifest: Manifest,
  stored: { readonly mediaType: string; readonly digest: Digest; readonly size: number },
): Parameters<typeof addToReferrersTag>[1]["descriptor"] {
  const artifactType =
    manifest.artifactType ?? ("config" in manifest ? manifest.config.mediaType : undefined);
  return {
    ...stored,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(manifest.annotations ? { annotations: manifest.annotations } : {}),
  };
}

function parseTags(body: Buffer): string[] {
  let value: unknown;
  try {
    value = JSON.parse(body.toString("utf8"));
  } catch {
    throw new RegistryError({ code: "protocol", message: "the list of tags is not JSON" });
  }
  const tags: unknown =
    typeof value === "object" && value !== null && "tags" in value ? value.tags : [];
  return Array.isArray(tags) ? tags.filter((tag) => typeof tag === "string") : [];
}

function baseMediaType(header: string | undefined): string | undefined {
  return header?.split(";")[0]?.trim();
}

function tooLarge(reference: string): RegistryError {
  return new RegistryError({
    code: "too-large",
    message: `manifest ${reference} is larger than ${manifestBytesMax / 1024 / 1024} MiB`,
    hint: "use fewer layers or shorter annotations",
  });
}

function mismatch(expected: Digest, actual: string, repository: string): DigestMismatchError {
  return new DigestMismatchError({
    expected,
    actual,
    message: `manifest ${expected} in ${repository} has the digest ${actual}`,
    hint: "the registry or a proxy changes manifests: push the image again",
  });
}
