import { setTimeout as sleep } from "node:timers/promises";

import { request } from "undici";

import { BoundedQueue } from "../bounded-queue.ts";
import type { CallRecord } from "../call-record.ts";
import {
  exportAttemptsMax,
  exportRetryDelayMaxMs,
  exportRetryDelayMs,
  exportTimeoutMs,
  metricsIntervalMs,
  spanBatchMax,
  spanFlushIntervalMs,
  spanQueueMax,
} from "../limits.ts";
import { GenAiMetrics } from "./gen-ai-metrics.ts";
import { spansOf, type ServerAddress } from "./spans.ts";
import { attributesOf, type KeyValue } from "./wire.ts";

/** Where spans and metrics go; read from OpenTelemetry's variables by the command line. */
export interface OtlpOptions {
  /** Such as `http://127.0.0.1:4318/v1/traces`; absent: no spans are sent. */
  readonly tracesUrl?: string;
  /** Such as `http://127.0.0.1:4318/v1/metrics`; absent: no metrics are sent. */
  readonly metricsUrl?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Beside `service.name`. */
  readonly resource?: Readonly<Record<string, string>>;
  /** Default: `byom`. */
  readonly serviceName?: string;
  /** For tests: shorter pauses. */
  readonly retryDelayMs?: number;
  readonly flushIntervalMs?: number;
}

export interface OtlpExporterOptions extends OtlpOptions {
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly addressOf: (provider: string) => ServerAddress | undefined;
}

/** Why spans did not arrive. */
export const exportDropReasons = ["queue", "refused", "unreachable"] as const;
export type ExportDropReason = (typeof exportDropReasons)[number];

interface Waiting {
  readonly call: CallRecord;
  readonly traceId: string;
}

/** Sends spans and metrics to a collector by OTLP over HTTP, as JSON, in batches; what it cannot take is dropped and counted. */
export class OtlpExporter {
  readonly #options: OtlpExporterOptions;
  readonly #queue = new BoundedQueue<Waiting>({ entriesMax: spanQueueMax });
  readonly #drops: Record<ExportDropReason, number> = { queue: 0, refused: 0, unreachable: 0 };
  readonly #metrics: GenAiMetrics;
  readonly #resource: readonly KeyValue[];
  readonly #closing = new AbortController();
  #sending: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #metricsTimer: NodeJS.Timeout | undefined;
  #sent = 0;

  constructor(options: OtlpExporterOptions) {
    this.#options = options;
    this.#metrics = new GenAiMetrics(options.clock());
    this.#resource = attributesOf({
      "service.name": options.serviceName ?? "byom",
      ...options.resource,
    });
    if (options.metricsUrl !== undefined) {
      this.#metricsTimer = setInterval(() => void this.#sendMetrics(), metricsIntervalMs).unref();
    }
  }

  get state(): {
    readonly queued: number;
    readonly sent: number;
    readonly drops: Readonly<Record<ExportDropReason, number>>;
  } {
    return { queued: this.#queue.size, sent: this.#sent, drops: this.#drops };
  }

  record(call: CallRecord, traceId: string): void {
    if (this.#options.metricsUrl !== undefined) this.#metrics.record(call);
    if (this.#options.tracesUrl === undefined) return;
    // As they are now, and without inputs and outputs, which the queue would hold on to.
    const { payload: _payload, ...facts } = call;
    const waiting = { call: { ...facts, legs: [...call.legs] }, traceId };
    if (this.#queue.push(waiting, 0) !== undefined) {
      this.#drops.queue += 1 + call.legs.length;
      return;
    }
    if (this.#queue.size >= spanBatchMax) void this.flush();
    const { flushIntervalMs = spanFlushIntervalMs } = this.#options;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.flush();
    }, flushIntervalMs).unref();
  }

  /** Sends what waits; one batch after the other. */
  async flush(): Promise<void> {
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
    await this.#sending;
  }

  /** Sends what is left with one try each. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    clearInterval(this.#metricsTimer);
    this.#closing.abort();
    await this.flush();
    await this.flush();
    if (this.#options.metricsUrl !== undefined) await this.#sendMetrics();
  }

  async #sendAll(): Promise<void> {
    const { tracesUrl, addressOf } = this.#options;
    while (this.#queue.size > 0 && tracesUrl !== undefined) {
      const batch = this.#queue.take(spanBatchMax);
      const spans = batch.flatMap(({ call, traceId }) => spansOf(call, { traceId, addressOf }));
      const body = {
        resourceSpans: [
          { resource: { attributes: this.#resource }, scopeSpans: [{ scope: scopeOf, spans }] },
        ],
      };
      const failure = await this.#post(tracesUrl, JSON.stringify(body));
      if (failure === undefined) this.#sent += spans.length;
      else this.#drops[failure] += spans.length;
    }
  }

  async #sendMetrics(): Promise<void> {
    const { metricsUrl, clock } = this.#options;
    const metrics = this.#metrics.render(clock());
    if (metricsUrl === undefined || metrics.length === 0) return;
    const body = {
      resourceMetrics: [
        { resource: { attributes: this.#resource }, scopeMetrics: [{ scope: scopeOf, metrics }] },
      ],
    };
    // The next export has all of this one's counts: nothing is lost by one that fails.
    await this.#post(metricsUrl, JSON.stringify(body));
  }

  /** Tries again what may be tried again: 429, 502, 503, 504 and a connection that broke. */
  async #post(url: string, body: string): Promise<Exclude<ExportDropReason, "queue"> | undefined> {
    let delayMs = this.#options.retryDelayMs ?? exportRetryDelayMs;
    for (let tries = 1; ; tries += 1) {
      const { status, retryAfterMs } = await this.#postOnce(url, body);
      if (status !== undefined && status < 300) return undefined;
      const isRetryable = status === undefined || retryableStatuses.has(status);
      if (!isRetryable) return "refused";
      if (tries >= exportAttemptsMax || this.#closing.signal.aborted) return "unreachable";
      const pauseMs = Math.min(retryAfterMs ?? delayMs, exportRetryDelayMaxMs);
      await sleep(pauseMs, undefined, { signal: this.#closing.signal, ref: false }).catch(
        () => undefined,
      );
      delayMs *= 2;
    }
  }

  async #postOnce(
    url: string,
    body: string,
  ): Promise<{ readonly status?: number; readonly retryAfterMs?: number }> {
    try {
      const response = await request(url, {
        method: "POST",
        headers: { ...this.#options.headers, "content-type": "application/json" },
        body,
        signal: AbortSignal.timeout(exportTimeoutMs),
      });
      await response.body.dump();
      const seconds = Number(response.headers["retry-after"]);
      return {
        status: response.statusCode,
        ...(seconds > 0 && { retryAfterMs: seconds * 1_000 }),
      };
    } catch {
      return {};
    }
  }
}

const scopeOf = { name: "byom.gateway" };
/** OTLP/HTTP, "Retryable Response Codes". */
const retryableStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);
