import type { ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import { startHeaders, type Headers } from "../http/respond.ts";
import type { Deadlines } from "../limits.ts";
import type { Run } from "../prediction/run.ts";

export interface SendFramesOptions {
  readonly run: Run;
  readonly response: ServerResponse;
  readonly deadlines: Deadlines;
  /** Server-sent events as text; the first one shows that an answer begins, until then a failure is an HTTP status. */
  readonly frames: AsyncGenerator<string, void, void>;
  /** The last frame of a stream that fails on the way. */
  readonly renderFailure: (failure: GatewayError) => string;
  readonly headers?: Headers;
}

/**
 * Writes frames that take work to make (a download, an image's bytes) as a stream that is kept alive; `follow` is for
 * those that are made of an event's bytes alone. A reader that is gone ends the frames.
 * @throws `GatewayError` while nothing has been sent yet
 */
export async function sendFrames(options: SendFramesOptions): Promise<void> {
  const { run, response, frames, deadlines } = options;
  const detach = run.attach();
  let isOpen = false;
  const open = (): void => {
    if (isOpen) return;
    isOpen = true;
    openStream(options);
  };
  const comment = (): void => {
    open();
    if (response.writableNeedDrain) return;
    response.write(`: ${run.wait.comment() ?? "keep-alive"}\n\n`);
  };
  const commit = setTimeout(comment, deadlines.commitMs);
  const keepAlive = setInterval(comment, deadlines.keepAliveMs);
  const unwatch = run.wait.subscribe(() => isOpen && comment());
  try {
    for await (const frame of frames) {
      if (response.destroyed) return;
      open();
      if (!response.write(frame)) await drained(response, deadlines.stalledReaderMs);
    }
    open();
    response.end();
  } catch (error) {
    if (!isOpen) throw error;
    response.end(options.renderFailure(GatewayError.from(error)));
  } finally {
    clearTimeout(commit);
    clearInterval(keepAlive);
    unwatch();
    detach();
  }
}

function openStream({ run, response, headers }: SendFramesOptions): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    // Proxies that buffer would hold the events back.
    "x-accel-buffering": "no",
    ...startHeaders(run),
    ...headers,
  });
  response.flushHeaders();
}

/** Waits until the reader has taken what was written; one that takes nothing for long is disconnected. */
async function drained(response: ServerResponse, stalledReaderMs: number): Promise<void> {
  if (response.destroyed) return;
  await new Promise<void>((resolve) => {
    const onDone = (): void => {
      clearTimeout(timer);
      response.off("drain", onDone);
      response.off("close", onDone);
      resolve();
    };
    const timer = setTimeout(() => response.destroy(), stalledReaderMs);
    response.on("drain", onDone);
    response.on("close", onDone);
  });
}
