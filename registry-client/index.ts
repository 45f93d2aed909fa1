export type { BlobSource } from "./blob-source.ts";
export type { Descriptor } from "./oci/descriptor.ts";
export type { Digest } from "./oci/digest.ts";
