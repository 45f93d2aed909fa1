// The order in which a call asks its upstreams: what is asked too often is paid twice, what is asked too seldom fails.
import { describe, expect, it } from "vitest";

import { GatewayError, type GatewayErrorFacts } from "../../../../gateway/errors.ts";
import { pauseMs } from "../../../../gateway/route/backoff.ts";
import { Breakers, consecutiveFailuresMax } from "../../../../gateway/route/breaker.ts";
import type { Candidate } from "../../../../gateway/route/candidate.ts";
import { Itinerary, mergePolicies } from "../../../../gateway/route/itinerary.ts";
import { defaultPolicy, type RoutePolicy } from "../../../../gateway/route/policy.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";
import { chatModel } from "../harness.ts";

const adapter = adapters.get("openai-compatible");
if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");

function at(name: string): Candidate {
  const provider = { name, adapter: adapter!, baseUrl: "http://127.0.0.1:1/v1" };
  return { entry: chatModel, target: { kind: "provider", provider, model: "m" } };
}

const own: Candidate = { entry: chatModel, target: { kind: "deployment", modelId: "acme/chat" } };
const [a, b, c] = [at("a"), at("b"), at("c")];
const begun = { hasBegun: false };

function plan(
  candidates: readonly Candidate[],
  policy?: Partial<RoutePolicy>,
  breakers = new Breakers({ clock: () => 0 }),
): Itinerary {
  const policyOf = (candidate: Candidate) => mergePolicies(policy, candidate.policy);
  return new Itinerary({ candidates, breakers, policyOf, random: () => 0 });
}

function failure(code: GatewayError["code"], facts?: GatewayErrorFacts): GatewayError {
  return new GatewayError(code, code, facts);
}

/** Who is asked, in order, when each fails alike; the pauses between. */
function walk(
  itinerary: Itinerary,
  why: (name: string) => GatewayError,
): { readonly names: string[]; readonly pauses: number[] } {
  const names: string[] = [];
  const pauses: number[] = [];
  for (let stop = itinerary.next(); stop !== undefined; stop = itinerary.next()) {
    const { target } = stop.candidate;
    const name = target.kind === "provider" ? target.provider.name : "own";
    names.push(name);
    const step = itinerary.failed(stop, why(name), begun);
    if (step.kind === "over") break;
    pauses.push(step.delayMs);
  }
  return { names, pauses };
}

describe("an itinerary", () => {
  it("asks each upstream once before any is asked again, and pauses only then", () => {
    const { names, pauses } = walk(plan([a, b]), () => failure("upstream_failed"));
    expect(names).toEqual(["a", "b", "a", "b", "a", "b"]);
    expect(pauses).toEqual([0, 200, 200, 400, 400]);
  });

  it("gives each upstream all of its tries first where their number is given", () => {
    const { names } = walk(plan([a, b], { attempts: 2 }), () => failure("upstream_failed"));
    expect(names).toEqual(["a", "a", "b", "b"]);
  });

  it("ends at once with the caller's own fault", () => {
    for (const code of ["invalid_input", "too_large", "canceled", "budget_exceeded"] as const) {
      expect(walk(plan([a, b]), () => failure(code)).names, code).toEqual(["a"]);
    }
  });

  it("does not ask again where the same upstream would say the same", () => {
    const refused = failure("upstream_failed", { upstreamStatus: 401 });
    expect(walk(plan([a, b]), () => refused).names).toEqual(["a", "b"]);
    expect(walk(plan([a]), () => failure("upstream_timeout")).names).toEqual(["a"]);
    expect(walk(plan([a, b]), () => failure("prediction_failed")).names).toEqual(["a", "b"]);
    expect(walk(plan([a, b]), () => failure("model_not_found")).names).toEqual(["a", "b"]);
  });

  it("asks an own model once: what made it break may break it again", () => {
    expect(walk(plan([own]), () => failure("upstream_cut")).names).toEqual(["own"]);
    const given = walk(plan([own], { attempts: 2 }), () => failure("upstream_cut"));
    expect(given.names).toEqual(["own", "own"]);
  });

  it("does not repeat what was begun at the same upstream", () => {
    const itinerary = plan([a, b]);
    const first = itinerary.next();
    if (first === undefined) throw new Error("nothing to ask");
    itinerary.failed(first, failure("upstream_failed"), { hasBegun: true });
    expect(walk(itinerary, () => failure("upstream_failed")).names).toEqual(["b", "b", "b"]);
  });

  it("waits as long as an upstream asks, up to a bound, and passes over one that asks for more", () => {
    const soon = failure("rate_limited", { upstreamRetryAfterMs: 1_500 });
    expect(walk(plan([a]), () => soon).pauses).toEqual([1_500, 1_500]);
    const late = failure("rate_limited", { upstreamRetryAfterMs: 60_000 });
    expect(walk(plan([a]), () => late).names).toEqual(["a"]);
    expect(walk(plan([a, b]), (name) => (name === "a" ? late : soon)).names).toEqual([
      "a",
      "b",
      "b",
      "b",
    ]);
  });

  it("asks one whose breaker is open after the others, and alone rather than nobody", () => {
    const breakers = new Breakers({ clock: () => 0 });
    for (let index = 0; index < consecutiveFailuresMax; index += 1) breakers.fail(a, "down");
    const { names } = walk(plan([a, b, c], { attempts: 1 }, breakers), () =>
      failure("upstream_failed"),
    );
    expect(names).toEqual(["b", "c", "a"]);
    expect(walk(plan([a], undefined, breakers), () => failure("upstream_failed")).names).toContain(
      "a",
    );
  });

  it("says which upstream is the last that was not asked yet", () => {
    const itinerary = plan([a, own]);
    const first = itinerary.next();
    expect(first?.isLast).toBe(false);
    if (first !== undefined) itinerary.failed(first, failure("upstream_failed"), begun);
    expect(itinerary.next()?.isLast).toBe(true);
  });
});

describe("policies", () => {
  it("are merged deadline by deadline, the call's over the candidate's over the route's", () => {
    const { policy, isAttemptsGiven } = mergePolicies(
      { deadlines: { idleMs: 1, totalMs: 2 }, backoff: "linear" },
      undefined,
      { deadlines: { totalMs: 3 }, backoff: "constant" },
    );
    expect(policy).toEqual({
      ...defaultPolicy,
      backoff: "constant",
      deadlines: { idleMs: 1, totalMs: 3 },
    });
    expect(isAttemptsGiven).toBe(false);
    expect(mergePolicies({ attempts: 1 }).isAttemptsGiven).toBe(true);
    expect(mergePolicies(undefined).policy).toBe(defaultPolicy);
  });

  it("pause by their backoff, never longer than they say, and not all callers at once", () => {
    const policy = { retryDelayMs: 100, retryDelayMaxMs: 350 };
    const pauses = (backoff: RoutePolicy["backoff"]) =>
      [1, 2, 3].map((tries) => pauseMs({ ...policy, backoff }, { tries, random: 0 }));
    expect(pauses("constant")).toEqual([100, 100, 100]);
    expect(pauses("linear")).toEqual([100, 200, 300]);
    expect(pauses("exponential")).toEqual([100, 200, 350]);
    expect(pauseMs({ ...policy, backoff: "constant" }, { tries: 1, random: 1 })).toBe(50);
  });
});
