// A limit is a promise to an upstream and to the other callers: never more than it says in any window, nothing taken
// for what never reached a model, and no memory for made-up names.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { CallFacts } from "../../../../../gateway/route/dynamic/facts.ts";
import type { Leg } from "../../../../../gateway/route/leg.ts";
import { Counters } from "../../../../../gateway/route/limits/counters.ts";
import { formatSpan, limitHeaders } from "../../../../../gateway/route/limits/headers.ts";
import { limitError, Limiter } from "../../../../../gateway/route/limits/limiter.ts";
import { createMeter, hasReached } from "../../../../../gateway/route/limits/meter.ts";
import { ruleOf, type LimitBody } from "../../../../../gateway/route/limits/rule.ts";
import {
  isFor,
  standingLimit,
  type LimitMatch,
} from "../../../../../gateway/route/limits/standing-limit.ts";
import type { LimitSubject } from "../../../../../gateway/route/limits/subject.ts";
import { Window } from "../../../../../gateway/route/limits/window.ts";
import { noCost } from "../../../../../gateway/usage/accounts.ts";

const minute = 60_000;

function subject(metadata: CallFacts["metadata"] = {}, inputBytes = 0): LimitSubject {
  return {
    facts: { metadata, headers: {}, nowMs: 0, inputBytes },
    key: { id: "key-1", name: "app", scopes: ["call"] },
    model: "acme/chat",
    route: undefined,
  };
}

function leg(end: Partial<Leg["end"]>, nanoUsd = 0): Leg {
  return {
    id: "l",
    callId: "c",
    index: 0,
    beganAtMs: 0,
    model: "acme/chat",
    version: 1,
    provider: "byom",
    upstreamModel: "acme/chat",
    metadata: {},
    isCallersKey: false,
    end: { state: "succeeded", durationMs: 1, metrics: {}, ...end },
    cost: { ...noCost, nanoUsd },
  };
}

const usage = { inputTokens: 30, outputTokens: 12, isEstimated: false };

class Bench {
  now = 1_000 * minute;
  readonly limiter = new Limiter({ clock: () => this.now });

  /** Lets a call in if its limit is open. */
  enter(
    body: LimitBody,
    who: LimitSubject = subject(),
  ): ReturnType<typeof createMeter> | undefined {
    const rule = ruleOf("limit:x", body);
    if (!this.limiter.look(rule, who).isOpen) return undefined;
    const charges = [this.limiter.charge(rule, who)];
    return createMeter({ charges, clock: () => this.now });
  }
}

describe("a window", () => {
  const steps = fc.array(fc.integer({ min: 0, max: 700 }), { minLength: 20, maxLength: 300 });

  it("never lets more in than the limit in any window of its length, when it slides", () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 9 }), (pauses, limit) => {
        const window = new Window(1_600, "sliding");
        const entered: number[] = [];
        let now = 5_000_000;
        for (const pause of pauses) {
          now += pause;
          if (window.opensInMs(now, limit) > 0) continue;
          window.add(now, 1);
          entered.push(now);
          const inWindow = entered.filter((at) => at > now - 1_600);
          expect(inWindow.length).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });

  it("opens when it said, and no call earlier would have got in", () => {
    fc.assert(
      fc.property(steps, fc.constantFrom("sliding" as const, "fixed" as const), (pauses, how) => {
        const window = new Window(1_600, how);
        let now = 5_000_000;
        for (const pause of pauses) {
          now += pause;
          const waitMs = window.opensInMs(now, 3);
          if (waitMs === 0) window.add(now, 1);
          else {
            expect(window.opensInMs(now + waitMs, 3)).toBe(0);
            expect(window.opensInMs(now + waitMs - 1, 3)).toBeGreaterThan(0);
          }
        }
      }),
    );
  });

  it("begins anew with each full minute when it is fixed", () => {
    const window = new Window(minute, "fixed");
    window.add(10 * minute + 59_000, 4);
    expect(window.used(10 * minute + 59_999)).toBe(4);
    expect(window.used(11 * minute)).toBe(0);
    expect(window.opensInMs(10 * minute + 59_000, 4)).toBe(1_000);
  });

  it("gives back only what is still counted", () => {
    const window = new Window(minute, "fixed");
    const mark = window.add(0, 3);
    window.giveBack(mark, 1);
    expect(window.used(1)).toBe(2);
    window.add(minute, 1);
    window.giveBack(mark, 3);
    expect(window.used(minute)).toBe(1);
  });
});

