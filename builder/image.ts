import type { BlobSource, Digest } from "../registry-client/index.ts";

/**
 * A built image: config and ordered layers. The environment's layers live in the engine (they leave it once per
 * environment, see push); the weight and code layers are re-readable from the repo's files at any time.
 */
export interface Image {
  /** Local tag, such as `cog-my-model:latest`. */
  readonly name: string;
  /** Digest of the config's bytes, which is Docker's image ID. */
  readonly id: Digest;
  /** The config exactly as hashed: serialized once, never again. */
  readonly configBytes: Buffer;
  readonly environment: Environment;
  /** Weights first, code last. */
  readonly layers: readonly ImageLayer[];
  /** Digest over the weight layers; a snapshot's and a version's key. */
  readonly weightsDigest: Digest;
  readonly labels: Readonly<Record<string, string>>;
}

/** The image that BuildKit made of everything that must execute. */
export interface Environment {
  /** Key over the rendered Dockerfile, the context's files and the platform: unchanged key, no build. */
  readonly key: string;
  /** Tag in the engine, `byom-environment:<key>`. */
  readonly reference: string;
  readonly imageId: Digest;
  readonly diffIds: readonly Digest[];
}

export interface ImageLayer {
  readonly kind: "weights" | "code" | "metadata";
  /** Uncompressed tar: the diff ID is the blob's digest. */
  readonly source: BlobSource;
  /** One line for the image history. */
  readonly createdBy: string;
}
