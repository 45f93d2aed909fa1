import { setTimeout as delay } from "node:timers/promises";

import type { Dispatcher } from "undici";

import type { OnGatewayEvent } from "../events.ts";
import type { Run } from "../prediction/run.ts";
import type { PredictionRecord, PredictionStore, WebhookEvent } from "../prediction/store.ts";
import { deliver, type DeliveryResult } from "./deliver.ts";
import { webhookLimits, type WebhookLimits } from "./limits.ts";
import { messageId, type WebhookSecret } from "./secret.ts";
import { Slots } from "./slots.ts";

export interface WebhooksOptions {
  readonly predictions: PredictionStore;
  /** A prediction as it stands now, output so far included. */
  readonly current: (id: string) => PredictionRecord | undefined;
  readonly secret: WebhookSecret;
  /** Connects only to where a caller's URL may lead. */
  readonly dispatcher: Dispatcher;
  /** A prediction as its receiver reads it. */
  readonly render: (record: PredictionRecord) => unknown;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent: OnGatewayEvent;
  readonly limits?: Partial<WebhookLimits>;
}

/** What is still to be said of one prediction. */
interface Told {
  readonly id: string;
  readonly queue: Message[];
  /** Counts output and logs messages, for their ids. */
  progress: number;
  lastProgressAt: number;
  isWatched: boolean;
  isSending: boolean;
}

interface Message {
  readonly event: WebhookEvent;
  /** Rendered when it was due; absent: rendered when it is sent. */
  readonly body?: string;
}

/** Deliveries settled at once in the store, so that each does not cost a write of its own. */
const settleDelayMs = 20;

/**
 * Tells the receivers of predictions how those go. Messages of one prediction go out one after the other. `start`,
 * `output` and `logs` are tried once and are worth nothing after the end; `completed` is tried again until it is
 * delivered or given up, also by the next process after a crash: the store knows who is still owed one.
 */
export class Webhooks {
  readonly #options: WebhooksOptions;
  readonly #limits: WebhookLimits;
  readonly #slots: Slots;
  readonly #told = new Map<string, Told>();
  readonly #working = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** Ends the pauses between deliveries. */
  readonly #pauses = new AbortController();
  #isClosing = false;
  #settled: string[] = [];
  #settleTimer: NodeJS.Timeout | undefined;

  constructor(options: WebhooksOptions) {
    this.#options = options;
    this.#limits = { ...webhookLimits, ...options.limits };
    this.#slots = new Slots(this.#limits);
  }

  /** A run's state changed, and the store has it. */
  onChange(run: Run): void {
    const { webhook } = run.request;
    if (webhook === undefined) return;
    if (run.outcome !== undefined) {
      this.onEnd(run.record());
    } else if (run.status === "processing") {
      const told = this.#of(run.id);
      if (webhook.events.includes("start")) {
        this.#push(told, { event: "start", body: this.#render(run.record()) });
      }
      if (webhook.events.some((event) => event === "output" || event === "logs")) {
        this.#inBackground(this.#watch(told, run));
      }
    }
  }

  /** A prediction has ended, and the store has it. */
  onEnd(record: PredictionRecord): void {
    if (record.webhook?.events.includes("completed") !== true) return;
    const told = this.#of(record.id);
    // The last word holds all that the waiting ones would have said, but that it began.
    const kept = told.queue.filter(({ event }) => event === "start");
    told.queue.splice(0, told.queue.length, ...kept);
    this.#push(told, { event: "completed" });
  }

  /** Takes up what a former process owed. */
  recover(): void {
    for (const id of this.#options.predictions.owingWebhooks()) {
      if (!this.#told.has(id)) this.#push(this.#of(id), { event: "completed" });
    }
  }

  /** Begins no delivery any more and waits for those under way, until the signal aborts; the rest stays owed. */
  async close(options: { readonly signal: AbortSignal }): Promise<void> {
    const ended = new AbortController();
    const stop = (): void => ended.abort();
    this.#isClosing = true;
    this.#pauses.abort();
    if (options.signal.aborted) this.#stop.abort();
    options.signal.addEventListener("abort", () => this.#stop.abort(), {
      once: true,
      signal: ended.signal,
    });
    await Promise.all(this.#working);
    stop();
    this.#settle();
    await this.#options.dispatcher.destroy();
  }

  #of(id: string): Told {
    const known = this.#told.get(id);
    if (known !== undefined) return known;
    const told: Told = {
      id,
      queue: [],
      progress: 0,
      lastProgressAt: Number.NEGATIVE_INFINITY,
      isWatched: false,
      isSending: false,
    };
    this.#told.set(id, told);
    return told;
  }

