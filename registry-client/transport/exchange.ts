import type { Readable } from "node:stream";
import type { Dispatcher } from "undici";
import { messageOf, RegistryConnectionError, RegistryError } from "../errors.ts";

/** A request body. `open` is called once per try; a length makes it a plain body, its absence a chunked one. */
export interface RequestBody {
  readonly sizeBytes?: number;
  /** False when the bytes exist only once. */
  readonly isReplayable: boolean;
  open(signal: AbortSignal): AsyncIterable<Uint8Array>;
}

export interface ExchangeRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** An answer whose body is still on the wire: read it or discard it. */
export interface ExchangeResponse {
  readonly url: URL;
  readonly status: number;
  header(name: string): string | undefined;
  /** The bytes as they come. Rejects with RegistryConnectionError when they stop too early. */
  read(): AsyncIterable<Uint8Array>;
  /** At most `bytesMax` bytes, the rest is thrown away. */
  readUpTo(bytesMax: number): Promise<Buffer>;
  discard(): Promise<void>;
}

/** Longest silence in either direction, in milliseconds; commits of big blobs to object stores take minutes. */
export const idleTimeoutMs = 300_000;
/** Bytes of an unwanted body that are read to keep the connection; above it the connection is cheaper. */
const discardBytesMax = 128 * 1024;

/**
 * One request and its answer over undici, with no redirect, authorization or retry.
 * @throws RegistryConnectionError without an answer; the signal's reason when aborted; what the body's source threw.
 */
export async function exchange(
  dispatcher: Dispatcher,
  request: ExchangeRequest,
  options: { readonly idleTimeoutMs?: number } = {},
): Promise<ExchangeResponse> {
  request.signal?.throwIfAborted();
  const idle = new IdleTimer(options.idleTimeoutMs ?? idleTimeoutMs);
  const signals = request.signal ? [request.signal, idle.signal] : [idle.signal];
  const outgoing = new OutgoingBody(request.body, idle);
  idle.start();
  try {
    const response = await dispatcher.request({
      origin: request.url.origin,
      path: request.url.pathname + request.url.search,
      method: request.method,
      headers: {
        "accept-encoding": "identity",
        "user-agent": "byom",
        ...outgoing.headers(),
        ...request.headers,
      },
      body: outgoing.stream(AbortSignal.any(signals)),
      signal: AbortSignal.any(signals),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    outgoing.isAnswered = true;
    idle.stop();
    return new UndiciResponse(request, response, { idle, outgoing });
  } catch (error) {
    outgoing.isAnswered = true;
    idle.stop();
    outgoing.close();
    throw translate(error, request, outgoing.failure);
  }
}

/** Counts only the time in which the other side is silent; a slow source of our own is no fault of the registry. */
class IdleTimer {
  readonly #controller = new AbortController();
  readonly #timeoutMs: number;
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    if (this.#timer) {
      this.#timer.refresh();
      return;
    }
    this.#timer = setTimeout(() => {
      this.#controller.abort(new IdleError(`no byte moved for ${this.#timeoutMs / 1000} s`));
    }, this.#timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

class IdleError extends Error {}

/** Passes a source on to undici, remembers its failure and stops it when the exchange ends. */
class OutgoingBody {
  failure: { readonly error: unknown } | undefined;
  /** From then on the idle timer belongs to the response. */
  isAnswered = false;
  readonly #body: RequestBody | undefined;
  readonly #idle: IdleTimer;
  readonly #ended = new AbortController();

  constructor(body: RequestBody | undefined, idle: IdleTimer) {
    this.#body = body;
    this.#idle = idle;
  }

  headers(): Record<string, string> {
    const size = this.#body?.sizeBytes;
    return size === undefined ? {} : { "content-length": String(size) };
  }

  /** undici takes any async iterable, and is faster with one; its types know of Readable only. */
  stream(signal: AbortSignal): Readable | null {
    if (!this.#body || this.#body.sizeBytes === 0) return null;
    const chunks = this.#read(this.#body, AbortSignal.any([signal, this.#ended.signal]));
    return chunks as unknown as Readable;
  }

  close(): void {
    this.#ended.abort(new Error("the exchange ended"));
  }

  async *#read(
    body: RequestBody,
    signal: AbortSignal,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    this.#idle.stop();
    try {
      for await (const chunk of body.open(signal)) {
        if (!this.isAnswered) this.#idle.start();
        yield chunk;
        if (!this.isAnswered) this.#idle.stop();
      }
    } catch (error) {
      if (!signal.aborted) this.failure = { error };
      throw error;
    }
    if (!this.isAnswered) this.#idle.start();
  }
}

class UndiciResponse implements ExchangeResponse {
  readonly url: URL;
  readonly status: number;
  readonly #request: ExchangeRequest;
  readonly #response: Dispatcher.ResponseData;
  readonly #idle: IdleTimer;
  readonly #outgoing: OutgoingBody;

  constructor(
    request: ExchangeRequest,
    response: Dispatcher.ResponseData,
    own: { readonly idle: IdleTimer; readonly outgoing: OutgoingBody },
  ) {
    this.url = request.url;
    this.status = response.statusCode;
    this.#request = request;
    this.#response = response;
    this.#idle = own.idle;
    this.#outgoing = own.outgoing;
  }

  header(name: string): string | undefined {
    const value = this.#response.headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  async *read(): AsyncGenerator<Uint8Array, void, undefined> {
    const chunks = this.#response.body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    try {
      for (;;) {
        this.#idle.start();
        const next = await chunks.next().catch((error: unknown) => {
          throw translate(error, this.#request, undefined);
        });
        this.#idle.stop();
        if (next.done === true) return;
        yield next.value;
      }
    } finally {
      this.#idle.stop();
      this.#outgoing.close();
      this.#response.body.on("error", () => {}).destroy();
    }
  }

  async readUpTo(bytesMax: number): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of this.read()) {
      chunks.push(chunk);
      sizeBytes += chunk.byteLength;
      if (sizeBytes >= bytesMax) break;
    }
    return Buffer.concat(chunks).subarray(0, bytesMax);
  }

  async discard(): Promise<void> {
    this.#idle.start();
    try {
      await this.#response.body.dump({ limit: discardBytesMax });
    } catch {
      // Nobody wants these bytes: a cut here concerns the connection only.
    } finally {
      this.#idle.stop();
      this.#outgoing.close();
    }
  }
}

const tlsHint =
  "pass the registry's certificate authority, or allow plain HTTP for this registry if it has no TLS";

function translate(
  error: unknown,
  request: ExchangeRequest,
  sourceFailure: { readonly error: unknown } | undefined,
): unknown {
  if (request.signal?.aborted) return request.signal.reason;
  if (sourceFailure) return sourceFailure.error;
  if (error instanceof RegistryError) return error;
  const code = codeOf(error);
  const host = request.url.host;
  const message = `${request.method} ${host}: ${messageOf(error) || code}`;
  if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_SSL|ERR_TLS|EPROTO/.test(code)) {
    return new RegistryError({ code: "connection-failed", message, hint: tlsHint, cause: error });
  }
  if (/^UND_ERR_(?:INVALID|REQ_|NOT_SUPPORTED|DESTROYED|CLOSED)/.test(code)) {
    return new RegistryError({ code: "protocol", message, cause: error });
  }
  return new RegistryConnectionError({
    host,
    message,
    cause: error,
    hint: `check that ${host} is the right registry and reachable from here`,
  });
}

function codeOf(error: unknown): string {
  const code: unknown =
    typeof error === "object" && error !== null && "code" in error ? error.code : "";
  return typeof code === "string" ? code : "";
}
