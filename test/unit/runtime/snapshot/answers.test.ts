/**
 * Whether a restored instance answers as before. Too strict, and every second restore of a model that adds floats in
 * threads is thrown away; too lax, and a broken one serves.
 */
import { describe, expect, it } from "vitest";

import { answersAgree } from "../../../../runtime/snapshot/answers.ts";

describe("answers", () => {
  it.each<[string, unknown, unknown]>([
    ["texts", "a cat", "a cat"],
    ["the last bits of floats in 32 bits", [0.123456789, -3.0000001], [0.1234567, -3]],
    ["a float that came out whole", { score: 1 }, { score: 0.99999994 }],
    ["rests around zero", [1e-9], [-3e-8]],
    ["names in another order", { a: [null, true], b: {} }, { b: {}, a: [null, true] }],
    ["nothing", null, null],
  ])("agree in %s", (_, one, other) => {
    expect(answersAgree(one, other)).toBe(true);
    expect(answersAgree(other, one)).toBe(true);
  });

  it.each<[string, unknown, unknown]>([
    ["a text", "a cat", "a cart"],
    ["a count", { count: 100_000 }, { count: 100_001 }],
    ["the third digit of a float", [0.123], [0.124]],
    ["a sign", [0.5], [-0.5]],
    ["the order of a list", [1, 2], [2, 1]],
    ["a missing end", [0.1, 0.2], [0.1]],
    ["a name", { a: 1 }, { b: 1 }],
    ["a name of every object", { constructor: 1 }, { a: 1 }],
    ["a list and an object", [1], { 0: 1 }],
    ["nothing and an empty object", null, {}],
    ["a number and a text", 1, "1"],
    ["zero and no number", [0], [Number.NaN]],
  ])("differ in %s", (_, one, other) => {
    expect(answersAgree(one, other)).toBe(false);
    expect(answersAgree(other, one)).toBe(false);
  });
});
