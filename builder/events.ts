/** What the builder tells while it works; the CLI chooses how to show it. Times in ms, sizes in bytes. */
export type BuilderEvent =
  | { readonly type: "base-image-pull-start"; readonly reference: string }
  | { readonly type: "base-image-pull-end"; readonly reference: string; readonly ms: number }
  | { readonly type: "environment-wait"; readonly reference: string }
  | { readonly type: "environment-start"; readonly reference: string }
  | EnvironmentStepEvent
  | {
      readonly type: "environment-end";
      readonly reference: string;
      readonly ms: number;
      /** The engine had it: nothing was built. */
      readonly isCached: boolean;
    }
  | { readonly type: "layer-hash-start"; readonly layer: string; readonly sizeBytes: number }
  | { readonly type: "layer-hash-progress"; readonly layer: string; readonly bytes: number }
  | { readonly type: "layer-hash-end"; readonly layer: string; readonly ms: number }
  | { readonly type: "image-load-start"; readonly name: string; readonly sizeBytes: number }
  | { readonly type: "image-load-progress"; readonly name: string; readonly bytes: number }
  | {
      readonly type: "image-load-end";
      readonly name: string;
      readonly ms: number;
      /** The engine had exactly this image under this name. */
      readonly isCached: boolean;
    }
  | { readonly type: "schema-ask-start"; readonly questions: readonly string[] }
  | {
      readonly type: "schema-ask-end";
      readonly ms: number;
      /** Why the image could not say it; empty when it did. */
      readonly failures: readonly string[];
    }
  | PushEvent;

export type EnvironmentStepEvent =
  | { readonly type: "environment-step-start"; readonly id: string; readonly name: string }
  | { readonly type: "environment-step-log"; readonly id: string; readonly text: string }
  | {
      readonly type: "environment-step-end";
      readonly id: string;
      readonly name: string;
      readonly ms: number;
      readonly isCached: boolean;
      /** What BuildKit says of a step that failed. */
      readonly error?: string;
    };

/** Beside these, the registry client tells of each upload through its own events. */
export type PushEvent =
  | { readonly type: "environment-export-start"; readonly reference: string }
  | { readonly type: "environment-export-end"; readonly reference: string; readonly ms: number }
  | { readonly type: "image-push-end"; readonly reference: string; readonly ms: number };

export type OnBuilderEvent = (event: BuilderEvent) => void;
