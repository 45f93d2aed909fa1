import type { Dispatcher } from "undici";

import { GatewayError } from "../../errors.ts";
import { answerBytesMax, errorBytesMax, eventBytesMax, type Deadlines } from "../../limits.ts";
import { AnswerClock } from "../answer-clock.ts";
import type { Pools } from "../pools.ts";
import { createSseScanner } from "../sse-scanner.ts";
import type { ProviderAnswer, ProviderEvent, ProviderHttp, ProviderRequest } from "./adapter.ts";
import { parseDataUri } from "./data-uri.ts";
import { brokenAnswer, translateProviderFailure } from "./failure.ts";
import type { FetchFile } from "./fetch-file.ts";
import { FormBody } from "./form.ts";
import { translateNetworkFailure } from "./network.ts";
import type { Provider } from "./providers.ts";
import { isOwnOrigin, requestUrl } from "./url.ts";

export interface ProviderHttpOptions {
  readonly provider: Provider;
  /** The caller's or the operator's. */
  readonly key: string | undefined;
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  readonly signal: AbortSignal;
  /** Of a route that allows less time for a connection. */
  readonly connectMs?: number | undefined;
  /** Goes out as `x-client-request-id`, so that the provider's bill can be held against ours. */
  readonly legId?: string;
  /** Gets what an URL in an input refers to, with the guard against private addresses; default: such an URL is refused. */
  readonly fetchFile?: FetchFile;
}

/** A request that is sent after the call's end, such as a cancel: a job that runs on is paid for. */
const afterwardsTimeoutMs = 10_000;
/** A request that outlives its call: a little longer than any provider holds the line for a job that it has begun. */
const outlivingTimeoutMs = 75_000;
/** Hops from a provider's file to where it lies. */
const redirectsMax = 3;

/** HTTP to one provider, for one call. */
export function createProviderHttp(options: ProviderHttpOptions): ProviderHttp {
  const { provider, key, signal } = options;
  return {
    provider: provider.name,
    async json(request) {
      const answer = await whole(options, request, "application/json");
      return { ...answer, body: parseJson(provider.name, answer.body) };
    },
    bytes: (request) =>
      request.isDownload === true ? download(options, request) : whole(options, request, "*/*"),
    events: (request) => events(options, request),
    lines: (request) => lines(options, request),
    async file(uri) {
      const inline = parseDataUri(uri);
      if (inline !== undefined) return inline;
      if (options.fetchFile !== undefined && /^https?:\/\//i.test(uri)) {
        return options.fetchFile(uri, signal);
      }
      throw new GatewayError("invalid_input", "A file of the input must be a data URI.", {
        hint: "Upload it to /v1/files and name its URL, or send `data:TYPE;base64,…`.",
      });
    },
    async afterwards(request) {
      try {
        const late = AbortSignal.timeout(afterwardsTimeoutMs);
        await whole({ ...options, signal: late }, request, "application/json");
      } catch {
        // The call has ended already; the provider's own limits stop the job.
      }
    },
    failure: (status, body) =>
      translateProviderFailure({ provider: provider.name, key, status, body }),
  };
}

async function whole(
  options: ProviderHttpOptions,
  request: ProviderRequest,
  accept: string,
): Promise<ProviderAnswer<Buffer>> {
  const response = await send(options, request, { accept, isStream: false });
  const body = await collect(options, response.body, answerBytesMax);
  return { status: response.statusCode, headers: response.headers, body };
}

async function* events(
  options: ProviderHttpOptions,
  request: ProviderRequest,
): AsyncGenerator<ProviderEvent, void, void> {
  const { provider } = options;
  const { headers, body } = await send(options, request, {
    accept: "text/event-stream",
    isStream: true,
  });
  const contentType = String(headers["content-type"] ?? "");
  if (!contentType.startsWith("text/event-stream")) {
    await body.dump({ limit: errorBytesMax }).catch(() => undefined);
    throw brokenAnswer(provider.name, `${contentType || "no content type"} and not with a stream`);
  }
  const clock = new AnswerClock(options.deadlines, (failure) => body.destroy(failure));
  clock.spoke();
  const found: ProviderEvent[] = [];
  const scanner = createSseScanner({
    eventBytesMax,
    onEvent: (name, data) => found.push({ name, data: data.toString("utf8") }),
  });
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      scanner.push(chunk);
      if (found.length > 0) clock.spoke();
      yield* found.splice(0);
    }
    // Some servers leave out the empty line after the last event.
    scanner.push(Buffer.from("\n\n"));
    yield* found.splice(0);
  } catch (error) {
    throw translateNetworkFailure(error, { ...options, phase: "body" });
  } finally {
    clock.stop();
  }
}

async function* lines(
  options: ProviderHttpOptions,
  request: ProviderRequest,
): AsyncGenerator<string, void, void> {
  const { body } = await send(options, request, { accept: "application/json", isStream: true });
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let length = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      const [last = "", ...ended] = decoder
        .decode(chunk, { stream: true })
        .split("\n")
        .toReversed();
      for (const line of ended.toReversed()) {
        const whole = [...pieces, line].join("").trim();
        pieces = [];
        length = 0;
        if (whole !== "") yield whole;
      }
      pieces.push(last);
      length += last.length;
      if (length > eventBytesMax) {
        throw brokenAnswer(options.provider.name, `a line of more than ${eventBytesMax} bytes`);
      }
    }
  } catch (error) {
    throw translateNetworkFailure(error, { ...options, phase: "body" });
  }
  const rest = pieces.join("").trim();
  if (rest !== "") yield rest;
}