  #push(told: Told, message: Message): void {
    told.queue.push(message);
    if (told.isSending) return;
    told.isSending = true;
    this.#inBackground(this.#send(told));
  }

  async #send(told: Told): Promise<void> {
    try {
      for (;;) {
        if (this.#isClosing) return;
        const [message] = told.queue;
        if (message === undefined) return;
        if (isProgress(message)) {
          await this.#pauseProgress(told);
          // The end has come in between and says it all.
          if (told.queue[0] !== message) continue;
        }
        told.queue.shift();
        if (message.event === "completed") {
          await this.#complete(told);
          return;
        }
        await this.#sendOnce(told, message);
      }
    } finally {
      told.isSending = false;
      if (told.queue.length === 0 && !told.isWatched) this.#told.delete(told.id);
    }
  }

  /** Output and logs are told at most once an interval. */
  async #pauseProgress(told: Told): Promise<void> {
    const dueAt = told.lastProgressAt + this.#limits.intervalMs;
    const waitMs = dueAt - performance.now();
    if (waitMs > 0) await this.#pause(waitMs);
    told.lastProgressAt = performance.now();
    told.progress += 1;
  }

  async #sendOnce({ id, progress }: Told, { event, body }: Message): Promise<void> {
    await this.#attempt(id, event === "start" ? event : `progress ${progress}`, body);
  }

  async #complete(told: Told): Promise<void> {
    let result: DeliveryResult = { kind: "failed", why: "not tried" };
    let attempts = 0;
    while (attempts < this.#limits.attemptsMax) {
      result = await this.#attempt(told.id, "completed");
      attempts += 1;
      if (result.kind !== "failed" || this.#isClosing) break;
      if (attempts < this.#limits.attemptsMax) await this.#pause(this.#backoffMs(attempts, result));
      if (this.#isClosing) break;
    }
    // What a stop cut short is owed by the next process.
    if (result.kind === "failed" && this.#isClosing) return;
    this.#owed(told.id);
    this.#options.onEvent({
      type: "webhook-end",
      predictionId: told.id,
      isDelivered: result.kind === "delivered",
      attempts,
      ...(result.kind === "delivered" ? {} : { error: result.why }),
    });
  }

  #backoffMs(attempts: number, result: DeliveryResult): number {
    const { retryDelayMs, retryDelayMaxMs } = this.#limits;
    const asked = result.kind === "failed" ? (result.retryAfterMs ?? 0) : 0;
    return Math.min(Math.max(asked, retryDelayMs * 2 ** (attempts - 1)), retryDelayMaxMs);
  }

  /** One delivery of a message, when its turn has come; what it says is read only then, for many may wait. */
  async #attempt(
    predictionId: string,
    message: string,
    rendered?: string,
  ): Promise<DeliveryResult> {
    const url = this.#options.current(predictionId)?.webhook?.url;
    if (url === undefined) return forgotten;
    const release = await this.#slots.take(new URL(url).origin);
    try {
      if (this.#isClosing) return { kind: "failed", why: "the platform stops" };
      const record = this.#options.current(predictionId);
      if (record === undefined) return forgotten;
      const body = rendered ?? this.#render(record);
      const timestampMs = this.#options.clock();
      const id = messageId(predictionId, message);
      return await deliver({
        dispatcher: this.#options.dispatcher,
        url,
        headers: this.#options.secret.sign({ id, timestampMs, body }),
        body,
        timeoutMs: this.#limits.attemptMs,
        signal: this.#stop.signal,
      });
    } finally {
      release();
    }
  }

  /** Notices output and logs of a run as they come. */
  async #watch(told: Told, run: Run): Promise<void> {
    const events = run.request.webhook?.events ?? [];
    if (told.isWatched) return;
    told.isWatched = true;
    try {
      for await (const batch of run.log.read({ from: 0, signal: this.#stop.signal })) {
        if (run.outcome !== undefined && events.includes("completed")) return;
        const isNews = batch.some(
          ({ kind }) =>
            (kind === "output" && events.includes("output")) ||
            (kind === "log" && events.includes("logs")),
        );
        if (isNews && !told.queue.some(isProgress)) this.#push(told, { event: "output" });
      }
    } finally {
      told.isWatched = false;
      if (told.queue.length === 0 && !told.isSending) this.#told.delete(told.id);
    }
  }

  #render(record: PredictionRecord): string {
    return JSON.stringify(this.#options.render(record));
  }

  async #pause(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#pauses.signal }).catch(() => undefined);
  }

  #owed(id: string): void {
    this.#settled.push(id);
    this.#settleTimer ??= setTimeout(() => this.#settle(), settleDelayMs);
  }

  #settle(): void {
    clearTimeout(this.#settleTimer);
    this.#settleTimer = undefined;
    const ids = this.#settled;
    this.#settled = [];
    if (ids.length === 0) return;
    try {
      this.#options.predictions.settleWebhooks(ids);
    } catch (cause) {
      // They are delivered once more by the next process: the receiver knows them by their ids.
      this.#options.onEvent({ type: "store-fail", predictionId: ids[0] ?? "", cause });
    }
  }

  #inBackground(work: Promise<void>): void {
    const done = work
      .catch((cause: unknown) => {
        this.#options.onEvent({ type: "webhook-fail", cause });
      })
      .finally(() => this.#working.delete(done));
    this.#working.add(done);
  }
}

/** Its record was removed while its receiver did not answer. */
const forgotten: DeliveryResult = { kind: "gone", why: "the prediction is forgotten" };

function isProgress({ event }: Message): boolean {
  return event === "output" || event === "logs";
}
