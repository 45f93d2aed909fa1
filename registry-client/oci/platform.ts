import { RegistryError } from "../errors.ts";
import type { Descriptor } from "./descriptor.ts";
import type { ImageIndex } from "./manifest.ts";

/** Where an image runs (image-spec 1.1, image-index.md "platform"). */
export type Platform = NonNullable<Descriptor["platform"]>;

/** Reads `linux/amd64` or `linux/arm64/v8`. @throws RegistryError `invalid-reference`. */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant, ...rest] = text.split("/");
  if (!os || !architecture || rest.length > 0) {
    throw new RegistryError({
      code: "invalid-reference",
      message: `expected a platform os/architecture, found ${JSON.stringify(text)}`,
      hint: "write it like linux/amd64",
    });
  }
  return variant ? { os, architecture, variant } : { os, architecture };
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, platform.variant].filter(Boolean).join("/");
}

/** The first manifest of an index for this platform; a variant counts only where both sides name one. */
export function findPlatform(index: ImageIndex, platform: Platform): Descriptor | undefined {
  return index.manifests.find(
    (candidate) =>
      candidate.platform?.os === platform.os &&
      candidate.platform.architecture === platform.architecture &&
      (platform.variant === undefined ||
        candidate.platform.variant === undefined ||
        candidate.platform.variant === platform.variant),
  );
}
