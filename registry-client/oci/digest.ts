/** `sha256:` and 64 hex digits of the bytes as stored (OCI image-spec 1.1, descriptor.md "Digests"). */
export type Digest = `sha256:${string}`;
