import { isTextOutput, outputText } from "../../catalog/schema.ts";
import type { CatalogEntry } from "../../catalog/entry.ts";
import { GatewayError } from "../../errors.ts";
import { isTypedChunk } from "../../chat/chunk.ts";
import type { Call, Services } from "../../http/call.ts";
import { assertMayCall } from "../../keys/authorize.ts";
import type { Run } from "../../prediction/run.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { chunkJson, type StreamEvent } from "../../stream/event.ts";
import { follow, type FrameRenderer } from "../../stream/follow.ts";
import { isTakeOver, readNotice } from "../take-over-frames.ts";
import { inShape, type ShapeRenderer, type ShapeServices } from "../../stream/shape.ts";

/**
 * `GET urls.stream`: the prediction's output as `output`, `error` and `done` events. Ids are positions in the event
 * log, so a reader that comes back with `Last-Event-ID` goes on where it was.
 */
export async function streamPrediction(call: Call, services: Services, id: string): Promise<void> {
  const run = services.runner.findStream(id);
  if (run !== undefined) {
    assertMayCall(call.key, run.entry.id);
    const from = firstWanted(call);
    if (from > 0 && run.outcome !== undefined && from >= run.log.length) {
      sendLastWord(call, run, from);
      return;
    }
    await follow({
      run,
      response: call.response,
      ...inShape(replicateShape, { run, facts: { baseUrl: call.baseUrl }, services }),
      deadlines: services.deadlines,
      from,
      commitOn: "any",
      signal: call.signal,
    });
    return;
  }
  const record = services.predictions.get(id);
  if (record === undefined) throw new GatewayError("not_found", `There is no prediction ${id}.`);
  assertMayCall(call.key, record.model);
  const output = shower(services, { id, baseUrl: call.baseUrl })(record.output);
  replay(call, { ...record, output }, services.catalog.get(record.model));
}

/** Large files go out as URLs, the same ones that the prediction itself shows. */
function shower(
  { files }: ShapeServices,
  { id, baseUrl }: { readonly id: string; readonly baseUrl: string },
): (output: unknown) => unknown {
  return (output) => files.attach(files.detach(output, id), baseUrl);
}

/** A prediction's stream as it can be written again. */
export const replicateShape: ShapeRenderer<{ readonly baseUrl: string }> = {
  name: "replicate",
  create: (run, { baseUrl }, services) =>
    replicateFrames(run.entry, {
      failure: () => run.outcome?.failure,
      show: shower(services, { id: run.id, baseUrl }),
    }),
};

/** Who was cut off between an error and what follows it has only that to read. */
function sendLastWord(call: Call, run: Run, from: number): void {
  call.response.writeHead(200, eventStream);
  const isEndOwed = from === run.log.length && isError(run.outcome?.failure);
  call.response.end(isEndOwed ? doneAfterError(from) : "");
}

const eventStream = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** The frames of Replicate's stream; an `error` is followed by `done`, so every stream has an end. */
function replicateFrames(
  entry: CatalogEntry,
  options: {
    readonly failure: () => GatewayError | undefined;
    readonly show: (output: unknown) => unknown;
  },
): FrameRenderer {
  return {
    render: (event: StreamEvent) => {
      if (event.kind === "output") {
        const chunk: unknown = JSON.parse(chunkJson(event.data).toString("utf8"));
        // A text is printed as it comes: reasoning and tool calls of a chat have no place in it.
        if (isTypedChunk(chunk) && isTextOutput(entry)) return undefined;
        return frame("output", outputText(entry, options.show(chunk)), event.index);
      }
      if (isTakeOver(event))
        return frame(event.kind, JSON.stringify(readNotice(event)), event.index);
      if (event.kind !== "completed" && event.kind !== "error") return undefined;
      return ending(options.failure(), event.index);
    },
  };
}

/** A prediction whose events are gone: its whole output as one event. */
function replay(call: Call, record: PredictionRecord, entry: CatalogEntry | undefined): void {
  const hasOutput = record.output !== undefined && record.output !== null;
  const text =
    entry === undefined ? JSON.stringify(record.output) : outputText(entry, record.output);
  const failure =
    record.status === "canceled" || record.status === "aborted"
      ? new GatewayError("canceled", "The prediction was canceled.")
      : record.error === undefined
        ? undefined
        : new GatewayError("prediction_failed", record.error);
  call.response.writeHead(200, eventStream);
  if (firstWanted(call) === 0 && hasOutput) call.response.write(frame("output", text, 0));
  call.response.end(ending(failure, 1));
}

function ending(failure: GatewayError | undefined, index: number): string {
  if (failure === undefined) return frame("done", "{}", index);
  if (failure.code === "canceled") return frame("done", '{"reason":"canceled"}', index);
  const error = frame("error", JSON.stringify({ detail: failure.message }), index);
  return error + doneAfterError(index + 1);
}

/** It has a position of its own, as a reader may be cut off before it. */
function doneAfterError(index: number): string {
  return frame("done", '{"reason":"error"}', index);
}

function isError(failure: GatewayError | undefined): boolean {
  return failure !== undefined && failure.code !== "canceled";
}

function frame(event: string, data: string, index: number): string {
  const lines = data.split(/\r\n|\n|\r/).map((line) => `data: ${line}`);
  return `event: ${event}\nid: ${index}\n${lines.join("\n")}\n\n`;
}

/** The event after the last one that the reader says it has. */
function firstWanted(call: Call): number {
  const last = call.request.headers["last-event-id"];
  return typeof last === "string" && /^\d{1,15}$/.test(last) ? Number(last) + 1 : 0;
}
