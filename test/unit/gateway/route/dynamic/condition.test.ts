// Who reads a condition in a route must be able to trust it: it says yes exactly when MongoDB's words do, it never looks
// at a caller's secrets, and a wrong one is refused when it is written, not when a call comes.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import {
  conditionProblems,
  holds,
  type Condition,
} from "../../../../../gateway/route/dynamic/condition.ts";
import type { CallFacts } from "../../../../../gateway/route/dynamic/facts.ts";

const facts: CallFacts = {
  metadata: { plan: "free", seats: 12, isTrial: true },
  key: { id: "key-1", name: "app" },
  headers: { "x-region": "eu", "x-depth": "5", authorization: "Bearer secret" },
  inputBytes: 4_000,
  body: () => ({ stream: true, tools: [{ type: "function" }] }),
  surface: "openai",
  nowMs: Date.parse("2026-11-23T22:30:00Z"),
};

const cases: readonly (readonly [condition: Condition, isTrue: boolean])[] = [
  [{ "metadata.plan": "free" }, true],
  [{ "metadata.plan": { $eq: "paid" } }, false],
  [{ "metadata.plan": { $ne: "paid" } }, true],
  [{ "metadata.plan": { $in: ["paid", "free"] } }, true],
  [{ "metadata.plan": { $nin: ["paid"] } }, true],
  [{ "metadata.seats": { $gt: 10, $lte: 12 } }, true],
  [{ "metadata.seats": { $gt: "10" } }, false],
  [{ "metadata.isTrial": true }, true],
  [{ "metadata.team": { $exists: false } }, true],
  [{ "metadata.team": null }, true],
  [{ "metadata.team": { $ne: "a" } }, true],
  [{ "metadata.team": { $gt: 1 } }, false],
  [{ "metadata.toString": { $exists: true } }, false],
  [{ "headers.X-Region": "eu" }, true],
  [{ "headers.x-depth": { $gte: 5 } }, true],
  [{ "headers.x-depth": 5 }, true],
  [{ "key.name": { $regex: "^ap" } }, true],
  [{ "input.bytes": { $gt: 4_000 } }, false],
  [{ "input.tokens": { $gte: 1_000 } }, true],
  [{ "body.stream": true, "body.tools.0.type": "function" }, true],
  [{ "time.hour": { $gte: 22 }, "time.weekday": "monday", "time.date": "2026-11-23" }, true],
  [{ surface: { $not: { $eq: "cog" } } }, true],
  [{ $or: [{ "metadata.plan": "paid" }, { "key.id": "key-1" }] }, true],
  [{ $nor: [{ "metadata.plan": "paid" }, { "key.id": "key-2" }] }, true],
  [{ $and: [{ "metadata.plan": "free" }, { "metadata.seats": 1 }] }, false],
  [{ $not: { "metadata.plan": "free" } }, false],
  [{}, true],
];

describe("a condition", () => {
  it.each(cases)("%j is %j", (condition, isTrue) => {
    expect(conditionProblems(condition, "")).toEqual([]);
    expect(holds(condition, facts)).toBe(isTrue);
  });

  it("is false about a body that nobody has read", () => {
    const { body: _body, ...unread } = facts;
    expect(holds({ "body.stream": true }, unread)).toBe(false);
  });

  it.each([
    [{ "metadata.plan": { $like: "x" } }, "when.metadata.plan.$like"],
    [{ plan: "free" }, "when.plan"],
    [{ "headers.Authorization": "Bearer x" }, "when.headers.Authorization"],
    [{ "headers.x-api-key": { $exists: true } }, "when.headers.x-api-key"],
    [{ $or: [] }, "when.$or"],
    [{ $or: [{ $eq: 1 }] }, "when.$or.0.$eq"],
    [{ "metadata.a": { $in: "x" } }, "when.metadata.a.$in"],
    [{ "metadata.a": { $in: [{}] } }, "when.metadata.a.$in.0"],
    [{ "metadata.a": {} }, "when.metadata.a"],
    [{ "metadata.a": { $regex: "(a+)+$" } }, "when.metadata.a.$regex"],
    [{ "metadata.a": { $regex: "(" } }, "when.metadata.a.$regex"],
    ["metadata.plan == 'free'", "when"],
  ])("%j is refused at %s", (condition, path) => {
    expect(conditionProblems(condition, "when").map((problem) => problem.path)).toEqual([path]);
  });

  it("refuses nesting without end instead of overflowing the stack", () => {
    let condition: unknown = { "metadata.a": 1 };
    for (let depth = 0; depth < 5_000; depth += 1) condition = { $not: condition };
    expect(conditionProblems(condition, "")).toHaveLength(1);
  });

  it("says the opposite under $not and $nor, whatever it asks", () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    const operator = fc.constantFrom("$eq", "$ne", "$gt", "$gte", "$lt", "$lte");
    const field = fc.constantFrom("metadata.a", "metadata.b", "headers.x-a", "key.id", "surface");
    const atom = fc
      .tuple(field, operator, value)
      .map(([name, word, operand]): Condition => ({ [name]: { [word]: operand } }));
    const metadata = fc.record(
      { a: fc.oneof(fc.string(), fc.integer(), fc.boolean()), b: fc.string() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(atom, atom, metadata, (one, other, given) => {
        const asked: CallFacts = { ...facts, metadata: given };
        expect(conditionProblems({ $and: [one, other] }, "")).toEqual([]);
        expect(holds({ $not: one }, asked)).toBe(!holds(one, asked));
        expect(holds({ $nor: [one, other] }, asked)).toBe(!holds({ $or: [one, other] }, asked));
        expect(holds({ $and: [one, other] }, asked)).toBe(holds(one, asked) && holds(other, asked));
        expect(holds({ ...one }, asked)).toBe(holds(one, asked));
      }),
    );
  });
});
