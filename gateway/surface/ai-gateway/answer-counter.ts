import { GatewayError } from "../../errors.ts";
import { eventBytesMax } from "../../limits.ts";
import type { WireFormat } from "../../upstream/provider/adapter.ts";
import { createFrameSplitter, type FrameSplitter } from "../../upstream/provider/frame-splitter.ts";
import { readFrame, usageIn, wireUsage } from "../../upstream/provider/wire-format.ts";

/** A whole answer is kept up to this length for its usage at the end; a longer one is a file, which counts no tokens. */
const countedBytesMax = 4 * 1024 * 1024;

/** Reads along with an answer that passes through, for what it cost and whether it is complete. */
export class AnswerCounter {
  readonly #format: WireFormat | undefined;
  readonly #splitter: FrameSplitter | undefined;
  #body: Buffer[] = [];
  #bytes = 0;
  #isLast = false;
  #failure: GatewayError | undefined;
  /** `input_tokens`, `output_tokens`, … as the provider counted. */
  metrics: Readonly<Record<string, unknown>> = {};

  /** @param format of the answer; undefined for one that the gateway does not know */
  constructor(format: WireFormat | undefined, contentType: string) {
    this.#format = format;
    if (format === undefined || !contentType.startsWith("text/event-stream")) return;
    this.#splitter = createFrameSplitter({
      frameBytesMax: eventBytesMax,
      onFrame: (frame) => this.#take(format, frame),
    });
  }

  push(chunk: Buffer): void {
    if (this.#splitter !== undefined) {
      this.#splitter.push(chunk);
      return;
    }
    this.#bytes += chunk.length;
    if (this.#format === undefined) return;
    if (this.#bytes > countedBytesMax) this.#body = [];
    else this.#body.push(chunk);
  }

  /** The answer has ended. @throws `GatewayError` for a stream that failed, or ended without its last word */
  end(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#splitter !== undefined) {
      if (this.#isLast) return;
      throw new GatewayError(
        "upstream_cut",
        "The provider's stream ended without its final event.",
      );
    }
    if (this.#format === undefined || this.#body.length === 0) return;
    const usage = usageIn(Buffer.concat(this.#body));
    if (usage !== undefined) this.metrics = wireUsage(this.#format, usage);
  }

  #take(format: WireFormat, frame: Buffer): void {
    const read = readFrame(format, frame);
    if (read.metrics !== undefined) this.metrics = { ...this.metrics, ...read.metrics };
    if (read.kind === "last") this.#isLast = true;
    if (read.kind !== "failed") return;
    this.#failure = new GatewayError(
      "upstream_failed",
      `The provider's stream failed: ${read.message}`,
    );
  }
}
