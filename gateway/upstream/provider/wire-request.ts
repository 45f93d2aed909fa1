import type { WireFormat } from "./adapter.ts";

/** A request in a shape that the provider speaks itself: its bytes go out as they are. */
export interface WireRequest {
  readonly format: WireFormat;
  /** With the provider's own name of the model. */
  readonly body: Buffer;
  /** The name in it. */
  readonly model?: string;
  /** The same request with another provider's name of the model. */
  readonly bodyFor?: (model: string) => Buffer;
  readonly isStreamed: boolean;
  /** The usage of the stream was asked for by the gateway, not by the caller, who does not get to see it. */
  readonly hidesUsage: boolean;
  /** Of the caller's headers, those that belong to the shape (`anthropic-version`, …). */
  readonly headers: Readonly<Record<string, string>>;
}
