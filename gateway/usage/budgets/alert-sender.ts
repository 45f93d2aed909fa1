import { setTimeout as delay } from "node:timers/promises";

import type { Dispatcher } from "undici";

import { deliver, type DeliveryResult } from "../../webhook/deliver.ts";
import { webhookLimits, type WebhookLimits } from "../../webhook/limits.ts";
import { messageId, type WebhookSecret } from "../../webhook/secret.ts";
import { Slots } from "../../webhook/slots.ts";
import { formatUsd } from "../money.ts";
import { selectionsOf, type Budget } from "./budget.ts";
import type { ReachedThreshold } from "./budget-store.ts";
import { spanAt } from "./window.ts";

export interface AlertSenderOptions {
  readonly secret: WebhookSecret;
  /** Connects only to where an operator's URL may lead. */
  readonly dispatcher: Dispatcher;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly limits?: Partial<WebhookLimits>;
  /** Delivered, or given up; not called for what a stop cut short. */
  readonly onEnd: (threshold: ReachedThreshold, end: AlertEnd) => void;
}

export interface AlertEnd {
  readonly attempts: number;
  /** Why it was given up; absent: it was delivered. */
  readonly error?: string;
}

/** Tells receivers which thresholds were reached: signed and tried again as the webhooks of predictions are. */
export class AlertSender {
  readonly #options: AlertSenderOptions;
  readonly #limits: WebhookLimits;
  readonly #slots: Slots;
  readonly #working = new Set<Promise<void>>();
  readonly #stop = new AbortController();

  constructor(options: AlertSenderOptions) {
    this.#options = options;
    this.#limits = { ...webhookLimits, ...options.limits };
    this.#slots = new Slots(this.#limits);
  }

  send(budget: Budget, threshold: ReachedThreshold): void {
    const { url } = budget.alerts;
    if (url === undefined || this.#stop.signal.aborted) return;
    const message = {
      url,
      id: messageId(
        `budget ${budget.id}`,
        JSON.stringify([
          threshold.partition,
          threshold.windowStartMs,
          threshold.threshold,
          threshold.limitNanoUsd,
        ]),
      ),
      body: JSON.stringify(bodyOf(budget, threshold)),
    };
    const work = this.#deliver(message, threshold)
      // Stopped: it is sent by the next process.
      .catch(() => undefined)
      .finally(() => this.#working.delete(work));
    this.#working.add(work);
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#working);
    await this.#options.dispatcher.destroy();
  }

  async #deliver(
    message: { readonly url: string; readonly id: string; readonly body: string },
    threshold: ReachedThreshold,
  ): Promise<void> {
    const { signal } = this.#stop;
    let result: DeliveryResult = { kind: "failed", why: "not tried" };
    let attempts = 0;
    for (;;) {
      result = await this.#attempt(message);
      attempts += 1;
      if (signal.aborted && result.kind === "failed") return;
      if (result.kind !== "failed" || attempts === this.#limits.attemptsMax) break;
      await delay(this.#backoffMs(attempts, result), undefined, { signal });
    }
    this.#options.onEnd(threshold, {
      attempts,
      ...(result.kind !== "delivered" && { error: result.why }),
    });
  }

  async #attempt(message: {
    readonly url: string;
    readonly id: string;
    readonly body: string;
  }): Promise<DeliveryResult> {
    const { url, id, body } = message;
    const release = await this.#slots.take(new URL(url).origin);
    try {
      const { secret, dispatcher, clock } = this.#options;
      const headers = secret.sign({ id, timestampMs: clock(), body });
      const timeoutMs = this.#limits.attemptMs;
      return await deliver({
        dispatcher,
        url,
        headers,
        body,
        timeoutMs,
        signal: this.#stop.signal,
      });
    } finally {
      release();
    }
  }

  #backoffMs(attempts: number, { retryAfterMs = 0 }: { readonly retryAfterMs?: number }): number {
    const { retryDelayMs, retryDelayMaxMs } = this.#limits;
    return Math.min(Math.max(retryAfterMs, retryDelayMs * 2 ** (attempts - 1)), retryDelayMaxMs);
  }
}

/** What a receiver reads. */
function bodyOf(budget: Budget, threshold: ReachedThreshold): unknown {
  const { partition, windowStartMs, spentNanoUsd, limitNanoUsd, reachedAtMs } = threshold;
  const names = selectionsOf(budget.scope)
    .filter(([, { mode }]) => mode === "partition")
    .map(([dimension]) => dimension);
  const isFixed = budget.technique === "fixed";
  return {
    type: "budget.threshold",
    timestamp: new Date(reachedAtMs).toISOString(),
    data: {
      budget: budget.id,
      values: Object.fromEntries(names.map((name, index) => [name, partition[index]])),
      thresholdPercent: threshold.threshold,
      limitUsd: formatUsd(limitNanoUsd),
      spentUsd: formatUsd(spentNanoUsd),
      window: budget.window,
      technique: budget.technique,
      ...(isFixed && {
        startsAt: new Date(windowStartMs).toISOString(),
        resetsAt: new Date(spanAt(budget, windowStartMs).endMs).toISOString(),
      }),
    },
  };
}
