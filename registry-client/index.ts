export { basicCredentials, loadCredentials } from "./auth/credentials.ts";
export type { Credentials } from "./auth/credentials.ts";
export { Secret } from "./auth/secret.ts";
export { blobFromBytes } from "./blob-source.ts";
export type { BlobSource } from "./blob-source.ts";
export { createRegistryClient } from "./client.ts";
export type { RegistryClient, RegistryClientOptions } from "./client.ts";
export { copyImage } from "./copy.ts";
export type { CopyResult } from "./copy.ts";
export {
  DigestMismatchError,
  RegistryConnectionError,
  RegistryError,
  RegistryResponseError,
  UploadFailedError,
} from "./errors.ts";
export type { RegistryErrorCode, RegistryProblem } from "./errors.ts";
export type { OnRegistryEvent, RegistryEvent, UploadOutcome } from "./events.ts";
export type { FetchedManifest, ManifestHead } from "./manifest.ts";
export type { Descriptor } from "./oci/descriptor.ts";
export { digestOf, isDigest, parseDigest } from "./oci/digest.ts";
export type { Digest } from "./oci/digest.ts";
export { isImageIndex, parseManifest } from "./oci/manifest.ts";
export type { ImageIndex, ImageManifest, Manifest } from "./oci/manifest.ts";
export { mediaTypes } from "./oci/media-type.ts";
export { formatPlatform, parsePlatform } from "./oci/platform.ts";
export type { Platform } from "./oci/platform.ts";
export { formatReference, parseReference } from "./oci/reference.ts";
export type { Reference } from "./oci/reference.ts";
export { pullImage } from "./pull.ts";
export type { PulledImage } from "./pull.ts";
export { pushImage } from "./push.ts";
export type { PushedImage, PushImageOptions, PushLayer } from "./push.ts";
export { proxyFromEnvironment } from "./transport/dispatcher.ts";
export type { ProxySettings } from "./transport/dispatcher.ts";
export type { BlobPush } from "./upload.ts";
