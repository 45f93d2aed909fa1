import type { Descriptor } from "./oci/descriptor.ts";
import { digestOf } from "./oci/digest.ts";

/**
 * Bytes that can be read again from any offset without a temporary file: a layer made of file segments,
 * a buffer, another registry's blob. Resume, retry and range reads cost nothing because of it.
 */
export interface BlobSource {
  readonly descriptor: Descriptor;
  /** Reads from `offset` (bytes, default 0) to the end. Rejects when the bytes changed since they were hashed. */
  open(options?: {
    readonly offset?: number;
    readonly signal?: AbortSignal;
  }): AsyncIterable<Uint8Array>;
}

/** A blob held in memory, for configs and other small things. */
export function blobFromBytes(
  bytes: Uint8Array,
  options: { readonly mediaType: string; readonly annotations?: Readonly<Record<string, string>> },
): BlobSource {
  return {
    descriptor: {
      mediaType: options.mediaType,
      digest: digestOf(bytes),
      size: bytes.byteLength,
      ...(options.annotations ? { annotations: options.annotations } : {}),
    },
    async *open({ offset = 0, signal } = {}) {
      signal?.throwIfAborted();
      if (offset < bytes.byteLength) yield bytes.subarray(offset);
    },
  };
}