describe("a limit", () => {
  it("of requests lets in as many as it says and tells when the next one may come", () => {
    const bench = new Bench();
    for (let call = 0; call < 3; call += 1) expect(bench.enter({ requests: 3 })).toBeDefined();
    expect(bench.enter({ requests: 3 })).toBeUndefined();
    const state = bench.limiter.look(ruleOf("limit:x", { requests: 3 }), subject());
    const error = limitError(state, "x");
    expect(error).toMatchObject({ code: "rate_limited", status: 429 });
    expect(error.message).toBe("The limit x is reached: 3 requests per 60 s.");
    bench.now += error.retryAfterMs ?? 0;
    expect(bench.enter({ requests: 3 })).toBeDefined();
  });

  it("of tokens counts the input at once, and what the model said at the end", () => {
    const bench = new Bench();
    const body = { tokens: 100 };
    const rule = ruleOf("limit:x", body);
    const used = (): number =>
      100 - (bench.limiter.look(rule, subject()).standings[0]?.remaining ?? 0);
    const meter = bench.enter(body, subject({}, 400));
    expect(used()).toBe(100);
    expect(bench.enter(body)).toBeUndefined();
    meter?.count(leg({ usage }));
    meter?.end();
    expect(used()).toBe(42);
  });

  it("of money counts what legs cost, failed ones too", () => {
    const bench = new Bench();
    const body = { usd: 0.000_01 };
    const meter = bench.enter(body);
    meter?.count(leg({ state: "failed", code: "upstream_cut", usage }, 4_000));
    meter?.count(leg({}, 6_000));
    meter?.end();
    expect(bench.enter(body)).toBeUndefined();
    bench.now += 2 * minute;
    expect(bench.enter(body)).toBeDefined();
  });

  it("of calls at once opens when one ends, and counts an end once", () => {
    const bench = new Bench();
    const body = { concurrency: 2 };
    const first = bench.enter(body);
    bench.enter(body);
    expect(bench.enter(body)).toBeUndefined();
    first?.end();
    first?.end();
    expect(bench.enter(body)).toBeDefined();
    expect(bench.enter(body)).toBeUndefined();
  });

  it("counts each value of a field apart", () => {
    const bench = new Bench();
    const body = { requests: 1, per: ["metadata.team"] };
    expect(bench.enter(body, subject({ team: "a" }))).toBeDefined();
    expect(bench.enter(body, subject({ team: "a" }))).toBeUndefined();
    expect(bench.enter(body, subject({ team: "b" }))).toBeDefined();
    expect(bench.enter(body, subject())).toBeDefined();
    expect(bench.enter(body, subject())).toBeUndefined();
  });

  it("holds what it has counted when only its number changes", () => {
    const bench = new Bench();
    bench.enter({ requests: 1 });
    expect(bench.enter({ requests: 1 })).toBeUndefined();
    expect(bench.enter({ requests: 2 })).toBeDefined();
  });

  it.each([
    [{ state: "failed", code: "start_timeout" }, false],
    [{ state: "failed", code: "capacity" }, false],
    [{ state: "failed", code: "upstream_failed" }, false],
    [{ state: "canceled" }, false],
    [{ state: "failed", code: "upstream_failed", status: 500 }, true],
    [{ state: "failed", code: "upstream_timeout" }, true],
    [{ state: "failed", code: "prediction_failed" }, true],
    [{ state: "canceled", firstOutputMs: 3 }, true],
    [{ state: "succeeded" }, true],
    [{ state: "cached" }, true],
  ] as const)("is used up by %j: %j", (end, isUsed) => {
    const bench = new Bench();
    const meter = bench.enter({ requests: 1 });
    expect(hasReached(leg(end))).toBe(isUsed);
    meter?.count(leg(end));
    meter?.end();
    expect(bench.enter({ requests: 1 }) === undefined).toBe(isUsed);
  });

  it("is not used up by a call that ended before any try", () => {
    const bench = new Bench();
    bench.enter({ requests: 1 })?.end();
    expect(bench.enter({ requests: 1 })).toBeDefined();
  });

  it("of a later step of a route is charged when its turn comes, once", () => {
    const bench = new Bench();
    const rule = ruleOf("route:r/b", { requests: 5 });
    const meter = createMeter({
      charges: [],
      clock: () => bench.now,
      chargeFor: (node) => (node === "b" ? [bench.limiter.charge(rule, subject())] : []),
    });
    const left = (): unknown => bench.limiter.look(rule, subject()).standings[0]?.remaining;
    meter.begin("a");
    expect(left()).toBe(5);
    meter.begin("b");
    meter.begin("b");
    expect(left()).toBe(4);
    meter.end();
  });

  const matches: readonly (readonly [LimitMatch, boolean])[] = [
    [{}, true],
    [{ models: ["acme/*"] }, true],
    [{ models: ["other/*"] }, false],
    [{ keys: ["app"] }, true],
    [{ keys: ["key-1"] }, true],
    [{ keys: ["key-2"] }, false],
    [{ routes: ["dynamic/x"] }, false],
    [{ metadata: { team: "a" } }, true],
    [{ metadata: { team: "b" } }, false],
    [{ metadata: { constructor: "a" } }, false],
    [{ models: ["acme/chat"], metadata: { team: "b" } }, false],
  ];

  it.each(matches)("for %j is for the call: %j", (match, isMeant) => {
    const limit = standingLimit("x", { requests: 1, match });
    expect(isFor(limit, subject({ team: "a" }))).toBe(isMeant);
  });
});

