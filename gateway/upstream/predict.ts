import type { Dispatcher, Pool } from "undici";

import { GatewayError } from "../errors.ts";
import { answerBytesMax, errorBytesMax, eventBytesMax, type Deadlines } from "../limits.ts";
import { isEventKind, type EventKind } from "../stream/event.ts";
import { AnswerClock } from "./answer-clock.ts";
import { translateAnswer, translateFailure } from "./translate.ts";
import { createSseScanner, type SseScanner } from "./sse-scanner.ts";

export interface PredictOptions {
  readonly pool: Pool;
  readonly predictionId: string;
  readonly input: Readonly<Record<string, unknown>>;
  /** Cog's `context`. */
  readonly context?: Readonly<Record<string, unknown>>;
  /** Ask for server-sent events; otherwise the answer comes whole and becomes one output and one completed event. */
  readonly isStreaming: boolean;
  readonly deadlines: Deadlines;
  /** Aborting cuts the connection (a cancel asks the instance first, see `cancelPrediction`). */
  readonly signal: AbortSignal;
  /** The request is on its way: from here on the prediction may have begun. */
  readonly onSend: () => void;
  /** Throwing here cuts the connection with that error. */
  readonly onEvent: (kind: EventKind, data: Buffer) => void;
}

/**
 * Runs one prediction on an instance over Cog's HTTP API. Resolves after its terminal event (`completed` or `error`).
 * @throws `NotBegunError` when it certainly did not begin (busy, not ready, connection refused)
 * @throws `GatewayError`: `upstream_cut`, `upstream_failed`, `upstream_timeout`, `invalid_input`
 */
export function predict(options: PredictOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(options, resolve, reject);
    options.pool.dispatch(
      {
        path: "/predictions",
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: options.isStreaming ? "text/event-stream" : "application/json",
          "accept-encoding": "identity",
        },
        body: JSON.stringify({
          id: options.predictionId,
          input: options.input,
          ...(options.context === undefined ? {} : { context: options.context }),
        }),
        headersTimeout: options.isStreaming ? options.deadlines.firstByteMs : 0,
        bodyTimeout: options.deadlines.idleMs,
      },
      exchange,
    );
  });
}

/** One request and its answer, fed by undici's dispatcher. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #options: PredictOptions;
  readonly #resolve: () => void;
  readonly #reject: (error: unknown) => void;
  readonly #onAbort: () => void;
  #controller: Dispatcher.DispatchController | undefined;
  #clock: AnswerClock | undefined;
  #status = 0;
  #headers: Record<string, string | string[] | undefined> = {};
  #scanner: SseScanner | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #events = 0;
  #isTerminal = false;
  #isSettled = false;

  constructor(options: PredictOptions, resolve: () => void, reject: (error: unknown) => void) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onAbort = () => this.#fail(options.signal.reason);
    options.signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isSettled || this.#options.signal.aborted) {
      this.#onAbort();
      controller.abort(new Error("aborted before it was sent"));
      return;
    }
    this.#clock = new AnswerClock(this.#options.deadlines, (failure) => this.#fail(failure));
    try {
      this.#options.onSend();
    } catch (error) {
      this.#fail(error);
    }
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#clock?.spoke();
    this.#headers = headers;
    const contentType = String(headers["content-type"] ?? "");
    if (status === 200 && contentType.startsWith("text/event-stream")) {
      this.#scanner = createSseScanner({
        eventBytesMax,
        onEvent: (name, data) => this.#take(name, data),
      });
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    try {
      if (this.#scanner !== undefined) {
        this.#scanner.push(chunk);
        return;
      }
    } catch (error) {
      this.#fail(
        error instanceof RangeError ? new GatewayError("upstream_failed", error.message) : error,
      );
      return;
    }
    this.#bodyBytes += chunk.length;
    if (this.#bodyBytes > (this.#status === 200 ? answerBytesMax : errorBytesMax)) {
      this.#fail(new GatewayError("upstream_failed", "The model's answer is too large."));
      return;
    }
    this.#body.push(chunk);
  }

  onResponseEnd(): void {
    if (this.#isSettled) return;
    try {
      if (this.#scanner === undefined) this.#finishWhole();
      if (!this.#isTerminal) throw cutError(this.#events);
      this.#settle();
      this.#resolve();
    } catch (error) {
      this.#fail(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isSettled) return;
    // The answer was complete; how the connection ended afterwards is no concern of the caller.
    if (this.#isTerminal) {
      this.#settle();
      this.#resolve();
      return;
    }
    this.#fail(translateFailure(error, { isAnswered: this.#status !== 0, events: this.#events }));
  }

  #take(name: string, data: Buffer): void {
    if (!isEventKind(name) || this.#isTerminal) return;
    this.#events += 1;
    this.#clock?.spoke();
    if (name === "completed" || name === "error") this.#isTerminal = true;
    this.#options.onEvent(name, data);
  }

  #finishWhole(): void {
    const body = Buffer.concat(this.#body);
    if (this.#status !== 200) throw translateAnswer(this.#status, body, this.#headers);
    const text = body.toString("utf8");
    let answer: { readonly output?: unknown; readonly status?: unknown };
    try {
      answer = JSON.parse(text) as typeof answer;
    } catch (cause) {
      throw new GatewayError(
        "upstream_failed",
        "The model answered with something that is not JSON.",
        { cause },
      );
    }
    if (typeof answer !== "object" || answer === null || typeof answer.status !== "string") {
      throw new GatewayError("upstream_failed", "The model's answer is not a prediction.");
    }
    if (answer.status === "succeeded") {
      const chunk = Buffer.from(JSON.stringify({ chunk: answer.output ?? null, index: 0 }));
      this.#take("output", chunk);
    }
    this.#take("completed", body);
  }

  #fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#controller?.abort(error instanceof Error ? error : new Error(String(error)));
    this.#reject(error);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#body = [];
    this.#clock?.stop();
    this.#options.signal.removeEventListener("abort", this.#onAbort);
  }
}

function cutError(events: number): GatewayError {
  return new GatewayError(
    "upstream_cut",
    `The model's stream ended after ${events} events without its final one.`,
  );
}
