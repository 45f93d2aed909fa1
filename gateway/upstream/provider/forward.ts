import type { Dispatcher, Pool } from "undici";

import { GatewayError } from "../../errors.ts";
import { answerBytesMax, errorBytesMax, eventBytesMax, type Deadlines } from "../../limits.ts";
import { AnswerClock } from "../answer-clock.ts";
import { NotBegunError, translateFailure } from "../translate.ts";
import { brokenAnswer, translateProviderFailure } from "./failure.ts";
import { createFrameSplitter, type FrameSplitter } from "./frame-splitter.ts";
import type { Provider } from "./providers.ts";
import { checkWholeAnswer, notStreamed } from "./wire-check.ts";
import { isOpening, readFrame, wireUsage } from "./wire-format.ts";
import type { WireRequest } from "./wire-request.ts";

export interface ForwardOptions {
  readonly wire: WireRequest;
  readonly provider: Provider;
  readonly key: string | undefined;
  /** To the origin of the provider's base URL. */
  readonly pool: Pool;
  readonly deadlines: Deadlines;
  /** Goes out as `x-client-request-id`. */
  readonly legId: string;
  /** What the provider has counted so far, for a call that breaks off. */
  readonly onMetrics?: (metrics: Readonly<Record<string, unknown>>) => void;
  /** Takes each server-sent event, its empty line included; throwing here cuts the connection with that error. */
  readonly onFrame: (frame: Buffer) => void;
  /** Called once with what stops the exchange early. */
  readonly onStoppable: (stop: (reason: unknown) => void) => void;
}

export interface Forwarded {
  /** The whole answer, when it was no stream. */
  readonly body?: Buffer;
  /** `input_tokens`, `output_tokens`, … as the provider counted. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/**
 * Sends a request to a provider that speaks its shape. Nothing of the answer is decoded but what says how it ended and
 * what it cost.
 * @throws `GatewayError`: `upstream_cut` for a stream without its last word, and what `translateProviderFailure` makes
 *   of a refusal
 */
export function forward(options: ForwardOptions): Promise<Forwarded> {
  const { wire, provider, key, pool, deadlines } = options;
  const path = provider.adapter.wirePaths?.[wire.format] ?? "";
  return new Promise((resolve, reject) => {
    const exchange = new Forwarding(options, resolve, reject);
    options.onStoppable((reason) => exchange.fail(reason));
    pool.dispatch(
      {
        path: basePath(provider.baseUrl) + path,
        method: "POST",
        headers: {
          "content-type": "application/json",
          accept: wire.isStreamed ? "text/event-stream" : "application/json",
          "accept-encoding": "identity",
          ...provider.headers,
          ...provider.adapter.wireHeaders,
          ...wire.headers,
          ...(key === undefined ? {} : provider.adapter.authorize(key)),
          "x-client-request-id": options.legId,
        },
        body: wire.body,
        headersTimeout: wire.isStreamed ? deadlines.firstByteMs : 0,
        bodyTimeout: deadlines.idleMs,
      },
      exchange,
    );
  });
}

/** No stream begins with more events that say nothing. */
const openingFramesMax = 16;

class Forwarding implements Dispatcher.DispatchHandler {
  readonly #options: ForwardOptions;
  readonly #resolve: (forwarded: Forwarded) => void;
  readonly #reject: (error: unknown) => void;
  #controller: Dispatcher.DispatchController | undefined;
  #clock: AnswerClock | undefined;
  #status = 0;
  #headers: Record<string, string | string[] | undefined> = {};
  #splitter: FrameSplitter | undefined;
  #body: Buffer[] = [];
  #bodyBytes = 0;
  #frames = 0;
  /** Frames before the first piece of the answer; undefined once that has come. */
  #held: Buffer[] | undefined = [];
  #isTerminal = false;
  #metrics: Record<string, unknown> = {};
  #isSettled = false;

