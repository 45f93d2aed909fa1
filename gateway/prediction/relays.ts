import { GatewayError, shuttingDown } from "../errors.ts";
import type { OnGatewayEvent } from "../events.ts";
import { relaysInFlightMax, retryAfterDefaultMs, type Deadlines } from "../limits.ts";
import type { Candidate } from "../route/candidate.ts";
import type { Breakers } from "../route/breaker.ts";
import { deadlinesOf, type RoutePolicy } from "../route/policy.ts";
import { Itinerary, mergePolicies, type Stop } from "../route/itinerary.ts";
import { Journey, type OpenLeg } from "../route/journey.ts";
import type { LegEnd } from "../route/leg.ts";
import type { CallPayload, Telemetry } from "../telemetry/call-record.ts";
import type { Accounts } from "../usage/accounts.ts";
import { reportedUsage, type Usage } from "../usage/usage.ts";
import { estimatedUsage, isCountedInTokens } from "./estimate.ts";
import { journeyFacts, spendFacts, type PaidRequest } from "./journey-facts.ts";
import type { RunRequest } from "./run.ts";
import { Stopper } from "./stopper.ts";
import type { Pools } from "../upstream/pools.ts";
import { forward, type Forwarded } from "../upstream/provider/forward.ts";
import { originOf } from "../upstream/provider/url.ts";
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
  readonly breakers: Breakers;
  /** Under what routes and calls say. */
  readonly policy: Partial<RoutePolicy> | undefined;
}

export interface Relay {
  readonly request: PaidRequest & Pick<RunRequest, "policy" | "overrides">;
  readonly wire: WireRequest;
  /** In order; all are providers that speak the shape of `wire`. */
  readonly candidates: readonly Candidate[];
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

  /**
   * Sends a request to the first of its upstreams that answers; all of them speak its shape.
   * @throws `GatewayError`: `shutting_down`, `capacity`, `budget_exceeded`, and what `forward` throws
   */
  async send(relay: Relay): Promise<Forwarded & { readonly journey: Journey }> {
    const { wire, request } = relay;
    this.#admit(request);
    const id = this.#options.idSource();
    const journey = new Journey(journeyFacts(id, request, false), this.#options);
    relay.onJourney(journey);
    const startedAt = performance.now();
    const stopper = new Stopper(relay.onStoppable);
    this.#stops.add(stopper.stop);
    try {
      const forwarded = await this.#travel(relay, journey, stopper);
      const { metrics, body } = forwarded;
      journey.finish(
        { status: "succeeded", payload: () => ({ input: wire.body, output: body }) },
        request.entry,
      );
      this.#report({ relay, id, startedAt, metrics });
      return { journey, ...forwarded };
    } catch (error) {
      const failure = GatewayError.from(error);
      const payload = (): CallPayload => ({ input: wire.body, output: null });
      journey.finish({ status: statusOf(failure), failure, payload }, request.entry);
      this.#report({ relay, id, startedAt, metrics: {}, failure });
      throw failure;
    } finally {
      this.#stops.delete(stopper.stop);
      if (this.#stops.size === 0) this.#onIdle?.();
    }
  }

  /** From upstream to upstream until one has answered, or none is left. */
  async #travel(relay: Relay, journey: Journey, stopper: Stopper): Promise<Forwarded> {
    const { request, candidates } = relay;
    const { breakers, policy } = this.#options;
    const itinerary = new Itinerary({
      candidates,
      breakers,
      policyOf: (candidate) =>
        mergePolicies(policy, request.policy, candidate.policy, request.overrides),
    });
    let refusal: GatewayError | undefined;
    let stop = itinerary.next();
    for (;;) {
      if (stop === undefined) {
        throw refusal ?? new GatewayError("internal", "A call without an upstream.");
      }
      refusal = journey.refusalOf(stop.candidate);
      if (refusal !== undefined) {
        itinerary.passedOver(stop);
        stop = itinerary.next();
        continue;
      }
      const leg = journey.begin(stop.candidate);
      try {
        const forwarded = await this.#forward(relay, stop, leg, stopper);
        itinerary.succeeded(stop);
        return forwarded;
      } catch (error) {
        const failure = GatewayError.from(error);
        leg.end(failedLeg(failure));
        const step = itinerary.failed(stop, failure, { hasBegun: false });
        if (step.kind === "over" || stopper.reason !== undefined) throw failure;
        if (step.delayMs > 0) await stopper.sleep(step.delayMs);
      }
      stop = itinerary.next();
    }
  }

  async #forward(
    { wire, request }: Relay,
    { candidate, policy }: Stop,
    leg: OpenLeg,
    stopper: Stopper,
  ): Promise<Forwarded> {
    const { target } = candidate;
    if (target.kind !== "provider") throw new GatewayError("internal", "No provider's call.");
    const { provider, model } = target;
    const { firstOutputMs, connectMs } = policy.deadlines;
    const late = firstOutputMs === undefined ? undefined : stopper.limit(firstOutputMs);
    try {
      const forwarded = await forward({
        wire:
          wire.model === model || wire.bodyFor === undefined
            ? wire
            : { ...wire, body: wire.bodyFor(model) },
        provider,
        key: request.providerKey ?? provider.key,
        legId: leg.begin.id,
        pool: this.#options.pools.get(originOf(provider.baseUrl), connectMs),
        deadlines: deadlinesOf(this.#options.deadlines, policy),
        onFrame: unexpectedFrame,
        onStoppable: (stop) => stopper.set(stop),
      });
      const { metrics, body } = forwarded;
      const usage = reportedUsage(metrics) ?? estimatedWhole(request, { wire, body, metrics });
      leg.markOutput();
      leg.end({ state: "succeeded", metrics, ...(usage !== undefined && { usage }) });
      return forwarded;
    } finally {
      clearTimeout(late);
    }
  }

  /** Whether calls ask two upstreams at a time, which takes a run, unless their route says otherwise. */
  get isHedged(): boolean {
    return this.#options.policy?.hedgeMs !== undefined;
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

function failedLeg(failure: GatewayError): Omit<LegEnd, "durationMs" | "firstOutputMs"> {
  const { code, message, upstreamStatus: status } = failure;
  const facts = { metrics: {}, code, error: message, ...(status !== undefined && { status }) };
  return { state: statusOf(failure), ...facts };
}

/** Of an answer whose provider does not count. */
function estimatedWhole(
  { entry }: Relay["request"],
  answer: {
    readonly wire: WireRequest;
    readonly body: Buffer | undefined;
    readonly metrics: Readonly<Record<string, unknown>>;
  },
): Usage | undefined {
  const { wire, body, metrics } = answer;
  if (body === undefined || !isCountedInTokens(entry.task)) return undefined;
  const data = Buffer.concat([Buffer.from("data:"), body]);
  const events = [{ index: 0, kind: "raw", data }] as const;
  return estimatedUsage({ metrics, input: {}, wire, events, share: 1 });
}

function statusOf(failure: GatewayError): "canceled" | "failed" {
  return failure.code === "canceled" ? "canceled" : "failed";
}

function unexpectedFrame(): never {
  throw new GatewayError(
    "upstream_failed",
    "The provider streamed an answer that was asked whole.",
  );
}
