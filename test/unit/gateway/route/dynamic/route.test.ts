// A route decides which models a call tries. What must hold: every way through it ends, shares are what they say, the
// same person gets the same share, and a document that cannot work is refused with the place of its fault.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  planOf,
  readDocument,
  type RouteDocument,
} from "../../../../../gateway/route/dynamic/document.ts";
import { evaluate, type Evaluation } from "../../../../../gateway/route/dynamic/evaluate.ts";
import type { CallFacts } from "../../../../../gateway/route/dynamic/facts.ts";

const noFacts: CallFacts = { metadata: {}, headers: {}, nowMs: 0 };

interface Asked {
  readonly metadata?: CallFacts["metadata"];
  readonly draws?: readonly number[];
  /** Ids of limits that are reached. */
  readonly shut?: readonly string[];
}

function read(value: unknown): RouteDocument {
  return readDocument(value, { routeName: "r" });
}

function walk(value: unknown, { metadata = {}, draws = [0], shut = [] }: Asked = {}): Evaluation {
  let turn = 0;
  return evaluate(planOf(read(value), "r").graph, {
    facts: { ...noFacts, metadata },
    random: () => draws[turn++ % draws.length] ?? 0,
    mayPass: ({ id }) => ({ isOpen: !shut.includes(id) }),
  });
}

function models(value: unknown, asked?: Asked): readonly string[] {
  return walk(value, asked).legs.map(({ plan }) => plan.model);
}

function problem(value: unknown): string {
  try {
    read(value);
  } catch (error) {
    return (error as Error).message;
  }
  return "nothing";
}

describe("the short form", () => {
  it("tries models in their order, and only those whose condition holds", () => {
    const route = {
      models: [{ model: "big", when: { "metadata.plan": "paid" } }, "small", "spare"],
    };
    expect(models(route)).toEqual(["small", "spare"]);
    expect(models(route, { metadata: { plan: "paid" } })).toEqual(["big", "small", "spare"]);
  });

  it("draws who comes first by weight, and keeps the others behind it", () => {
    const route = { models: [{ model: "a", weight: 3 }, { model: "b", weight: 1 }, "spare"] };
    expect(models(route, { draws: [0.74] })).toEqual(["a", "b", "spare"]);
    expect(models(route, { draws: [0.76, 0] })).toEqual(["b", "a", "spare"]);
  });

  it("gives a canary its percent of the calls and falls back to the rest, and the other way round", () => {
    const route = { models: [{ model: "canary", percent: 10 }, "stable"] };
    expect(models(route, { draws: [0.09] })).toEqual(["canary", "stable"]);
    expect(models(route, { draws: [0.11] })).toEqual(["stable", "canary"]);
  });

  it("goes past a model whose limit is reached", () => {
    const route = { models: [{ model: "a", limits: { requests: 5, window: "1m" } }, "b"] };
    expect(models(route)).toEqual(["a", "b"]);
    expect(models(route, { shut: ["route:r/models.0"] })).toEqual(["b"]);
    const only = { models: [{ model: "a", limits: { requests: 5 } }] };
    expect(walk(only, { shut: ["route:r/models.0"] }).refusedBy?.id).toBe("route:r/models.0");
  });

  it("gives each leg its own policy and the route the rest", () => {
    const route = {
      models: [{ model: "a", timeoutMs: 900, attempts: 1, deadlines: { idleMs: 50 } }],
      attempts: 2,
      onStreamCut: "restart",
      detach: { graceMs: 7 },
      hedgeMs: 300,
      cacheTtl: "10m",
    };
    expect(walk(route).legs[0]?.plan.policy).toEqual({
      attempts: 1,
      deadlines: { firstOutputMs: 900, idleMs: 50 },
    });
    expect(planOf(read(route), "r").policy).toEqual({
      attempts: 2,
      onStreamCut: "restart",
      detach: { kind: "grace", ms: 7 },
      hedgeMs: 300,
      cache: { ttlS: 600 },
    });
  });

  it("is its own model where it is about one", () => {
    const document = readDocument({ attempts: 2 }, { routeName: "models/acme/chat" });
    const { graph } = planOf(document, "models/acme/chat");
    const { legs } = evaluate(graph, {
      facts: noFacts,
      random: () => 0,
      mayPass: () => ({ isOpen: true }),
    });
    expect(legs.map(({ plan }) => plan.model)).toEqual(["acme/chat"]);
  });

  it.each([
    [{ models: [] }, /^models: /],
    [{ attempts: 2 }, /^models: names the models/],
    [{ models: [{ model: "a", wieght: 1 }] }, /^models\.0: /],
    [
      {
        models: [
          { model: "a", percent: 60 },
          { model: "b", percent: 50 },
        ],
      },
      /^models: .*110/,
    ],
    [
      {
        models: [
          { model: "a", percent: 60 },
          { model: "b", percent: 30 },
        ],
      },
      /^models: .*90/,
    ],
    [
      {
        models: [
          { model: "a", percent: 60 },
          { model: "b", weight: 1 },
        ],
      },
      /^models: weight and/,
    ],
    [{ models: [{ model: "a", when: { plan: 1 } }] }, /^models\.0\.when\.plan: plan is no field/],
    [{ models: ["dynamic/other"] }, /^models\.0\.model: a route cannot lead to another/],
    [{ models: ["a"], limits: [{ window: "1m" }] }, /^limits\.0: limits nothing/],
    [{ models: ["a"], limits: [{ requests: 1, window: "1y" }] }, /^limits\.0\.window: /],
    [{ models: ["a"], limits: [{ requests: 1, per: ["team"] }] }, /^limits\.0\.per\.0: team is no/],
    [{ models: ["a"], cacheTtl: "1s" }, /^cacheTtl: from a minute/],
    [{ models: ["a"], onStreamCut: "splice" }, /^onStreamCut: /],
    ["a", /^body: /],
  ])("%j is refused: %s", (route, message) => {
    expect(problem(route)).toMatch(message);
  });
});

