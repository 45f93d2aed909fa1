import type { ServerResponse } from "node:http";

import type { Deadlines } from "../limits.ts";
import type { Run } from "../prediction/run.ts";
import { startHeaders, type Headers } from "../http/respond.ts";
import type { StreamEvent } from "./event.ts";
import { pump } from "./pump.ts";
import { createFrameNumberer, createFrameSkipper } from "./resumable.ts";
import type { StreamShape } from "./shape.ts";

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
  /**
   * Makes the stream resumable: its events are kept, the answer names the run (`cf-aig-run-id`), and the same bytes can
   * be written again for a reader who comes back.
   */
  readonly shape?: StreamShape;
  readonly deadlines: Deadlines;
  /** Index of the first event to send; more than 0 when a reader comes back. */
  readonly from?: number;
  /** Frames that a reader who comes back has already; only together with a renderer that begins at event 0. */
  readonly framesRead?: number;
  /** Gives each frame an `id:` line with its number, from 1: a reader may come back by `Last-Event-ID`. */
  readonly isNumbered?: boolean;
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
  const { run, response, renderer, shape, deadlines, framesRead, signal } = options;
  const skip = framesRead === undefined ? undefined : frameFilter(options, framesRead);
  if (shape !== undefined) run.keep(shape);
  const detach = run.attach();
  try {
    const from = options.from ?? 0;
    const isAnswering = from > 0 || skip !== undefined || (await waitForAnswer(run, options));
    if (signal.aborted) return;
    openStream(options);
    if (from === 0 && renderer.opening !== undefined) {
      const opening = Buffer.from(renderer.opening());
      const unread = skip === undefined ? opening : skip(opening);
      if (unread.length > 0) response.write(unread);
    }
    await pump({
      log: run.log,
      response,
      renderer,
      ...(skip !== undefined && { skip }),
      from,
      isSilent: !isAnswering,
      comment: () => run.wait.comment() ?? (run.served === undefined ? "starting" : "keep-alive"),
      watch: (tell) => run.wait.subscribe(tell),
      isResumable: shape !== undefined || skip !== undefined,
      deadlines,
      signal,
    });
  } finally {
    detach();
  }
}

/** Leaves out what the reader has, and numbers the rest where that is wanted. */
function frameFilter(
  { isNumbered = false }: FollowOptions,
  read: number,
): (bytes: Buffer) => Buffer {
  const skip = createFrameSkipper(read);
  if (!isNumbered) return skip;
  const number = createFrameNumberer(read);
  return (bytes) => number(skip(bytes));
}

/** Resolves with true when the answer begins, with false after `commitMs` or when the caller leaves. */
function waitForAnswer(run: Run, options: FollowOptions): Promise<boolean> {
  const { commitOn, deadlines, signal } = options;
  const { log } = run;
  const isAnswer = ({ kind }: StreamEvent): boolean =>
    kind === "output" || kind === "raw" || (commitOn === "any" && kind !== "error");
  return new Promise((resolve, reject) => {
    let next = 0;
    const settle = (isAnswering: boolean): void => {
      clearTimeout(timer);
      unsubscribe();
      signal.removeEventListener("abort", onAbort);
      const failure = isAnswering ? undefined : run.outcome?.failure;
      if (failure === undefined) resolve(isAnswering || run.outcome !== undefined);
      else reject(failure);
    };
    const look = (): void => {
      const batch = log.peek(next);
      // What has left memory for the file is more than a beginning.
      if (batch === undefined || batch.some(isAnswer)) settle(true);
      else if (log.isEnded) settle(false);
      else next += batch.length;
    };
    const onAbort = (): void => settle(false);
    const timer = setTimeout(() => settle(false), deadlines.commitMs);
    const unsubscribe = log.subscribe(look);
    signal.addEventListener("abort", onAbort, { once: true });
    if (signal.aborted) settle(false);
    else look();
  });
}

function openStream({ run, response, headers }: FollowOptions): void {
  response.writeHead(200, {
    "content-type": "text/event-stream",
    "cache-control": "no-cache",
    // Proxies that buffer would hold the tokens back.
    "x-accel-buffering": "no",
    ...startHeaders(run),
    ...(run.shape !== undefined && { "cf-aig-run-id": run.id }),
    ...headers,
  });
}
