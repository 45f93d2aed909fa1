import type { ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import type { Deadlines } from "../limits.ts";
import type { Run } from "../prediction/run.ts";
import { startHeaders, type Headers } from "../http/respond.ts";
import type { StreamEvent } from "./event.ts";

/** How one surface writes a run's events as server-sent events. */
export interface FrameRenderer {
  /** Frames before the first event, such as a role chunk. */
  readonly opening?: () => string;
  /** The bytes of one event; nothing for events that this surface does not show. */
  readonly render: (event: StreamEvent) => Buffer | string | undefined;
}

export interface FollowOptions {
  readonly run: Run;
  readonly response: ServerResponse;
  readonly renderer: FrameRenderer;
  readonly deadlines: Deadlines;
  /** Index of the first event to send; more than 0 when a reader comes back. */
  readonly from?: number;
  /** Which event shows that an answer begins; until then a failure is an HTTP status. */
  readonly commitOn: "output" | "any";
  readonly headers?: Headers;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
}

/**
 * Writes a run's events to a caller as they come. The writer of the log never waits for this reader: what the caller
 * has not taken stays in the log.
 * @throws `GatewayError`, the run's failure, while nothing has been sent yet
 */
export async function follow(options: FollowOptions): Promise<void> {
  const { run, response, renderer, deadlines } = options;
  const detach = run.attach();
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  let keepAlive: NodeJS.Timeout | undefined;
  try {
    const from = options.from ?? 0;
    const isAnswering = from > 0 || (await waitForAnswer(run, { ...options, signal }));
    if (options.signal.aborted) return;
    openStream(options);
    if (from === 0 && renderer.opening !== undefined) response.write(renderer.opening());
    const comment = (): void => {
      if (response.writableNeedDrain) return;
      response.write(run.served === undefined ? ": starting\n\n" : ": keep-alive\n\n");
    };
    if (!isAnswering) comment();
    keepAlive = setInterval(comment, deadlines.keepAliveMs);
    let isComplete = run.log.isEnded && from >= run.log.length;
    for await (const batch of run.log.read({ from, signal })) {
      await write(response, renderBatch(renderer, batch), { ...options, signal });
      keepAlive.refresh();
      isComplete = batch.some(({ kind }) => kind === "completed" || kind === "error");
    }
    // A stream without its last word must not look like a complete one.
    if (isComplete) response.end();
    else response.destroy();
  } finally {
    clearInterval(keepAlive);
    stop.abort();
    detach();
  }
}

/** Resolves with true when the answer begins, with false after `commitMs`. */
async function waitForAnswer(run: Run, options: FollowOptions): Promise<boolean> {
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), options.deadlines.commitMs);
  const signal = AbortSignal.any([options.signal, timeout.signal]);
  try {
    for await (const batch of run.log.read({ from: 0, signal })) {
      if (options.commitOn === "any" && batch.some(({ kind }) => kind !== "error")) return true;
      if (batch.some(({ kind }) => kind === "output")) return true;
    }
  } finally {
    clearTimeout(timer);
  }
  if (run.outcome?.failure !== undefined) throw run.outcome.failure;
  return run.outcome !== undefined;
}

function openStream({ run, response, headers }: FollowOptions): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    // Proxies that buffer would hold the tokens back.
    "x-accel-buffering": "no",
    ...startHeaders(run),
    ...headers,
  });
  response.flushHeaders();
}

function renderBatch(renderer: FrameRenderer, batch: readonly StreamEvent[]): Buffer {
  const frames: Buffer[] = [];
  for (const event of batch) {
    const frame = renderer.render(event);
    if (frame !== undefined) frames.push(typeof frame === "string" ? Buffer.from(frame) : frame);
  }
  return frames.length === 1 ? (frames[0] ?? Buffer.alloc(0)) : Buffer.concat(frames);
}

/** Writes and waits until the caller has taken it; one that takes nothing for long is disconnected. */
async function write(
  response: ServerResponse,
  bytes: Buffer,
  options: FollowOptions,
): Promise<void> {
  if (bytes.length === 0 || response.write(bytes) || response.destroyed) return;
  const { stalledReaderMs } = options.deadlines;
  await new Promise<void>((resolve, reject) => {
    const settle = (finish: () => void) => (): void => {
      clearTimeout(timer);
      response.off("drain", onTaken);
      response.off("close", onTaken);
      finish();
    };
    const onTaken = settle(resolve);
    const onStalled = settle(() => {
      response.destroy();
      reject(new GatewayError("canceled", `The reader took nothing for ${stalledReaderMs} ms.`));
    });
    const timer = setTimeout(onStalled, stalledReaderMs);
    response.on("drain", onTaken);
    response.on("close", onTaken);
  });
}
