import type { IncomingMessage } from "node:http";

import type { FoundModel } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import type { Call } from "../../http/call.ts";
import { limitError, type Limiter, type LimitState } from "../limits/limiter.ts";
import { limitHeaders } from "../limits/headers.ts";
import { createMeter, type CallMeter, type Charge } from "../limits/meter.ts";
import type { LimitRule } from "../limits/rule.ts";
import { isFor } from "../limits/standing-limit.ts";
import type { LimitSubject, Metadata } from "../limits/subject.ts";
import type { Route, RouteBook } from "./book.ts";
import { factsOf, type AskedFacts } from "./call-facts.ts";
import { dynamicPrefix, modelRoutePrefix } from "./document.ts";
import type { CallFacts } from "./facts.ts";
import type { LegSources } from "./legs.ts";
import { planCall, type PlannedCall } from "./plan-call.ts";

export interface RouterOptions {
  readonly book: RouteBook;
  readonly limiter: Limiter;
  readonly sources: LegSources;
  /** From 0 to 1, 1 not included. */
  readonly random: () => number;
}

/** What was found for a call by a route, and what was taken of its limits meanwhile. */
interface Chosen {
  readonly route: Route;
  readonly facts: CallFacts;
  readonly planned: PlannedCall;
  /** Limits before the first leg, charged when it was chosen: nobody else gets in between. */
  reserved: readonly Charge[];
}

/** Finds the way of a call by its route, and holds it to its limits. */
export class Router {
  readonly book: RouteBook;
  readonly limiter: Limiter;
  readonly sources: LegSources;
  readonly random: () => number;
  /** A surface may look a model up twice for one request; the dice are rolled once. */
  readonly #chosen = new WeakMap<IncomingMessage, Map<string, Chosen>>();

  constructor({ book, limiter, sources, random }: RouterOptions) {
    this.book = book;
    this.limiter = limiter;
    this.sources = sources;
    this.random = random;
  }

  close(): void {
    this.book.close();
  }

  /**
   * What `dynamic/NAME` is for this call; undefined when it names no route, and for who only looks at it: then it is an
   * entry of the catalog.
   * @throws `GatewayError`: `rate_limited`, `forbidden`, `provider_not_configured`, `model_not_found`
   */
  find(call: Call, name: string, asked: AskedFacts = {}): FoundModel | undefined {
    if (!name.startsWith(dynamicPrefix) || isLook(call)) return undefined;
    const route = this.book.get(name);
    return route === undefined ? undefined : this.#found(call, route, { name, asked });
  }

  /** A plain model with what its own route (`models/ID`) says; as it is when there is none, or a version is pinned. */
  withDefaults(call: Call, found: FoundModel, asked: AskedFacts = {}): FoundModel {
    const route = this.book.ofModel(found.entry.id);
    if (route === undefined || found.version !== undefined || isLook(call)) return found;
    const name = found.requestedModel ?? found.entry.id;
    return this.#found(call, route, { name, asked });
  }

  /**
   * Holds a call that begins to the limits for it, tells its caller how they stand, and counts it.
   * @throws `GatewayError` `rate_limited` with the time until it may come again
   */
  admit(call: Call, found: FoundModel, metadata: Metadata | undefined): CallMeter | undefined {
    const chosen = found.route === undefined ? undefined : this.#known(call, found.route);
    const { limits } = this.book;
    if (limits.length === 0 && chosen === undefined) return undefined;
    const facts = chosen?.facts ?? factsOf(call, {}, this.limiter.clock());
    const subject: LimitSubject = {
      facts:
        metadata === undefined ? facts : { ...facts, metadata: { ...facts.metadata, ...metadata } },
      key: call.key,
      model: found.entry.id,
      route: found.route,
    };
    const rules = [
      ...limits.filter((limit) => isFor(limit, subject)).map(({ name, rule }) => ({ name, rule })),
      ...(chosen?.route.plan.limits ?? []).map((rule) => ({
        name: `of ${chosen?.route.fullName}`,
        rule,
      })),
    ];
    const charges = this.#enter(call, subject, rules);
    if (chosen === undefined) {
      return charges.length === 0 ? undefined : createMeter({ charges, clock: this.limiter.clock });
    }
    return this.#meter(chosen, subject, charges);
  }

