import { StreamExpiredError } from "./errors.ts";
import type { Transport } from "./transport.ts";

export interface ResumeOptions {
  readonly transport: Transport;
  /** `cf-aig-run-id` of the answer. */
  readonly runId: string;
  readonly gatewayId: string;
  /** The answer's body as it came first. */
  readonly body: ReadableStream<Uint8Array>;
  readonly reconnectsMax: number;
  readonly signal: AbortSignal | undefined;
}

/** Pause before the first reconnect; it doubles each time. */
const reconnectDelayMs = 100;

/**
 * A stream of server-sent events that outlives its connection: after a cut the rest is asked for by the number of events
 * that are complete, and the same bytes go on. A half event is held back until it is whole.
 */
export function resumableStream(options: ResumeOptions): ReadableStream<Uint8Array> {
  const { signal } = options;
  const events = new EventSplitter();
  let reader = options.body.getReader();
  let reconnects = 0;
  let isCanceled = false;

  const reconnect = async (cause: unknown): Promise<void> => {
    for (;;) {
      if (reconnects >= options.reconnectsMax) {
        const text = `The stream was cut ${reconnects + 1} times.`;
        throw new StreamExpiredError(text, { eventsRead: events.count, cause });
      }
      reconnects += 1;
      await pause(reconnectDelayMs * 2 ** (reconnects - 1), signal);
      try {
        reader = (await reopen(options, events.count)).getReader();
        events.dropRest();
        return;
      } catch (error) {
        if (error instanceof StreamExpiredError || signal?.aborted === true) throw error;
      }
    }
  };

  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      for (;;) {
        let piece: { readonly done: boolean; readonly value?: Uint8Array | undefined };
        try {
          piece = await reader.read();
        } catch (cause) {
          if (isCanceled) return;
          if (signal?.aborted === true) throw signal.reason;
          await reconnect(cause);
          continue;
        }
        if (piece.done) {
          const rest = events.dropRest();
          if (rest.length > 0) controller.enqueue(rest);
          controller.close();
          return;
        }
        const complete = events.push(piece.value ?? new Uint8Array());
        if (complete.length === 0) continue;
        controller.enqueue(complete);
        return;
      }
    },
    async cancel(reason) {
      isCanceled = true;
      await reader.cancel(reason);
    },
  });
}

async function reopen(
  { transport, runId, gatewayId, signal }: ResumeOptions,
  from: number,
): Promise<ReadableStream<Uint8Array>> {
  const [gateway, run] = [encodeURIComponent(gatewayId), encodeURIComponent(runId)];
  const path = `/ai-gateway/gateways/${gateway}/run/${run}/resume?from=${from}`;
  const response = await transport.send(path, signal === undefined ? {} : { signal });
  if (response.ok && response.body !== null) return response.body;
  await response.body?.cancel();
  if (response.status === 404) {
    const text = "The stream was cut, and its events are not kept any more.";
    throw new StreamExpiredError(text, { eventsRead: from });
  }
  throw new Error(`The gateway answered ${response.status}.`);
}

/** Splits bytes at empty lines: what is before the last one is complete. */
class EventSplitter {
  /** Complete events so far. */
  count = 0;
  #rest = new Uint8Array();

  /** The bytes up to the end of the last complete event. */
  push(bytes: Uint8Array): Uint8Array {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let end = 0;
    for (let at = Math.max(1, this.#rest.length); at < all.length; at += 1) {
      if (all[at] !== newline || all[at - 1] !== newline || at - 1 < end) continue;
      end = at + 1;
      this.count += 1;
    }
    this.#rest = all.slice(end);
    return all.slice(0, end);
  }

  /** Forgets the half event, which comes again. */
  dropRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = new Uint8Array();
    return rest;
  }
}

const newline = 0x0a;

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
  });
}
