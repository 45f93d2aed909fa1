import type { GatewayError } from "../errors.ts";
import type { Call, Services } from "../http/call.ts";
import type { Run } from "../prediction/run.ts";
import type { FrameRenderer } from "../stream/follow.ts";
import type { ShapeRenderer } from "../stream/shape.ts";
import type { WireFormat } from "../upstream/provider/adapter.ts";
import { failureFrame, messageShape } from "./anthropic/frames.ts";
import { cogShape } from "./cog/predictions.ts";
import { chatShape } from "./openai/chat-frames.ts";
import { renderFailure } from "./openai/chat.ts";
import { completionShape } from "./openai/completions.ts";
import { responseShape } from "./openai/responses/frames.ts";
import { failureEvent } from "./openai/responses/passed.ts";
import { replicateShape } from "./replicate/stream.ts";
import { rawShapeName, wireFrames, type RawStream } from "./wire-frames.ts";
import { workersShape } from "./workers-ai/frames.ts";

/** What passed through in its provider's shape, again. */
const rawShape: ShapeRenderer<RawStream> = {
  name: rawShapeName,
  create: (run, { format, requestId, other }, services) =>
    wireFrames({
      run,
      format,
      renderFailure: (failure, position) => failureIn(format, { failure, position, requestId }),
      renderOther:
        other &&
        ((place) =>
          shapes
            .get(other.name)
            ?.create(run, { ...(other.facts as object), place } as never, services)),
    }),
};

/** A failure in the middle of a stream, in the words of its shape. */
function failureIn(
  format: WireFormat,
  facts: {
    readonly failure: GatewayError;
    readonly position: number;
    readonly requestId: string;
  },
): string {
  const { failure, position, requestId } = facts;
  if (format === "messages") return failureFrame(failure, requestId);
  return format === "responses" ? failureEvent(failure, position) : renderFailure(failure);
}

/** All ways in which streams are written, by the names under which they are kept. */
const shapes: ReadonlyMap<string, ShapeRenderer<never>> = new Map(
  [
    rawShape,
    chatShape,
    completionShape,
    responseShape,
    messageShape,
    workersShape,
    replicateShape,
    cogShape,
  ].map((shape) => [shape.name, shape as ShapeRenderer<never>]),
);

/** How a run's stream was first written, from its beginning; undefined for a run without a stream. */
export function keptRenderer(run: Run, services: Services): FrameRenderer | undefined {
  const { shape } = run;
  return shape && shapes.get(shape.name)?.create(run, shape.facts as never, services);
}

/** A stream that runs or is kept, of this key or for an admin's, and how it is written. */
export function findKept(
  call: Call,
  services: Services,
  runId: string,
): { readonly run: Run; readonly renderer: FrameRenderer } | undefined {
  const run = services.runner.findStream(runId);
  if (run === undefined) return undefined;
  const isMine = run.request.keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
  const renderer = isMine ? keptRenderer(run, services) : undefined;
  return renderer && { run, renderer };
}