  #enter(
    call: Call,
    subject: LimitSubject,
    rules: readonly { readonly name: string; readonly rule: LimitRule }[],
  ): readonly Charge[] {
    for (const { name, rule } of rules) {
      const state = this.limiter.look(rule, subject);
      if (state.isOpen) continue;
      this.#tell(call, [state]);
      throw limitError(state, name);
    }
    const charges = rules.map(({ rule }) => this.limiter.charge(rule, subject));
    this.#tell(
      call,
      rules.map(({ rule }) => this.limiter.look(rule, subject)),
    );
    return charges;
  }

  #tell({ response }: Call, states: readonly LimitState[]): void {
    if (response.headersSent) return;
    const headers = limitHeaders(states.flatMap(({ standings }) => standings));
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  }

  /** Limits on the way to the first leg are charged already, those of others when their leg begins. */
  #meter(chosen: Chosen, subject: LimitSubject, entered: readonly Charge[]): CallMeter | undefined {
    const { legs, candidates } = chosen.planned;
    const gates = new Map(legs.map(({ node, gates: rules }) => [node, rules]));
    const first = legs[0]?.node;
    const reserved = chosen.reserved;
    chosen.reserved = [];
    const hasGates = legs.some(({ gates: rules }) => rules.length > 0);
    if (entered.length === 0 && !hasGates) return undefined;
    // A second prediction of the same request (a batch) has reserved nothing.
    const again =
      reserved.length === 0
        ? (gates.get(first ?? "") ?? []).map((rule) => this.limiter.charge(rule, subject))
        : [];
    return createMeter({
      charges: [...entered, ...reserved, ...again],
      clock: this.limiter.clock,
      chargeFor: (node) => {
        if (node === first || candidates.length === 0) return [];
        return (gates.get(node) ?? []).map((rule) => this.limiter.charge(rule, subject));
      },
    });
  }

  #known(call: Call, route: string): Chosen | undefined {
    return this.#chosen.get(call.request)?.get(route);
  }

  #found(
    call: Call,
    route: Route,
    { name, asked }: { readonly name: string; readonly asked: AskedFacts },
  ): FoundModel {
    const chosen = this.#known(call, route.fullName) ?? this.#choose(call, route, asked);
    const { planned } = chosen;
    const [first] = planned.candidates;
    if (first === undefined) throw this.#nothing(chosen, call);
    const { policy } = route.plan;
    return {
      entry: first.entry,
      candidates: planned.candidates,
      ...(Object.keys(policy).length > 0 && { policy }),
      requestedModel: name,
      route: route.fullName,
      ...(first.version !== undefined && { version: first.version }),
    };
  }

  #choose(call: Call, route: Route, asked: AskedFacts): Chosen {
    const facts = factsOf(call, asked, this.limiter.clock());
    const subject: LimitSubject = { facts, key: call.key, model: undefined, route: route.fullName };
    const reserved: Charge[] = [];
    const planned = planCall(route, {
      facts,
      key: call.key,
      providerKey: call.providerKey,
      sources: this.sources,
      random: this.random,
      look: (rule, isFirst) => {
        const state = this.limiter.look(rule, subject);
        if (isFirst && state.isOpen) reserved.push(this.limiter.charge(rule, subject));
        return state;
      },
    });
    const chosen: Chosen = { route, facts, planned, reserved };
    if (reserved.length > 0) giveBackUnused(call, chosen);
    const known = this.#chosen.get(call.request) ?? new Map<string, Chosen>();
    known.set(route.fullName, chosen);
    this.#chosen.set(call.request, known);
    return chosen;
  }

  /** Why a route led to no model. */
  #nothing({ route, planned, facts }: Chosen, call: Call): GatewayError {
    const { refusedBy, skipped } = planned;
    if (refusedBy !== undefined) {
      const subject = { facts, key: call.key, model: undefined, route: route.fullName };
      const state = this.limiter.look(refusedBy, subject);
      this.#tell(call, [state]);
      return limitError(state, `of ${route.fullName}`);
    }
    const [first] = skipped;
    if (first !== undefined) return first.failure;
    const isModel = route.fullName.startsWith(modelRoutePrefix);
    return new GatewayError(
      "model_not_found",
      `No model of ${route.fullName} is for this call: no condition of it holds.`,
      {
        parameter: "model",
        hint: `\`byom routes try ${isModel ? route.fullName : route.name}\` shows what was decided; a last model without \`when\` takes the rest.`,
      },
    );
  }
}

/** Who only looks at a model uses nothing up. */
function isLook({ method }: Call): boolean {
  return method === "GET" || method === "HEAD";
}

/** What no prediction took over by the end of the answer was not used. */
function giveBackUnused({ response }: Call, chosen: Chosen): void {
  const giveBack = (): void => {
    for (const { counter, taken } of chosen.reserved) counter.end(taken, { hasReached: false });
    chosen.reserved = [];
  };
  if (response.closed || response.destroyed) giveBack();
  else response.once("close", giveBack);
}
