import type { GatewayError } from "../errors.ts";
import type { Run } from "../prediction/run.ts";
import type { StreamEvent } from "../stream/event.ts";
import type { FrameRenderer } from "../stream/follow.ts";
import type { StreamShape } from "../stream/shape.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";
import { MessageBlocks, type BlockPlace } from "./message-blocks.ts";
import { isTakeOver, wireNotice } from "./take-over-frames.ts";

/** Writes the events of an upstream that does not speak the caller's shape; `place` where others wrote before it. */
export type RenderOther = (place: BlockPlace | undefined) => FrameRenderer | undefined;

/** Name of such streams where they are kept, and what is kept of how they are written. */
export const rawShapeName = "raw";

export interface RawStream {
  readonly format: WireFormat;
  readonly requestId: string;
  /** How it is written for upstreams of another shape behind the first one. */
  readonly other?: StreamShape;
}

export interface WireFramesOptions {
  readonly run: Run;
  readonly format: WireFormat;
  readonly renderFailure: (failure: GatewayError, position: number) => string;
  readonly renderOther: RenderOther | undefined;
}

/**
 * A stream in its provider's own shape: each event as it came, so that it can be read again byte for byte. When
 * another upstream takes it over, readers are told, and its events follow: as they come where it speaks the same shape,
 * else written in it.
 */
export function wireFrames(options: WireFramesOptions): FrameRenderer {
  return new WireFrames(options);
}

class WireFrames implements FrameRenderer {
  readonly #options: WireFramesOptions;
  readonly #blocks: MessageBlocks | undefined;
  #other: FrameRenderer | undefined;
  #hasSaid = false;

  constructor(options: WireFramesOptions) {
    this.#options = options;
    this.#blocks = options.format === "messages" ? new MessageBlocks() : undefined;
  }

  render(event: StreamEvent): Buffer | string | undefined {
    const { run, renderFailure } = this.#options;
    if (event.kind === "raw") {
      this.#hasSaid = true;
      return this.#blocks === undefined ? event.data : this.#blocks.pass(event.data);
    }
    if (isTakeOver(event)) return this.#turn(event);
    if (event.kind === "output") return this.#write(this.#others(), event);
    const failure = run.outcome?.failure;
    if (event.kind === "error") {
      return failure === undefined ? undefined : renderFailure(failure, event.index);
    }
    if (event.kind !== "completed") return undefined;
    if (failure !== undefined) return renderFailure(failure, event.index);
    return this.#other === undefined ? undefined : this.#write("", event);
  }

  #turn(event: StreamEvent): string {
    const { run, format } = this.#options;
    const kind = event.kind === "restart" ? "restart" : "handover";
    this.#other = undefined;
    const closed = this.#blocks?.turn(kind) ?? "";
    const created = Math.floor(Date.parse(run.createdAt) / 1000);
    return closed + wireNotice(event, { format, runId: run.id, created });
  }

  /** Begins to write for an upstream of another shape; what opens an answer, where nothing has. */
  #others(): string {
    const { renderOther } = this.#options;
    if (this.#other !== undefined) return "";
    const place = this.#hasSaid ? this.#blocks?.place : undefined;
    this.#other = renderOther?.(place);
    const opening = this.#hasSaid ? undefined : this.#other?.opening;
    this.#hasSaid = true;
    return opening?.() ?? "";
  }

  #write(opening: string, event: StreamEvent): string {
    const frames = opening + (this.#other?.render(event) ?? "").toString("utf8");
    this.#blocks?.note(frames);
    return frames;
  }
}
