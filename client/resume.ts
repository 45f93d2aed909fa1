import { readError, StreamExpiredError } from "./errors.ts";
import { isUnavailable, Reconnects } from "./reconnect.ts";
import type { Transport } from "./transport.ts";

export interface ResumeOptions {
  readonly transport: Transport;
  /** `cf-aig-run-id` of the answer. */
  readonly runId: string;
  readonly gatewayId: string;
  /** The answer's body as it came first. */
  readonly body: ReadableStream<Uint8Array>;
  /** Cuts in a row, without an event between them, that are healed. */
  readonly reconnectsMax: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * A stream of server-sent events that outlives its connection, and a restart of the gateway: after a cut the rest is
 * asked for by the number of events that are complete, and the same bytes go on. A half event is held back until it is
 * whole. A stream that the gateway itself could not go on with ends with the gateway's error event.
 */
function resumableStream(options: ResumeOptions): ReadableStream<Uint8Array> {
  const { signal } = options;
  const events = new EventSplitter();
  const reconnects = new Reconnects({ cutsMax: options.reconnectsMax, signal });
  let reader = options.body.getReader();
  let isCanceled = false;

  const reconnect = async (cause: unknown): Promise<void> => {
    await reconnects.afterCut(events.count, cause);
    for (;;) {
      const body = await reopen(options, events.count);
      if (body instanceof Error) {
        await reconnects.afterRefusal(events.count, body);
        continue;
      }
      reader = body.getReader();
      events.dropRest();
      return;
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
        reconnects.progress();
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

/** An answer whose stream goes on after a cut, where the gateway can give it again; any other as it is. */
export function resumable(
  response: Response,
  options: Omit<ResumeOptions, "runId" | "body">,
): Response {
  const runId = response.headers.get("cf-aig-run-id");
  if (runId === null || response.body === null || !response.ok) return response;
  const body = resumableStream({ ...options, runId, body: response.body });
  return new Response(body, { status: response.status, headers: response.headers });
}

/** The rest of the stream, or why it cannot be had now. @throws what no further try would change */
async function reopen(
  { transport, runId, gatewayId, signal }: ResumeOptions,
  from: number,
): Promise<ReadableStream<Uint8Array> | Error> {
  const [gateway, run] = [encodeURIComponent(gatewayId), encodeURIComponent(runId)];
  const path = `/ai-gateway/gateways/${gateway}/run/${run}/resume?from=${from}`;
  let response: Response;
  try {
    response = await transport.send(path, signal === undefined ? {} : { signal });
  } catch (cause) {
    if (signal?.aborted === true) throw signal.reason;
    return new Error("The gateway cannot be reached.", { cause });
  }
  if (response.ok && response.body !== null) return response.body;
  if (isUnavailable(response.status)) {
    await response.body?.cancel();
    return new Error(`The gateway answered ${response.status}.`);
  }
  if (response.status !== 404) throw await readError(response);
  await response.body?.cancel();
  const text = "The stream was cut, and its events are not kept any more.";
  throw new StreamExpiredError(text, { eventsRead: from });
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/** Splits bytes at empty lines: what is before the last one is complete. Lines end with `\n`, `\r\n` or `\r`. */
class EventSplitter {
  /** Complete events so far. */
  count = 0;
  #rest = new Uint8Array();
  #isLineEmpty = true;
  #hasContent = false;
  #isAfterReturn = false;

  /** The bytes up to the end of the last complete event. */
  push(bytes: Uint8Array): Uint8Array {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let end = 0;
    for (let at = this.#rest.length; at < all.length; at += 1) {
      if (this.#endsEvent(all[at])) end = at + 1;
    }
    this.#rest = all.slice(end);
    return all.slice(0, end);
  }

  /** Forgets the half event, which comes again. */
  dropRest(): Uint8Array {
    const rest = this.#rest;
    this.#rest = new Uint8Array();
    this.#isLineEmpty = true;
    this.#hasContent = false;
    this.#isAfterReturn = false;
    return rest;
  }

  #endsEvent(byte: number | undefined): boolean {
    if (byte === newline && this.#isAfterReturn) {
      this.#isAfterReturn = false;
      // The second half of the line's end belongs to the event that it ended.
      return this.#isLineEmpty && !this.#hasContent;
    }
    this.#isAfterReturn = byte === carriageReturn;
    if (byte !== newline && byte !== carriageReturn) {
      this.#isLineEmpty = false;
      this.#hasContent = true;
      return false;
    }
    const isEnd = this.#isLineEmpty && this.#hasContent;
    this.#isLineEmpty = true;
    if (!isEnd) return false;
    this.count += 1;
    this.#hasContent = false;
    return true;
  }
}