const out = (elementId: string): { elementId: string } => ({ elementId });
const start = (to: string): unknown => ({ id: "s", type: "start", outputs: { next: out(to) } });
const end = { id: "e", type: "end", outputs: {} };
const model = (id: string, fallback?: string): unknown => ({
  id,
  type: "model",
  properties: { provider: "openai", model: id, timeout: 500, retries: 2 },
  outputs: { success: out("e"), ...(fallback !== undefined && { fallback: out(fallback) }) },
});

describe("Cloudflare's form", () => {
  it("branches by a condition, in the spelling of the documentation and in that of the client", () => {
    for (const spelling of ["condition", "conditions"]) {
      const route = {
        elements: [
          start("c"),
          {
            id: "c",
            type: "conditional",
            properties: { [spelling]: { "metadata.plan": { $eq: "free" } } },
            outputs: { true: out("small"), false: out("big") },
          },
          model("small", "big"),
          model("big", "e"),
          end,
        ],
      };
      expect(models(route)).toEqual(["big"]);
      expect(models(route, { metadata: { plan: "free" } })).toEqual(["small", "big"]);
    }
  });

  it("reads timeouts as the time to the first output and retries as tries beside the first", () => {
    const { legs } = walk({ elements: [start("m"), model("m"), end] });
    expect(legs[0]?.plan).toEqual({
      path: "elements.1.properties",
      provider: "openai",
      model: "m",
      policy: { attempts: 3, deadlines: { firstOutputMs: 500 } },
    });
  });

  it("limits by either spelling, and goes on by its fallback", () => {
    const spellings = [
      { type: "rate_limit", properties: { interval: 60, technique: "fixed" } },
      { type: "rate", properties: { window: 60 } },
    ];
    for (const { type, properties } of spellings) {
      const route = {
        elements: [
          start("r1"),
          {
            id: "r1",
            type,
            properties: { limitType: "count", key: "metadata.user", limit: 2, ...properties },
            outputs: { success: out("a"), fallback: out("b") },
          },
          model("a", "b"),
          model("b"),
          end,
        ],
      };
      const free = walk(route);
      expect(free.legs.map(({ plan }) => plan.model)).toEqual(["a", "b"]);
      expect(free.legs[0]?.gates).toMatchObject([
        { id: "route:r/r1", requests: 2, windowMs: 60_000, per: ["metadata.user"] },
      ]);
      expect(models(route, { shut: ["route:r/r1"] })).toEqual(["b"]);
    }
  });

  it("ends in a refusal where a limit has no fallback", () => {
    const route = {
      elements: [
        start("r1"),
        {
          id: "r1",
          type: "rate",
          properties: { limitType: "cost", limit: 1.5, window: 60 },
          outputs: { success: out("a") },
        },
        model("a"),
        end,
      ],
    };
    expect(walk(route, { shut: ["route:r/r1"] })).toMatchObject({
      legs: [],
      refusedBy: { usd: 1.5 },
    });
  });

  it("shares calls out, the rest to else", () => {
    const route = {
      elements: [
        start("p"),
        {
          id: "p",
          type: "percentage",
          outputs: { "10%": out("a"), "20%": out("b"), else: out("c") },
        },
        model("a"),
        model("b"),
        model("c"),
        end,
      ],
    };
    expect(models(route, { draws: [0.05] })).toEqual(["a"]);
    expect(models(route, { draws: [0.25] })).toEqual(["b"]);
    expect(models(route, { draws: [0.999] })).toEqual(["c"]);
  });

  const shares = (outputs: unknown): unknown => ({
    elements: [start("p"), { id: "p", type: "percentage", outputs }, model("a"), end],
  });

  it.each([
    [{ elements: [start("m"), model("m", "n"), model("n", "m"), end] }, /m → n → m/],
    [{ elements: [start("m"), model("m", "m"), end] }, /m → m/],
    [{ elements: [start("m"), model("m"), model("n"), end] }, /^elements\.2: n no way leads/],
    [{ elements: [start("x"), end] }, /^elements\.0\.outputs\.next: there is no element x/],
    [{ elements: [start("e"), end] }, /no model is on any way/],
    [{ elements: [model("m"), end] }, /0 elements of type start/],
    [
      { elements: [start("m"), model("m"), model("m"), end] },
      /^elements\.2\.id: m is the id of two/,
    ],
    [{ elements: [start("m"), { ...end, id: "m", type: "loop" }] }, /^elements\.1\.type: /],
    [shares({ "10%": out("a") }), /^elements\.1\.outputs: the shares add up to 10%/],
    [shares({ "70%": out("a"), "60%": out("a"), else: out("a") }), /add up to 130%/],
    [shares({ some: out("a") }), /neither such as 10% nor else/],
    [shares({ else: out("a") }), /0 shares/],
    [{ elements: [] }, /^elements: /],
  ])("%j is refused: %s", (route, message) => {
    expect(problem(route)).toMatch(message);
  });
});

