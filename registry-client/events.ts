import type { Digest } from "./oci/digest.ts";

/** How a blob came to be in the repository. */
export type UploadOutcome = "uploaded" | "mounted" | "skipped";

/** What a registry client reports while it works. Texts that came from the registry have no control characters. */
export type RegistryEvent =
  | {
      readonly type: "layer-upload-start";
      readonly repository: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
    }
  | {
      readonly type: "layer-upload-progress";
      readonly repository: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
      /** Falls back when a try is lost and the registry kept nothing of it. */
      readonly sentBytes: number;
    }
  | {
      readonly type: "layer-upload-end";
      readonly repository: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
      /** All bytes that went over the wire for this blob, repetitions included. */
      readonly sentBytes: number;
      readonly how: UploadOutcome;
    }
  | { readonly type: "stream-upload-start"; readonly repository: string }
  | {
      readonly type: "stream-upload-progress";
      readonly repository: string;
      readonly sentBytes: number;
    }
  | {
      readonly type: "stream-upload-end";
      readonly repository: string;
      readonly digest: Digest;
      readonly sizeBytes: number;
    }
  | {
      readonly type: "request-retry";
      readonly host: string;
      readonly reason: string;
      readonly delayMs: number;
    }
  | { readonly type: "registry-warning"; readonly host: string; readonly text: string };

/** Takes events; it must not throw and must not block. */
export type OnRegistryEvent = (event: RegistryEvent) => void;