  constructor(
    options: ForwardOptions,
    resolve: (forwarded: Forwarded) => void,
    reject: (error: unknown) => void,
  ) {
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#isSettled) {
      controller.abort(new Error("aborted before it was sent"));
      return;
    }
    this.#clock = new AnswerClock(this.#options.deadlines, (failure) => this.fail(failure));
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status;
    this.#clock?.spoke();
    this.#headers = headers;
    const isStream = isEventStream(headers["content-type"]);
    if (status >= 200 && status < 300 && isStream) {
      this.#splitter = createFrameSplitter({
        frameBytesMax: eventBytesMax,
        onFrame: (frame) => this.#take(frame),
      });
    }
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#isSettled) return;
    try {
      if (this.#splitter !== undefined) {
        this.#splitter.push(chunk);
        return;
      }
      this.#bodyBytes += chunk.length;
      if (this.#bodyBytes > (this.#isOk ? answerBytesMax : errorBytesMax)) {
        throw new RangeError("The provider's answer is too large.");
      }
      this.#body.push(chunk);
    } catch (error) {
      this.fail(
        error instanceof RangeError ? new GatewayError("upstream_failed", error.message) : error,
      );
    }
  }

  onResponseEnd(): void {
    if (this.#isSettled) return;
    try {
      if (this.#splitter === undefined) {
        this.#succeed(this.#whole());
        return;
      }
      if (!this.#isTerminal) throw cutError(this.#frames);
      this.#succeed();
    } catch (error) {
      this.fail(error);
    }
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    if (this.#isSettled) return;
    if (this.#isTerminal) {
      this.#succeed();
      return;
    }
    const state = { isAnswered: this.#status !== 0, events: this.#frames };
    const failure = translateFailure(error, state);
    this.fail(
      failure instanceof NotBegunError
        ? new GatewayError(
            "upstream_failed",
            `The provider cannot be reached: ${failure.message}`,
            {
              cause: error,
            },
          )
        : failure,
    );
  }

  fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#controller?.abort(error instanceof Error ? error : new Error(String(error)));
    this.#reject(error);
  }

  get #isOk(): boolean {
    return this.#status >= 200 && this.#status < 300;
  }

  #take(frame: Buffer): void {
    if (this.#isTerminal) return;
    const { onFrame, wire, provider } = this.#options;
    const read = readFrame(wire.format, frame);
    if (read.kind === "comment") return;
    this.#frames += 1;
    this.#clock?.spoke();
    if (read.metrics !== undefined) {
      this.#metrics = { ...this.#metrics, ...read.metrics };
      this.#options.onMetrics?.(this.#metrics);
    }
    if (read.kind === "failed") {
      throw new GatewayError("upstream_failed", `The provider's stream failed: ${read.message}`);
    }
    if (read.kind === "broken") throw brokenAnswer(provider.name, "an event that is not JSON");
    if (read.kind === "last") this.#isTerminal = true;
    if (read.kind === "usage" && wire.hidesUsage) return;
    if (this.#held !== undefined) {
      if (read.kind === "piece" && this.#hold(frame)) return;
      this.#letGo();
    }
    onFrame(frame);
  }

  /** What has nothing of the answer yet waits, so that another upstream can still give it from its beginning. */
  #hold(frame: Buffer): boolean {
    const held = this.#held;
    if (held === undefined || held.length === openingFramesMax) return false;
    if (!isOpening(this.#options.wire.format, frame)) return false;
    // The read buffer is not to be kept alive by a small event in it.
    held.push(Buffer.from(frame));
    return true;
  }

  #letGo(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (const frame of held) this.#options.onFrame(frame);
  }

  #whole(): Buffer {
    const { wire, provider, key } = this.#options;
    const [first] = this.#body;
    const whole =
      this.#body.length === 1 && first !== undefined ? first : Buffer.concat(this.#body);
    if (!this.#isOk) {
      throw translateProviderFailure({
        provider: provider.name,
        key,
        status: this.#status,
        headers: this.#headers,
        body: parsedOrText(whole),
      });
    }
    const answer = { format: wire.format, provider: provider.name, key, body: whole };
    if (wire.isStreamed) throw notStreamed(answer, String(this.#headers["content-type"] ?? ""));
    const usage = checkWholeAnswer(answer);
    if (usage !== undefined) this.#metrics = wireUsage(wire.format, usage);
    return whole;
  }

  #succeed(body?: Buffer): void {
    this.#settle();
    this.#resolve({ metrics: this.#metrics, ...(body === undefined ? {} : { body }) });
  }

  #settle(): void {
    this.#isSettled = true;
    this.#body = [];
    this.#clock?.stop();
  }
}

function isEventStream(contentType: string | string[] | undefined): boolean {
  return String(contentType ?? "")
    .toLowerCase()
    .startsWith("text/event-stream");
}

/** Of a base URL such as `https://api.openai.com/v1`: what comes before the adapter's own path. */
function basePath(baseUrl: string): string {
  const slashAt = baseUrl.indexOf("/", baseUrl.indexOf("://") + 3);
  return slashAt === -1 ? "" : baseUrl.slice(slashAt);
}

function parsedOrText(body: Buffer): unknown {
  const text = body.toString("utf8");
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function cutError(frames: number): GatewayError {
  return new GatewayError(
    "upstream_cut",
    `The provider's stream ended after ${frames} events without its final one.`,
  );
}
