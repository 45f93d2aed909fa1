import { createHash, type Hash } from "node:crypto";
import { pullScope } from "./auth/scope.ts";
import {
  DigestMismatchError,
  RegistryConnectionError,
  RegistryError,
  RegistryResponseError,
} from "./errors.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import { checkRepository } from "./oci/reference.ts";
import type { Transport } from "./transport/client.ts";
import type { ExchangeResponse } from "./transport/exchange.ts";
import { isRetryable } from "./transport/retry.ts";

/** Received bytes that count as progress and reset the number of tries of a download. */
const progressBytes = 1024 * 1024;

/** The size of a blob in bytes, or undefined when the repository lacks it. @throws RegistryError family. */
export async function headBlob(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly digest: Digest;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ readonly sizeBytes: number | undefined } | undefined> {
  const response = await transport.send({
    method: "HEAD",
    url: blobUrl(transport, options.repository, options.digest),
    scopes: [pullScope(options.repository)],
    accept: [200, 404],
    signal: options.signal,
  });
  await response.discard();
  if (response.status === 404) return undefined;
  const length = response.header("content-length");
  return { sizeBytes: length === undefined ? undefined : Number(length) };
}

/**
 * Streams a blob from `offset` (bytes) and resumes by Range when the connection breaks. Size is always checked,
 * the digest when reading from the start; the last chunk is only followed by success when both hold, so whoever
 * reads must discard everything when this throws.
 * @throws DigestMismatchError, RegistryError `size-mismatch` and the rest of the family; the signal's reason.
 */
export async function* getBlob(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly descriptor: Descriptor;
    readonly offset?: number | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): AsyncGenerator<Uint8Array, void, undefined> {
  const { repository, descriptor, signal } = options;
  const start = options.offset ?? 0;
  const hash = start === 0 ? createHash("sha256") : undefined;
  const state = { position: start, acceptsRanges: true };
  let failures = 0;
  let lastProgress = start;
  while (state.position < descriptor.size || state.position === 0) {
    try {
      yield* readOnce(transport, { repository, descriptor, signal, state, hash });
      if (state.position === descriptor.size) break;
      throw truncated(transport, descriptor, state.position);
    } catch (error) {
      signal?.throwIfAborted();
      if (!isRetryable(error)) throw error;
      failures = state.position - lastProgress >= progressBytes ? 1 : failures + 1;
      lastProgress = state.position;
      if (failures >= transport.policy.tries) throw error;
      await transport.backOff({ host: transport.registry.host, failures, reason: error, signal });
    }
  }
  checkDigest(hash, descriptor, repository);
}

export function blobUrl(transport: Transport, repository: string, digest: Digest): URL {
  return transport.address(`${checkRepository(repository)}/blobs/${digest}`);
}

interface Download {
  readonly repository: string;
  readonly descriptor: Descriptor;
  readonly signal: AbortSignal | undefined;
  readonly hash: Hash | undefined;
  readonly state: { position: number; acceptsRanges: boolean };
}

async function* readOnce(
  transport: Transport,
  download: Download,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { descriptor, state, hash } = download;
  const response = await transport.send({
    method: "GET",
    url: blobUrl(transport, download.repository, descriptor.digest),
    scopes: [pullScope(download.repository)],
    headers: state.position > 0 && state.acceptsRanges ? { range: `bytes=${state.position}-` } : {},
    accept: [200, 206, 416],
    signal: download.signal,
  });
  let skip = await bytesToSkip(transport, response, state);
  for await (const chunk of response.read()) {
    const fresh = chunk.subarray(Math.min(skip, chunk.byteLength));
    skip -= chunk.byteLength - fresh.byteLength;
    if (fresh.byteLength === 0) continue;
    if (state.position + fresh.byteLength > descriptor.size) throw tooLong(descriptor);
    hash?.update(fresh);
    state.position += fresh.byteLength;
    yield fresh;
  }
}

/** How many leading bytes of an answer we hold already. A range that is not ours is never trusted. */
async function bytesToSkip(
  transport: Transport,
  response: ExchangeResponse,
  state: Download["state"],
): Promise<number> {
  const encoding = response.header("content-encoding");
  if (encoding !== undefined && encoding !== "identity") {
    await response.discard();
    throw new RegistryError({
      code: "protocol",
      message: `${response.url.host} sent a blob with Content-Encoding ${JSON.stringify(encoding)}, which changes its bytes`,
      hint: "turn off compression in the proxy in front of the registry",
    });
  }
  if (response.status === 200) return state.position;
  const range = /^bytes (\d+)-\d+\//.exec(response.header("content-range") ?? "");
  if (response.status === 206 && Number(range?.[1]) === state.position) return 0;
  state.acceptsRanges = false;
  await response.discard();
  throw new RegistryConnectionError({
    host: transport.registry.host,
    message: `${response.url.host} answered a request for bytes from ${state.position} with another range`,
  });
}

function truncated(
  transport: Transport,
  descriptor: Descriptor,
  position: number,
): RegistryConnectionError {
  return new RegistryConnectionError({
    host: transport.registry.host,
    message: `blob ${descriptor.digest} ended after ${position} of ${descriptor.size} bytes`,
  });
}

function tooLong(descriptor: Descriptor): RegistryError {
  return new RegistryError({
    code: "size-mismatch",
    message: `blob ${descriptor.digest} is longer than the ${descriptor.size} bytes of its descriptor`,
    hint: "the registry or a proxy delivers wrong bytes: push the image again",
  });
}

function checkDigest(hash: Hash | undefined, descriptor: Descriptor, repository: string): void {
  if (!hash) return;
  const actual = `sha256:${hash.digest("hex")}`;
  if (actual === descriptor.digest) return;
  throw new DigestMismatchError({
    expected: descriptor.digest,
    actual,
    message: `blob ${descriptor.digest} from ${repository} has the digest ${actual}`,
    hint: "the registry or a proxy delivers wrong bytes: discard them and push the image again",
  });
}

/** Whether a blob is surely there; a registry that will not say counts as no. */
export async function isBlobKnown(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly digest: Digest;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<boolean> {
  try {
    return (await headBlob(transport, options)) !== undefined;
  } catch (error) {
    if (error instanceof RegistryResponseError && error.status !== 401 && !isRetryable(error))
      return false;
    throw error;
  }
}
