import { z } from "zod";
import { messageOf, RegistryError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import { isDigest } from "./digest.ts";

/** One image or artifact (image-spec 1.1, manifest.md). */
export interface ImageManifest {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Several manifests under one name (image-spec 1.1, image-index.md). */
export interface ImageIndex {
  readonly schemaVersion: 2;
  readonly mediaType?: string;
  readonly artifactType?: string;
  readonly manifests: readonly Descriptor[];
  readonly subject?: Descriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export type Manifest = ImageManifest | ImageIndex;

export function isImageIndex(manifest: Manifest): manifest is ImageIndex {
  return "manifests" in manifest;
}

/** @throws RegistryError `invalid-manifest` when the bytes are not a schema 2 manifest or index. */
export function parseManifest(bytes: Uint8Array): Manifest {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    manifestSchema.parse(value);
    // The value itself, not zod's copy: fields that we do not know must survive.
    return value as Manifest;
  } catch (error) {
    const reason = error instanceof z.ZodError ? z.prettifyError(error) : messageOf(error);
    throw new RegistryError({
      code: "invalid-manifest",
      message: `not an OCI or Docker schema 2 manifest: ${reason}`,
      hint: "push the image again with a current tool; schema 1 images are not supported",
      cause: error,
    });
  }
}

const annotations = z.record(z.string(), z.string()).optional();

const descriptorSchema = z.looseObject({
  mediaType: z.string(),
  digest: z.string().refine(isDigest, "expected sha256:<64 hex digits>"),
  size: z.number().int().nonnegative(),
  annotations,
});

const common = {
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  artifactType: z.string().optional(),
  subject: descriptorSchema.optional(),
  annotations,
};

const manifestSchema = z.union([
  z.looseObject({
    ...common,
    config: descriptorSchema,
    layers: z.array(descriptorSchema),
    manifests: z.undefined().optional(),
  }),
  z.looseObject({ ...common, manifests: z.array(descriptorSchema) }),
]);
