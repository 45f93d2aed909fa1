// A route decides which models a call tries. What must hold: shares are what they say, the same person gets the same
// share, and a document that cannot work is refused with the place of its fault.
import { describe, expect, it } from "vitest";

import { planOf, readDocument } from "../../../../../gateway/route/dynamic/document.ts";
import { evaluate } from "../../../../../gateway/route/dynamic/evaluate.ts";
import { end, model, models, noFacts, out, problem, read, start, walk } from "./walk.ts";

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
    [{ models: ["a"], stickyBy: "model" }, /^stickyBy: model is no field of a call/],
    [{ models: ["a"], cacheTtl: "1s" }, /^cacheTtl: from a minute/],
    [{ models: ["a"], onStreamCut: "splice" }, /^onStreamCut: /],
    ["a", /^body: /],
  ])("%j is refused: %s", (route, message) => {
    expect(problem(route)).toMatch(message);
  });
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
