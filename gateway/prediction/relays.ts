import { GatewayError } from "../errors.ts";
import type { OnGatewayEvent } from "../events.ts";
import { relaysInFlightMax, retryAfterDefaultMs, type Deadlines } from "../limits.ts";
import type { Candidate } from "../route/candidate.ts";
import { Journey } from "../route/journey.ts";
import type { CallPayload, Telemetry } from "../telemetry/call-record.ts";
import type { Accounts } from "../usage/accounts.ts";
import { reportedUsage } from "../usage/usage.ts";
import { journeyFacts, spendFacts, type PaidRequest } from "./journey-facts.ts";
import type { Pools } from "../upstream/pools.ts";
import { forward, type Forwarded } from "../upstream/provider/forward.ts";
import type { Target } from "../upstream/provider/target.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";

export interface RelaysOptions {
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  readonly idSource: () => string;
  readonly onEvent: OnGatewayEvent;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly accounts: Accounts;
  readonly telemetry: Telemetry;
}

export interface Relay {
  readonly request: PaidRequest;
  readonly wire: WireRequest;
  readonly candidate: Candidate & { readonly target: Target & { readonly kind: "provider" } };
  /** Called once before anything is sent. */
  readonly onJourney: (journey: Journey) => void;
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
  async send(relay: Relay): Promise<Forwarded & { readonly journey: Journey }> {
    const { wire, request, candidate } = relay;
    this.#admit(request);
    const { pools, deadlines, idSource } = this.#options;
    const { provider } = candidate.target;
    const id = idSource();
    const journey = new Journey(journeyFacts(id, request, false), this.#options);
    relay.onJourney(journey);
    const leg = journey.begin(candidate);
    const startedAt = performance.now();
    let stopThis: ((reason: unknown) => void) | undefined;
    try {
      const forwarded = await forward({
        wire,
        provider,
        key: request.providerKey ?? provider.key,
        legId: leg.begin.id,
        pool: pools.get(originOf(provider.baseUrl)),
        deadlines,
        onFrame: unexpectedFrame,
        onStoppable: (stop) => {
          stopThis = stop;
          this.#stops.add(stop);
          relay.onStoppable(() => stop(callerGone));
        },
      });
      const { metrics, body } = forwarded;
      const usage = reportedUsage(metrics);
      leg.markOutput();
      leg.end({ state: "succeeded", metrics, ...(usage !== undefined && { usage }) });
      journey.finish(
        { status: "succeeded", payload: () => ({ input: wire.body, output: body }) },
        request.entry,
      );
      this.#report({ relay, id, startedAt, metrics });
      return { journey, ...forwarded };
    } catch (error) {
      const failure = GatewayError.from(error);
      const { code, message, upstreamStatus: status } = failure;
      const facts = { metrics: {}, code, error: message, ...(status !== undefined && { status }) };
      leg.end({ state: statusOf(failure), ...facts });
      const payload = (): CallPayload => ({ input: wire.body, output: null });
      journey.finish({ status: statusOf(failure), failure, payload }, request.entry);
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

  #admit(request: PaidRequest): void {
    try {
      this.#assertRoom();
      this.#options.accounts.admit(spendFacts(request));
    } catch (error) {
      request.meter?.end();
      throw error;
    }
  }

  #assertRoom(): void {
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
      model: end.relay.request.entry.id,
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