describe("counters", () => {
  const rule = ruleOf("limit:x", { requests: 1, concurrency: 5 });

  it("are bounded, even when calls of all of them are under way", () => {
    const counters = new Counters({ max: 3 });
    const busy = counters.get(rule, "busy");
    busy.take(0, 0);
    for (let made = 0; made < 100; made += 1) counters.get(rule, `made-up-${made}`).take(0, 0);
    expect(counters.size).toBe(3);
  });

  it("keep a counter whose calls are under way while others come and go", () => {
    const counters = new Counters({ max: 3 });
    const busy = counters.get(rule, "busy");
    busy.take(0, 0);
    for (let made = 0; made < 100; made += 1) {
      const other = counters.get(rule, `made-up-${made}`);
      other.end(other.take(0, 0), { hasReached: true });
    }
    expect(counters.size).toBe(3);
    expect(counters.get(rule, "busy")).toBe(busy);
  });

  it("forget a limit that is gone", () => {
    const counters = new Counters();
    counters.get(rule, "a").take(0, 0);
    counters.forget("limit:x");
    expect(counters.size).toBe(0);
  });
});

describe("headers", () => {
  it("tell the tightest limit of requests and of tokens as OpenAI's API does", () => {
    const limiter = new Limiter({ clock: () => 1_000 * minute });
    const wide = ruleOf("limit:wide", { requests: 100, tokens: 5_000 });
    const tight = ruleOf("limit:tight", { requests: 10 });
    for (const rule of [wide, tight]) limiter.charge(rule, subject());
    const states = [wide, tight].map((rule) => limiter.look(rule, subject()));
    expect(limitHeaders(states.flatMap(({ standings }) => standings))).toEqual({
      "x-ratelimit-limit-requests": "10",
      "x-ratelimit-remaining-requests": "9",
      "x-ratelimit-reset-requests": "1m4s",
      "x-ratelimit-limit-tokens": "5000",
      "x-ratelimit-remaining-tokens": "5000",
      "x-ratelimit-reset-tokens": "0ms",
    });
  });

  it.each([
    [450, "450ms"],
    [6_150, "6.2s"],
    [360_000, "6m0s"],
    [3_723_000, "1h2m3s"],
  ])("write %i ms as %s", (ms, text) => {
    expect(formatSpan(ms)).toBe(text);
  });
});
