import type { Descriptor } from "./oci/descriptor.ts";

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
