import { createHash } from "node:crypto";
import { pushScope } from "./auth/scope.ts";
import { isBlobKnown } from "./blob.ts";
import { RegistryError } from "./errors.ts";
import type { Descriptor } from "./oci/descriptor.ts";
import type { Digest } from "./oci/digest.ts";
import { mediaTypes } from "./oci/media-type.ts";
import type { Transport } from "./transport/client.ts";
import { cancelUpload, openUpload, uploadLocation, withDigest } from "./upload-session.ts";

/** Smallest step in which progress is reported, in bytes. */
const progressStepBytes = 1024 * 1024;

/**
 * Uploads bytes whose digest is known only when they have passed: POST, one PATCH of unknown length, and a PUT
 * that names the digest. Nothing is kept, so a broken stream cannot be resumed: whoever has the bytes tries again.
 * @throws RegistryError family; what the stream throws; the signal's reason.
 */
export async function pushBlobStream(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly stream: AsyncIterable<Uint8Array>;
    readonly mediaType?: string | undefined;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<Descriptor> {
  const { repository, signal } = options;
  const scopes = [pushScope(repository)];
  transport.onEvent({ type: "stream-upload-start", repository });
  const opened = await openUpload(transport, { repository, signal });
  let location = expectLocation(transport, uploadLocation(transport, opened));
  const counted = new CountedStream(options.stream, (sentBytes) => {
    transport.onEvent({ type: "stream-upload-progress", repository, sentBytes });
  });
  try {
    const patched = await transport.send({
      method: "PATCH",
      url: location,
      headers: { "content-type": "application/octet-stream" },
      body: { isReplayable: false, open: () => counted.read() },
      scopes,
      accept: [201, 202, 204],
      signal,
    });
    await patched.discard();
    location = uploadLocation(transport, patched) ?? location;
    const digest = counted.digest();
    await commit(transport, { repository, location, digest, signal });
    const size = counted.sizeBytes;
    transport.onEvent({ type: "stream-upload-end", repository, digest, sizeBytes: size });
    return { mediaType: options.mediaType ?? mediaTypes.layerTar, digest, size };
  } catch (error) {
    await cancelUpload(transport, location, scopes);
    throw error;
  }
}

/** The PUT has no body, so it may be sent again; a lost 201 shows itself in a HEAD. */
async function commit(
  transport: Transport,
  options: {
    readonly repository: string;
    readonly location: URL;
    readonly digest: Digest;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  try {
    const response = await transport.send({
      method: "PUT",
      url: withDigest(options.location, options.digest),
      scopes: [pushScope(options.repository)],
      accept: [201, 204],
      signal: options.signal,
    });
    await response.discard();
  } catch (error) {
    options.signal?.throwIfAborted();
    if (!(error instanceof RegistryError) || !(await isBlobKnown(transport, options))) throw error;
  }
}

/** Hashes and counts what passes. */
class CountedStream {
  sizeBytes = 0;
  readonly #stream: AsyncIterable<Uint8Array>;
  readonly #onProgress: (sentBytes: number) => void;
  readonly #hash = createHash("sha256");

  constructor(stream: AsyncIterable<Uint8Array>, onProgress: (sentBytes: number) => void) {
    this.#stream = stream;
    this.#onProgress = onProgress;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    let reported = 0;
    for await (const chunk of this.#stream) {
      if (chunk.byteLength === 0) continue;
      this.#hash.update(chunk);
      this.sizeBytes += chunk.byteLength;
      yield chunk;
      if (this.sizeBytes - reported < progressStepBytes) continue;
      reported = this.sizeBytes;
      this.#onProgress(reported);
    }
  }

  digest(): Digest {
    return `sha256:${this.#hash.digest("hex")}`;
  }
}

function expectLocation(transport: Transport, location: URL | undefined): URL {
  if (location) return location;
  throw new RegistryError({
    code: "protocol",
    message: `${transport.registry.host} opened an upload without saying where (no Location)`,
  });
}
