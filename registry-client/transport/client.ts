import type { Dispatcher } from "undici";
import { Authenticator, describeScopes } from "../auth/authenticator.ts";
import type { Credentials } from "../auth/credentials.ts";
import type { Scope } from "../auth/scope.ts";
import { messageOf, RegistryError, RegistryResponseError } from "../errors.ts";
import type { OnRegistryEvent } from "../events.ts";
import { errorFromResponse, stripControlCharacters } from "./error.ts";
import { exchange, type ExchangeRequest, type ExchangeResponse } from "./exchange.ts";
import { redirectsMax, resolveAddress } from "./redirect.ts";
import {
  backoffMs,
  HostPauses,
  isRetryable,
  isRetryableStatus,
  type Clock,
  type RetryPolicy,
} from "./retry.ts";

/** A request to the registry: what it needs to be allowed, and which answers it can use. */
export interface TransportRequest extends ExchangeRequest {
  readonly scopes: readonly Scope[];
  readonly accept: readonly number[];
  /** Tries in all; default from the policy. 1 where the caller knows better how to go on. */
  readonly tries?: number;
}

export interface TransportOptions {
  readonly registry: URL;
  readonly dispatcher: Dispatcher;
  readonly credentials: Credentials | undefined;
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly onEvent: OnRegistryEvent;
  readonly idleTimeoutMs: number;
}

/** Warnings that are remembered so that each is reported once. */
const warningsMax = 1000;

/** Requests with authorization, redirects, shared pauses and retries. */
export class Transport {
  readonly registry: URL;
  readonly policy: RetryPolicy;
  readonly clock: Clock;
  readonly onEvent: OnRegistryEvent;
  readonly #dispatcher: Dispatcher;
  readonly #idleTimeoutMs: number;
  readonly #pauses: HostPauses;
  readonly #authenticator: Authenticator;
  readonly #warnings = new Set<string>();