/** Sends a request; the answer's status is 2xx, its body not read yet. */
async function send(
  options: ProviderHttpOptions,
  request: ProviderRequest,
  kind: { readonly accept: string; readonly isStream: boolean },
): Promise<Dispatcher.ResponseData> {
  const url = requestUrl(options.provider.baseUrl, request.path);
  const response = await exchange(options, { ...kind, request, url });
  if (isOk(response)) return response;
  throw await refusal(options, request, response);
}

/** A file of the provider's, wherever it lies: only its own origin is trusted. */
async function download(
  options: ProviderHttpOptions,
  request: ProviderRequest,
): Promise<ProviderAnswer<Buffer>> {
  const { provider, fetchFile, signal } = options;
  let url = requestUrl(provider.baseUrl, request.path);
  for (let hops = 0; ; hops += 1) {
    if (fetchFile !== undefined && !isOwnOrigin(provider, url.origin)) {
      const { contentType, bytes } = await fetchFile(url.href, signal);
      return { status: 200, headers: { "content-type": contentType }, body: bytes };
    }
    const response = await exchange(options, { request, url, accept: "*/*", isStream: false });
    const { statusCode, headers, body } = response;
    if (isOk(response)) {
      return { status: statusCode, headers, body: await collect(options, body, answerBytesMax) };
    }
    const { location } = headers;
    const isRedirect = statusCode >= 300 && statusCode < 400 && typeof location === "string";
    if (!isRedirect || hops === redirectsMax) throw await refusal(options, request, response);
    await body.dump({ limit: errorBytesMax }).catch(() => undefined);
    url = new URL(location, url);
  }
}

function isOk({ statusCode }: Dispatcher.ResponseData): boolean {
  return statusCode >= 200 && statusCode < 300;
}

async function exchange(
  options: ProviderHttpOptions,
  {
    request,
    url,
    accept,
    isStream,
  }: {
    readonly request: ProviderRequest;
    readonly url: URL;
    readonly accept: string;
    readonly isStream: boolean;
  },
): Promise<Dispatcher.ResponseData> {
  const { provider, key, deadlines, signal } = options;
  const isKeyed = key !== undefined && isOwnOrigin(provider, url.origin);
  const { contentType, bytes } = encode(request.body);
  // A generation that is not streamed answers when it is done: only the call's total time bounds it.
  const isPrompt = isStream || request.method === "GET";
  try {
    signal.throwIfAborted();
    return await options.pools.get(url.origin, options.connectMs).request({
      method: request.method,
      path: url.pathname + url.search,
      headers: {
        accept,
        "accept-encoding": "identity",
        "user-agent": "byom",
        ...(contentType === undefined ? {} : { "content-type": contentType }),
        ...(isOwnOrigin(provider, url.origin) ? lowerCased(provider.headers) : {}),
        ...(options.legId !== undefined &&
          isOwnOrigin(provider, url.origin) && { "x-client-request-id": options.legId }),
        ...(isKeyed ? lowerCased(provider.adapter.authorize(key)) : {}),
        ...lowerCased(request.headers),
      },
      body: bytes ?? null,
      signal: request.outlivesCall === true ? AbortSignal.timeout(outlivingTimeoutMs) : signal,
      headersTimeout: isPrompt ? deadlines.firstByteMs : 0,
      bodyTimeout: deadlines.idleMs,
    });
  } catch (error) {
    throw translateNetworkFailure(error, { ...options, phase: "head" });
  }
}

async function refusal(
  options: ProviderHttpOptions,
  request: ProviderRequest,
  { statusCode, headers, body }: Dispatcher.ResponseData,
): Promise<GatewayError> {
  const bytes = await collect(options, body, errorBytesMax).catch(() => Buffer.alloc(0));
  options.signal.throwIfAborted();
  const text = bytes.toString("utf8");
  let parsed: unknown = text;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Shown as it is.
  }
  return translateProviderFailure({
    provider: options.provider.name,
    key: options.key,
    status: statusCode,
    headers,
    body: parsed,
    isLookup: request.method !== "POST" && request.isModelPage !== true,
  });
}

async function collect(
  options: ProviderHttpOptions,
  body: Dispatcher.ResponseData["body"],
  bytesMax: number,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > bytesMax) {
        throw brokenAnswer(options.provider.name, `more than ${bytesMax} bytes`);
      }
      chunks.push(chunk);
    }
  } catch (error) {
    throw translateNetworkFailure(error, { ...options, phase: "body" });
  }
  return chunks.length === 1 ? (chunks[0] ?? Buffer.alloc(0)) : Buffer.concat(chunks);
}

function encode(body: unknown): { readonly contentType?: string; readonly bytes?: Buffer } {
  if (body === undefined) return {};
  if (Buffer.isBuffer(body)) return { contentType: "application/octet-stream", bytes: body };
  if (body instanceof FormBody) return { contentType: body.contentType, bytes: body.bytes };
  return { contentType: "application/json", bytes: Buffer.from(JSON.stringify(body)) };
}

function parseJson(provider: string, body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return JSON.parse(body.toString("utf8"));
  } catch (cause) {
    throw brokenAnswer(provider, "something that is not JSON", cause);
  }
}

/** So that one source of headers replaces another's. */
function lowerCased(headers: Readonly<Record<string, string>> = {}): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  );
}
