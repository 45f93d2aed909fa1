import type { DeployRequest } from "../../../runtime/deployment/deploy.ts";

/** A deploy request for an image whose behaviour the engine knows under `image`. */
export function deployRequest(image: string, more: Partial<DeployRequest> = {}): DeployRequest {
  return {
    modelId: "acme/greeter",
    image: { imageId: image, reference: `registry.test/acme/greeter@sha256:${hex(image)}` },
    weightsDigest: "sha256:none",
    example: { input: { text: "you" } },
    ...more,
  };
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64);
}
