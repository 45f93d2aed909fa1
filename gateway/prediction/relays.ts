import type { CatalogEntry } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";
import type { OnGatewayEvent } from "../events.ts";
import { relaysInFlightMax, retryAfterDefaultMs, type Deadlines } from "../limits.ts";
import { reportedUsage } from "../usage/usage.ts";
import type { Pools } from "../upstream/pools.ts";
import { forward, type Forwarded } from "../upstream/provider/forward.ts";
import type { Provider } from "../upstream/provider/providers.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";

export interface RelaysOptions {
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  readonly idSource: () => string;
  readonly onEvent: OnGatewayEvent;
}

export interface Relay {
  readonly entry: CatalogEntry;
  readonly wire: WireRequest;
  readonly provider: Provider;
  readonly key: string | undefined;
  /** Called once with what ends the call when its caller leaves. */
  readonly onStoppable: (stop: () => void) => void;
}

/**
 * Whole answers that pass through in the provider's own shape. There is no stream that could be read again, so there
 * is no run and no log: one exchange, counted while it lasts and reported at its end.
 */
export class Relays {
  readonly #options: RelaysOptions;
  readonly #stops = new Set<(reason: unknown) => void>();
  #isClosing = false;
  #onIdle: (() => void) | undefined;

  constructor(options: RelaysOptions) {
    this.#options = options;
  }

  /** @throws `GatewayError`: `shutting_down`, `capacity`, and what `forward` throws */
  async send(relay: Relay): Promise<Forwarded & { readonly id: string }> {
    this.#admit();
    const { pools, deadlines, idSource } = this.#options;
    const { wire, provider, key } = relay;
    const id = idSource();
    const startedAt = performance.now();
    let stopThis: ((reason: unknown) => void) | undefined;
    try {
      const forwarded = await forward({
        wire,
        provider,
        key,
        pool: pools.get(originOf(provider.baseUrl)),
        deadlines,
        onFrame: unexpectedFrame,
        onStoppable: (stop) => {
          stopThis = stop;
          this.#stops.add(stop);
          relay.onStoppable(() => stop(callerGone));
        },
      });
      this.#report({ relay, id, startedAt, metrics: forwarded.metrics });
      return { id, ...forwarded };
    } catch (error) {
      const failure = GatewayError.from(error);
      this.#report({ relay, id, startedAt, metrics: {}, failure });
      throw failure;
    } finally {
      if (stopThis !== undefined) this.#stops.delete(stopThis);
      if (this.#stops.size === 0) this.#onIdle?.();
    }
  }

  /** Refuses new calls and waits for those in flight; when the signal aborts, the rest is stopped. */
  async close({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.#isClosing = true;
    if (this.#stops.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onIdle = resolve;
    const stopAll = (): void => {
      for (const stop of this.#stops) stop(shuttingDown());
    };
    if (signal.aborted) stopAll();
    else signal.addEventListener("abort", stopAll, { once: true });
    await promise;
    signal.removeEventListener("abort", stopAll);
  }

  #admit(): void {
    if (this.#isClosing) throw shuttingDown();
    if (this.#stops.size < relaysInFlightMax) return;
    throw new GatewayError("capacity", "Too many calls are under way.", {
      retryAfterMs: retryAfterDefaultMs,
    });
  }

  #report(end: {
    readonly relay: Relay;
    readonly id: string;
    readonly startedAt: number;
    readonly metrics: Readonly<Record<string, unknown>>;
    readonly failure?: GatewayError;
  }): void {
    const { failure } = end;
    const usage = reportedUsage(end.metrics);
    this.#options.onEvent({
      type: "prediction-end",
      predictionId: end.id,
      model: end.relay.entry.id,
      status: failure === undefined ? "succeeded" : statusOf(failure),
      durationMs: performance.now() - end.startedAt,
      ...(failure === undefined ? {} : { error: failure.message, code: failure.code }),
      ...(usage === undefined ? {} : { usage }),
    });
  }
}

const callerGone = new GatewayError("canceled", "The caller left.");

function statusOf(failure: GatewayError): "canceled" | "failed" {
  return failure.code === "canceled" ? "canceled" : "failed";
}

function unexpectedFrame(): never {
  throw new GatewayError(
    "upstream_failed",
    "The provider streamed an answer that was asked whole.",
  );
}

function shuttingDown(): GatewayError {
  return new GatewayError("shutting_down", "The platform is shutting down.", {
    retryAfterMs: retryAfterDefaultMs,
  });
}

/** Of a base URL, without parsing it again for every call. */
function originOf(baseUrl: string): string {
  const slashAt = baseUrl.indexOf("/", baseUrl.indexOf("://") + 3);
  return slashAt === -1 ? baseUrl : baseUrl.slice(0, slashAt);
}
