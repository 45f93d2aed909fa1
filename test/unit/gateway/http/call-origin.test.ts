// What a call says about itself in headers: a price or a trace that is misread is told to an owner as true.
import { describe, expect, it } from "vitest";

import { callPolicyOf, customCostOf } from "../../../../gateway/http/call-origin.ts";

describe("cf-aig-custom-cost", () => {
  const read = (value: string): unknown => customCostOf({ "cf-aig-custom-cost": value });

  it("is read exactly, with small numbers that JSON writes with an exponent", () => {
    expect(read('{"per_token_in":2.5e-7,"per_token_out":0.000001}')).toEqual({
      perTokenIn: "0.00000025",
      perTokenOut: "0.000001",
    });
    expect(read('{"total_cost":"0.10"}')).toEqual({ total: "0.10" });
    expect(read('{"per_token_in":1}')).toEqual({ perTokenIn: "1", perTokenOut: "0" });
    expect(customCostOf({})).toBeUndefined();
  });

  it.each(["free", "{}", '{"total_cost":-1}', '{"total_cost":"1e3"}', '{"total_cost":{}}'])(
    "is refused when it is no price: %s",
    (value) => {
      expect(() => read(value)).toThrow(/cf-aig-custom-cost/);
    },
  );
});

describe("what a call says about its way", () => {
  it("is nothing where no header says anything", () => {
    expect(callPolicyOf({ "content-type": "application/json" })).toBeUndefined();
  });

  it("comes from Cloudflare's headers", () => {
    expect(
      callPolicyOf({
        "cf-aig-max-attempts": "2",
        "cf-aig-retry-delay": "0",
        "cf-aig-backoff": "linear",
        "cf-aig-request-timeout": "1500",
        "x-byom-on-cut": "continue",
      }),
    ).toEqual({
      attempts: 2,
      retryDelayMs: 0,
      backoff: "linear",
      deadlines: { firstOutputMs: 1500, startMs: 1500 },
      onStreamCut: "continue",
    });
  });

  it.each([
    ["cf-aig-max-attempts", "6"],
    ["cf-aig-retry-delay", "5001"],
    ["cf-aig-backoff", "random"],
    ["cf-aig-request-timeout", "soon"],
    ["x-byom-on-cut", "ignore"],
  ])("is refused with the header's name: %s: %s", (name, value) => {
    expect(() => callPolicyOf({ [name]: value })).toThrow(name);
  });
});
