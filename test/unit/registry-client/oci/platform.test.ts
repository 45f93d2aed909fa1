import { expect, test } from "vitest";
import {
  digestOf,
  formatPlatform,
  mediaTypes,
  parsePlatform,
  type Descriptor,
} from "../../../../registry-client/index.ts";
import { findPlatform } from "../../../../registry-client/oci/platform.ts";

function image(name: string, platform?: Descriptor["platform"]): Descriptor {
  const descriptor = { mediaType: mediaTypes.imageManifest, digest: digestOf(name), size: 1 };
  return platform ? { ...descriptor, platform } : descriptor;
}

// The wrong choice is an image that cannot run: "exec format error" after minutes of download.
test("chooses by system and architecture, by variant only where both name one", () => {
  const attestation = image("attestation", { os: "unknown", architecture: "unknown" });
  const amd64 = image("amd64", { os: "linux", architecture: "amd64" });
  const v6 = image("v6", { os: "linux", architecture: "arm", variant: "v6" });
  const v7 = image("v7", { os: "linux", architecture: "arm", variant: "v7" });
  const manifests = [attestation, image("none"), amd64, v6, v7];
  const find = (text: string): Descriptor | undefined =>
    findPlatform({ schemaVersion: 2, manifests }, parsePlatform(text));
  expect(find("linux/amd64")).toBe(amd64);
  expect(find("linux/amd64/v3")).toBe(amd64);
  expect(find("linux/arm/v7")).toBe(v7);
  expect(find("linux/arm")).toBe(v6);
  expect(find("linux/s390x")).toBeUndefined();
  expect(find("windows/amd64")).toBeUndefined();
});

test("what is parsed is written the same again; nonsense is refused", () => {
  expect(formatPlatform(parsePlatform("linux/arm64/v8"))).toBe("linux/arm64/v8");
  for (const text of ["", "linux", "linux/", "a/b/c/d"]) {
    expect(() => parsePlatform(text)).toThrow(
      expect.objectContaining({ code: "invalid-reference" }),
    );
  }
});