describe("a draw", () => {
  const route = {
    models: [
      { model: "a", percent: 30 },
      { model: "b", percent: 70 },
    ],
    stickyBy: "metadata.user",
  };

  it("is the same for the same person, and spreads people as the shares say", () => {
    const first = (user: string, chance: number): string | undefined =>
      models(route, { metadata: { user }, draws: [chance] })[0];
    let toA = 0;
    for (let user = 0; user < 1_000; user += 1) {
      const here = first(`user-${user}`, 0);
      expect(first(`user-${user}`, 0.99)).toBe(here);
      if (here === "a") toA += 1;
    }
    expect(toA).toBeGreaterThan(240);
    expect(toA).toBeLessThan(360);
  });

  it("is by chance for who has no name", () => {
    expect(models(route, { draws: [0.1] })[0]).toBe("a");
    expect(models(route, { draws: [0.9] })[0]).toBe("b");
  });

  it("gives each model its share of the calls", () => {
    const weighted = {
      models: [
        { model: "a", weight: 1 },
        { model: "b", weight: 3 },
      ],
    };
    const draws = Array.from({ length: 400 }, (_, index) => index / 400);
    const toA = draws.filter((draw) => models(weighted, { draws: [draw] })[0] === "a");
    expect(toA).toHaveLength(100);
  });
});

describe("any route that is accepted", () => {
  const names = fc.constantFrom("a", "b", "c", "d");
  const condition = fc.record({ "metadata.plan": fc.constantFrom("free", "paid") });
  const leg = fc.record(
    {
      model: names,
      weight: fc.integer({ min: 1, max: 9 }),
      when: condition,
      limits: fc.record({ requests: fc.integer({ min: 1, max: 9 }) }),
      attempts: fc.integer({ min: 1, max: 3 }),
    },
    { requiredKeys: ["model"] },
  );
  const short = fc.record({ models: fc.array(leg, { minLength: 1, maxLength: 6 }) });

  it("ends, tries each leg at most once, and only legs whose condition holds", () => {
    const draws = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), {
      minLength: 1,
      maxLength: 5,
    });
    const plans = fc.constantFrom("free", "paid", "none");
    const shut = fc.array(fc.integer({ min: 0, max: 5 }).map((at) => `route:r/models.${at}`));
    fc.assert(
      fc.property(short, draws, plans, shut, (route, drawn, plan, limits) => {
        const { legs } = walk(route, { draws: drawn, metadata: { plan }, shut: limits });
        const paths = legs.map((planned) => planned.plan.path);
        expect(new Set(paths).size).toBe(paths.length);
        const wanted = route.models.flatMap(({ when, limits: gate }, index) => {
          const isMeant = when === undefined || when["metadata.plan"] === plan;
          const isShut = gate !== undefined && limits.includes(`route:r/models.${index}`);
          return isMeant && !isShut ? [`models.${index}`] : [];
        });
        expect(paths.toSorted()).toEqual(wanted.toSorted());
      }),
    );
  });

  it("ends as Cloudflare's graph too, however its outputs are tied together", () => {
    const ids = ["n0", "n1", "n2", "n3"] as const;
    const target = fc.constantFrom("n1", "n2", "n2", "n3", "n3", "e");
    const element = (id: string): fc.Arbitrary<unknown> =>
      fc.oneof(
        fc.tuple(target, target).map(([yes, no]) => ({
          id,
          type: "conditional",
          properties: { condition: { "metadata.plan": "free" } },
          outputs: { true: out(yes), false: out(no) },
        })),
        target.map((next) => model(id, next)),
        fc.tuple(target, target).map(([one, other]) => ({
          id,
          type: "percentage",
          outputs: { "40%": out(one), else: out(other) },
        })),
      );
    const graph = fc.tuple(...ids.map(element)).map((elements) => ({
      elements: [start("n0"), ...elements, end],
    }));
    let accepted = 0;
    fc.assert(
      fc.property(graph, fc.double({ min: 0, max: 0.99, noNaN: true }), (route, draw) => {
        if (problem(route) !== "nothing") return;
        accepted += 1;
        const { legs } = walk(route, { draws: [draw] });
        const paths = legs.map((planned) => planned.plan.path);
        expect(new Set(paths).size).toBe(paths.length);
      }),
      { numRuns: 1_000 },
    );
    // Most are refused, with a circle or a node that nobody reaches.
    expect(accepted).toBeGreaterThan(10);
  });
});
