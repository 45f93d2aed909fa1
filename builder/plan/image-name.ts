import { basename } from "node:path";

/** Cog's limit for a name that it makes, in characters. */
const nameLengthMax = 30;

/** The image name that Cog gives to a folder without `image:` (`pkg/config/image_name.go`): `cog-` and its letters and digits. */
export function defaultImageName(directory: string): string {
  const prefix = "cog-";
  const name = basename(directory)
    .toLowerCase()
    .replaceAll(" ", "-")
    .replaceAll(/[^a-z0-9-]+/g, "")
    .slice(0, nameLengthMax - prefix.length)
    // A name must end with a letter or digit.
    .replace(/-+$/, "");
  if (name.startsWith(prefix)) return name;
  return `${prefix}${name === "" ? "model" : name}`;
}
