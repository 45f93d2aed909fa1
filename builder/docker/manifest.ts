import { digestOf } from "../../registry-client/index.ts";
import type { Descriptor } from "../../registry-client/index.ts";
import type { Image } from "../image.ts";

/** OCI image-spec 1.1, media-types.md. */
const manifestMediaType = "application/vnd.oci.image.manifest.v1+json";
const configMediaType = "application/vnd.oci.image.config.v1+json";

/** A manifest, serialized once; `descriptor` points at exactly these bytes. */
export interface RenderedManifest {
  readonly bytes: Buffer;
  readonly descriptor: Descriptor;
  readonly config: Descriptor;
}

/** The manifest of the image over `environment`, the environment's layers as they are stored. Pure. */
export function renderManifest(options: {
  image: Image;
  environment: readonly Descriptor[];
}): RenderedManifest {
  const { image } = options;
  const config: Descriptor = {
    mediaType: configMediaType,
    digest: image.id,
    size: image.configBytes.length,
  };
  const layers = [
    ...options.environment.map(toOciDescriptor),
    ...image.layers.map(({ source }) => source.descriptor),
  ];
  const manifest = { schemaVersion: 2, mediaType: manifestMediaType, config, layers };
  const bytes = Buffer.from(JSON.stringify(manifest));
  return {
    bytes,
    config,
    descriptor: { mediaType: manifestMediaType, digest: digestOf(bytes), size: bytes.length },
  };
}

/** Docker's and OCI's media types must not be mixed in one manifest; the bytes are the same. */
function toOciDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  const ociTypes: Readonly<Record<string, string>> = {
    "application/vnd.docker.image.rootfs.diff.tar": "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip":
      "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd":
      "application/vnd.oci.image.layer.v1.tar+zstd",
  };
  return { mediaType: ociTypes[mediaType] ?? mediaType, digest, size };
}