  constructor(options: TransportOptions) {
    this.registry = options.registry;
    this.policy = options.policy;
    this.clock = options.clock;
    this.onEvent = options.onEvent;
    this.#dispatcher = options.dispatcher;
    this.#idleTimeoutMs = options.idleTimeoutMs;
    this.#pauses = new HostPauses(options.clock);
    this.#authenticator = new Authenticator({
      registry: options.registry,
      credentials: options.credentials,
      clock: options.clock,
      send: async (request, accept) =>
        this.#sendWithRetry({ ...request, accept, scopes: [] }, (one) => this.#once(one)),
    });
  }

  /** An address below the registry's `/v2/`. */
  address(path: string): URL {
    return new URL(`/v2/${path}`, this.registry);
  }

  /**
   * Sends until an accepted status comes back. Whoever calls reads or discards the body.
   * @throws RegistryResponseError, RegistryConnectionError, RegistryError `unsafe-address`; the signal's reason.
   */
  async send(request: TransportRequest): Promise<ExchangeResponse> {
    return this.#sendWithRetry(request, async (one) => this.#authorized(one));
  }

  /** Waits before the next try of something that was lost. @throws the signal's reason. */
  async backOff(options: {
    readonly host: string;
    readonly failures: number;
    readonly reason: unknown;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void> {
    const delayMs = backoffMs(options.failures, this.policy, this.clock);
    this.onEvent({
      type: "request-retry",
      host: options.host,
      reason: messageOf(options.reason),
      delayMs,
    });
    await this.clock.sleep(delayMs, options.signal);
  }

  /** Obeys an answer's Retry-After for every request to that host. @throws RegistryResponseError when it is too long. */
  noteRetryAfter(error: RegistryResponseError, host: string): boolean {
    if (error.retryAfterMs === undefined || !isRetryableStatus(error.status)) return false;
    if (error.retryAfterMs > this.policy.retryAfterMaxMs)
      throw tooLong(error, this.policy.retryAfterMaxMs);
    this.#pauses.extend(host, error.retryAfterMs);
    return true;
  }

  async #sendWithRetry(
    request: TransportRequest,
    attempt: (request: TransportRequest) => Promise<ExchangeResponse>,
  ): Promise<ExchangeResponse> {
    const tries = request.body?.isReplayable === false ? 1 : (request.tries ?? this.policy.tries);
    let failures = 0;
    let throttled = 0;
    for (;;) {
      await this.#pauses.wait(request.url.host, request.signal);
      const error = await this.#attempt(request, attempt);
      if (!(error instanceof Error)) return error;
      const isPaused =
        error instanceof RegistryResponseError && this.noteRetryAfter(error, request.url.host);
      if (isPaused && tries > 1 && ++throttled < this.policy.throttledTries) continue;
      failures += 1;
      if (!isRetryable(error) || failures >= tries) throw error;
      await this.backOff({
        host: request.url.host,
        failures,
        reason: error,
        signal: request.signal,
      });
    }
  }

  /** The accepted answer, or the error that took its place; whatever cannot be retried is thrown. */
  async #attempt(
    request: TransportRequest,
    attempt: (request: TransportRequest) => Promise<ExchangeResponse>,
  ): Promise<ExchangeResponse | RegistryError> {
    try {
      const response = await attempt(request);
      if (request.accept.includes(response.status)) return response;
      return await errorFromResponse(request.method, response, this.clock);
    } catch (error) {
      if (error instanceof RegistryError) return error;
      throw error;
    }
  }

  async #authorized(request: TransportRequest): Promise<ExchangeResponse> {
    const { scopes, signal } = request;
    if (request.url.host !== this.registry.host) return this.#followed(request, {});
    const headers = await this.#authenticator.authorize({
      scopes,
      hasBody: hasLongBody(request),
      signal,
    });
    const response = await this.#followed(request, headers);
    if (response.status !== 401 || response.url.host !== this.registry.host) return response;
    if (request.body?.isReplayable === false) return response;
    const header = response.header("www-authenticate");
    try {
      if (!(await this.#answer(request, header, headers["authorization"]))) return response;
    } catch (error) {
      await response.discard();
      throw error;
    }
    await response.discard();
    const second = await this.#followed(
      request,
      await this.#authenticator.authorize({ scopes, hasBody: false, signal }),
    );
    if (second.status === 401) throw await this.#refused(request, second);
    return second;
  }

  async #answer(
    request: TransportRequest,
    header: string | undefined,
    sent: string | undefined,
  ): Promise<boolean> {
    const { scopes, signal } = request;
    return this.#authenticator.answer({ header, scopes, sent, signal });
  }

  async #refused(
    request: TransportRequest,
    response: ExchangeResponse,
  ): Promise<RegistryResponseError> {
    const error = await errorFromResponse(request.method, response, this.clock);
    const scopes = describeScopes(request.scopes);
    return error.restated({
      message: `${error.message}; refused with fresh credentials${scopes === "" ? "" : `, wanted ${scopes}`}`,
    });
  }

  /** Follows redirects; Authorization stays with the registry's own host (distribution-spec 1.1, "Redirects"). */
  async #followed(
    request: TransportRequest,
    authorization: Record<string, string>,
  ): Promise<ExchangeResponse> {
    let url = request.url;
    for (let hops = 0; hops <= redirectsMax; hops += 1) {
      const own = url.host === this.registry.host ? authorization : {};
      const response = await this.#once({
        ...request,
        url,
        headers: { ...request.headers, ...own },
      });
      const location = response.header("location");
      if (location === undefined || !isFollowed(request, response.status)) return response;
      await response.discard();
      url = resolveAddress({
        address: location,
        base: url,
        registry: this.registry,
        what: "Location",
      });
    }
    throw new RegistryError({
      code: "protocol",
      message: `${this.registry.host} redirected ${request.method} more than ${redirectsMax} times`,
    });
  }

  async #once(request: ExchangeRequest): Promise<ExchangeResponse> {
    const response = await exchange(this.#dispatcher, request, {
      idleTimeoutMs: this.#idleTimeoutMs,
    });
    const warning = response.header("warning");
    if (warning !== undefined) this.#warn(warning, request.url.host);
    return response;
  }

  /** Shown once, never acted on (distribution-spec 1.1, "Warnings"). */
  #warn(header: string, host: string): void {
    for (const match of header.matchAll(/299 - "((?:[^"\\]|\\.)*)"/g)) {
      const text = stripControlCharacters((match[1] ?? "").replace(/\\(.)/g, "$1"));
      if (this.#warnings.has(text) || this.#warnings.size >= warningsMax) continue;
      this.#warnings.add(text);
      this.onEvent({ type: "registry-warning", host, text });
    }
  }
}

/** Bodies above this size, or of unknown size, are not started with a token about to expire. */
const longBodyBytes = 1024 * 1024;

function hasLongBody(request: TransportRequest): boolean {
  return request.body !== undefined && (request.body.sizeBytes ?? longBodyBytes) >= longBodyBytes;
}

function isFollowed(request: TransportRequest, status: number): boolean {
  const isReading = request.method === "GET" || request.method === "HEAD";
  if (status === 307 || status === 308) return isReading || request.body?.isReplayable !== false;
  return isReading && (status === 301 || status === 302 || status === 303);
}

function tooLong(error: RegistryResponseError, maxMs: number): RegistryResponseError {
  const seconds = Math.ceil((error.retryAfterMs ?? 0) / 1000);
  return error.restated({
    message: `${error.message}; the registry asks to wait ${seconds} s, more than the ${maxMs / 1000} s that we wait`,
    hint: `try again in ${seconds} s`,
  });
}
