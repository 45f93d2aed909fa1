// Whatever a route looks like: if it is accepted, every way through it ends.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { end, model, out, problem, start, walk } from "./walk.ts";

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
    const ids = ["n0", "n1", "n2", "n3"];
    // Mostly forward: a graph that is tied together at random is nearly always refused.
    const targetOf = (at: number): fc.Arbitrary<string> =>
      fc.oneof(
        { arbitrary: fc.constantFrom(...ids.slice(at + 1), "e"), weight: 9 },
        { arbitrary: fc.constantFrom(...ids), weight: 1 },
      );
    const element = (id: string, at: number): fc.Arbitrary<unknown> => {
      const two = fc.tuple(targetOf(at), targetOf(at));
      return fc.oneof(
        two.map(([yes, no]) => ({
          id,
          type: "conditional",
          properties: { condition: { "metadata.plan": "free" } },
          outputs: { true: out(yes), false: out(no) },
        })),
        targetOf(at).map((next) => model(id, next)),
        two.map(([one, other]) => ({
          id,
          type: "percentage",
          outputs: { "40%": out(one), else: out(other) },
        })),
      );
    };
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
    expect(accepted).toBeGreaterThan(10);
  });
});
