// What one try of a call costs. What breaks when one of these fails: a customer's bill.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Price, PriceUnit } from "../../../../gateway/catalog/entry.ts";
import { costOfLeg } from "../../../../gateway/usage/meter.ts";
import { unitsMade } from "../../../../gateway/usage/units.ts";
import { legBegin, legEnd } from "./legs.ts";

const price = (unit: PriceUnit, usd: string, per = 1): Price => ({ unit, usd, per });
const million = 1_000_000;
const chat: readonly Price[] = [
  price("input-token", "2.5", million),
  price("cached-input-token", "0.25", million),
  price("output-token", "15", million),
];
const costs = (lines: readonly { readonly unit: string; readonly nanoUsd: number }[]) =>
  Object.fromEntries(lines.map(({ unit, nanoUsd }) => [unit, nanoUsd]));

describe("tokens", () => {
  it("counts each token once: cached ones are no part of the input, reasoning none of the output", () => {
    const end = legEnd({
      metrics: {
        input_tokens: 1_000,
        cached_tokens: 400,
        output_tokens: 300,
        reasoning_tokens: 100,
      },
    });
    const cost = costOfLeg(legBegin(), end, { prices: chat });
    expect(cost.lines).toEqual([
      { unit: "input-token", quantity: 600, nanoUsd: 1_500_000 },
      { unit: "cached-input-token", quantity: 400, nanoUsd: 100_000 },
      { unit: "output-token", quantity: 200, nanoUsd: 3_000_000 },
      { unit: "reasoning-token", quantity: 100, nanoUsd: 1_500_000 },
    ]);
    expect(cost).toMatchObject({ nanoUsd: 6_100_000, isEstimated: false, isPriced: true });
  });

  it("charges a cached token never more than another, and as another where it has no price", () => {
    const end = legEnd({ metrics: { input_tokens: 10, cached_tokens: 10, output_tokens: 0 } });
    const dear = [price("input-token", "1", million), price("cached-input-token", "4", million)];
    expect(costOfLeg(legBegin(), end, { prices: dear }).nanoUsd).toBe(10_000);
    expect(costOfLeg(legBegin(), end, { prices: [dear[0] as Price] }).nanoUsd).toBe(10_000);
  });

  it("charges what a cache took in by its own price, which may be dearer", () => {
    const end = legEnd({
      metrics: { input_tokens: 100, cached_tokens: 30, cache_write_tokens: 20, output_tokens: 0 },
    });
    const prices = [...chat, price("cache-write-token", "3.125", million)];
    expect(costs(costOfLeg(legBegin(), end, { prices }).lines)).toEqual({
      "input-token": 125_000,
      "cached-input-token": 7_500,
      "cache-write-token": 62_500,
    });
  });

  it("does not believe that more was cached than was read", () => {
    const end = legEnd({ metrics: { input_tokens: 10, cached_tokens: 5_000, output_tokens: 1 } });
    const { lines } = costOfLeg(legBegin(), end, { prices: chat });
    expect(lines.map(({ unit, quantity }) => [unit, quantity])).toEqual([
      ["cached-input-token", 10],
      ["output-token", 1],
    ]);
  });

  it("rounds half up, once for each line", () => {
    const metrics = { input_tokens: 1, output_tokens: 1 };
    const half = [price("input-token", "0.0000000005"), price("output-token", "0.00000000049")];
    expect(costs(costOfLeg(legBegin(), legEnd({ metrics }), { prices: half }).lines)).toEqual({
      "input-token": 1,
      "output-token": 0,
    });
  });

  it("is exact where doubles are not", () => {
    const metrics = { input_tokens: 3, output_tokens: 0 };
    const prices = [price("input-token", "0.1")];
    expect(costOfLeg(legBegin(), legEnd({ metrics }), { prices }).nanoUsd).toBe(300_000_000);
    fc.assert(
      fc.property(fc.nat(10_000_000), fc.nat(1_000_000), (tokens, milli) => {
        const usd = `${Math.floor(milli / 1_000)}.${String(milli % 1_000).padStart(3, "0")}`;
        const end = legEnd({ metrics: { input_tokens: tokens, output_tokens: 0 } });
        const { nanoUsd } = costOfLeg(legBegin(), end, {
          prices: [price("input-token", usd, million)],
        });
        // usd/M × tokens in nano-dollars is milli × tokens exactly.
        expect(BigInt(nanoUsd)).toBe(BigInt(milli) * BigInt(tokens));
      }),
    );
  });

  it("marks a guess, and counts a broken-off leg by it", () => {
    const usage = { inputTokens: 100, outputTokens: 10, isEstimated: true };
    const cost = costOfLeg(legBegin(), legEnd({ state: "failed", usage }), { prices: chat });
    expect(cost).toMatchObject({ nanoUsd: 400_000, isEstimated: true, isPriced: true });
  });

  it("does not call a picture's price a guess because its prompt was guessed", () => {
    const usage = { inputTokens: 100, outputTokens: 0, isEstimated: true };
    const end = legEnd({ usage, metrics: { images: 1 } });
    const cost = costOfLeg(legBegin(), end, { prices: [price("image", "0.04")] });
    expect(cost).toMatchObject({ nanoUsd: 40_000_000, isPriced: true });
  });
});

describe("media", () => {
  it.each([
    ["images", { images: 3 }, price("image", "0.04"), 120_000_000],
    ["megapixels", { megapixels: 1.048576 }, price("megapixel", "0.003"), 3_145_728],
    ["seconds of sound", { seconds: 90.5 }, price("second", "0.21", 3_600), 5_279_167],
    ["named audio seconds", { audio_seconds: 60 }, price("second", "0.36", 3_600), 6_000_000],
    ["named video seconds", { video_seconds: 8 }, price("video-second", "0.4"), 3_200_000_000],
    ["seconds at a price for video", { seconds: 8 }, price("video-second", "0.4"), 3_200_000_000],
    ["characters", { characters: 1_500 }, price("character", "15", million), 22_500_000],
    ["a request", {}, price("request", "0.01"), 10_000_000],
  ])("charges %s", (_name, metrics, one, nanoUsd) => {
    const cost = costOfLeg(legBegin(), legEnd({ metrics }), { prices: [one] });
    expect(cost).toMatchObject({ nanoUsd, isPriced: true, isEstimated: false });
  });

  it("does not charge a request that was not answered", () => {
    const end = legEnd({ state: "failed" });
    expect(costOfLeg(legBegin(), end, { prices: [price("request", "0.01")] })).toMatchObject({
      nanoUsd: 0,
      lines: [],
      isPriced: true,
    });
  });

  it("says that the price is not known when the provider did not say what it made", () => {
    const cost = costOfLeg(legBegin(), legEnd(), { prices: [price("image", "0.04")] });
    expect(cost).toMatchObject({ nanoUsd: 0, isPriced: false });
  });
});

describe("own models", () => {
  const own = legBegin({ provider: "byom" });
  const start = { mode: "cold", totalMs: 20_000, phases: [] } as const;

  it("charges the time of a GPU, as the model measured it, and counts the cold start without charging it", () => {
    const end = legEnd({ durationMs: 22_500, start, metrics: { predict_time: 2.25 } });
    const cost = costOfLeg(own, end, { prices: [price("gpu-second", "0.001")], hardware: "gpu" });
    expect(cost.lines).toEqual([
      { unit: "gpu-second", quantity: 2.25, nanoUsd: 2_250_000 },
      { unit: "cold-start-second", quantity: 20, nanoUsd: 0 },
    ]);
    expect(cost.isPriced).toBe(true);
  });

  it("charges the cold start where the operator says so", () => {
    const prices = [price("second", "0.36", 3_600), price("cold-start-second", "0.01")];
    const cost = costOfLeg(own, legEnd({ durationMs: 21_000, start }), { prices, hardware: "cpu" });
    expect(cost.lines).toEqual([
      { unit: "instance-second", quantity: 1, nanoUsd: 100_000 },
      { unit: "cold-start-second", quantity: 20, nanoUsd: 200_000_000 },
    ]);
  });

  it("charges a failed prediction for the time that it held its instance", () => {
    const warm = { mode: "running", totalMs: 1, phases: [] } as const;
    const end = legEnd({ state: "failed", durationMs: 3_001, start: warm });
    const { lines } = costOfLeg(own, end, { prices: [price("instance-second", "0.001")] });
    expect(lines).toEqual([{ unit: "instance-second", quantity: 3, nanoUsd: 3_000_000 }]);
  });

  it("charges by tokens instead where that is its price", () => {
    const warm = { mode: "running", totalMs: 0, phases: [] } as const;
    const metrics = { input_tokens: 10, output_tokens: 5, predict_time: 1 };
    const cost = costOfLeg(own, legEnd({ start: warm, metrics }), { prices: chat });
    expect(cost).toMatchObject({ nanoUsd: 25_000 + 75_000, isPriced: true });
  });

  it.each([
    ["text-to-image", ["a", "b"], { images: 2 }],
    ["image-to-image", "a", { images: 1 }],
    ["text-to-video", "a", { videos: 1 }],
    ["text-generation", ["a", "b"], {}],
    ["text-to-image", null, {}],
  ] as const)("counts what %s made of %j", (task, output, made) => {
    expect(unitsMade(task, output)).toEqual(made);
  });

  it("takes no sound of an own model for its instance's time", () => {
    const warm = { mode: "running", totalMs: 0, phases: [] } as const;
    const metrics = { audio_seconds: 600, predict_time: 1 };
    const cost = costOfLeg(own, legEnd({ start: warm, metrics }), {
      prices: [price("second", "0.001")],
    });
    expect(cost.nanoUsd).toBe(1_000_000);
  });
});

describe("what is not known or not charged", () => {
  const metrics = { input_tokens: 10, output_tokens: 5 };

  it("costs nothing from the cache, whatever was reported", () => {
    const cost = costOfLeg(legBegin(), legEnd({ state: "cached", metrics }), { prices: chat });
    expect(cost).toEqual({ nanoUsd: 0, lines: [], isEstimated: false, isPriced: true });
  });

  it("counts without a price, and says so; an empty list says that it is free", () => {
    const unknown = costOfLeg(legBegin(), legEnd({ metrics }), {});
    expect(unknown).toMatchObject({ nanoUsd: 0, isPriced: false });
    expect(unknown.lines.map(({ quantity }) => quantity)).toEqual([10, 5]);
    expect(costOfLeg(legBegin(), legEnd({ metrics }), { prices: [] }).isPriced).toBe(true);
  });

  it("says so when only one side of the tokens has a price", () => {
    const prices = [price("input-token", "1", million)];
    expect(costOfLeg(legBegin(), legEnd({ metrics }), { prices })).toMatchObject({
      nanoUsd: 10_000,
      isPriced: false,
    });
  });

  it("says so of a leg that a kill interrupted, and not of one that never got through", () => {
    const interrupted = { state: "interrupted", durationMs: 0, metrics: {} } as const;
    expect(costOfLeg(legBegin(), interrupted, { prices: chat }).isPriced).toBe(false);
    const refused = { state: "failed", durationMs: 1, metrics: {} } as const;
    expect(costOfLeg(legBegin(), refused, { prices: chat }).isPriced).toBe(true);
    expect(costOfLeg(legBegin(), refused, {}).isPriced).toBe(true);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, -5, 1e300, "many"])(
    "does not let a count of %s spoil the sum",
    (count) => {
      const end = legEnd({ metrics: { input_tokens: count, output_tokens: 1 } });
      const { nanoUsd } = costOfLeg(legBegin(), end, { prices: chat });
      expect(nanoUsd).toBe(15_000);
    },
  );
});

describe("a price that the caller names", () => {
  const metrics = { input_tokens: 100, cached_tokens: 50, output_tokens: 10 };

  it("holds for each token, instead of the catalog's", () => {
    const begin = legBegin({ customCost: { perTokenIn: "0.000001", perTokenOut: "2e-6" } });
    const cost = costOfLeg(begin, legEnd({ metrics }), { prices: chat });
    expect(cost).toMatchObject({ nanoUsd: 120_000, isPriced: true });
  });

  it("holds for the answer, once: a try that failed before it costs nothing", () => {
    const begin = legBegin({ customCost: { total: "0.25" } });
    expect(costOfLeg(begin, legEnd({ metrics }), {}).nanoUsd).toBe(250_000_000);
    expect(costOfLeg(begin, legEnd({ state: "failed", metrics }), {}).nanoUsd).toBe(0);
  });

  it("is marked as not known when it is no price", () => {
    const begin = legBegin({ customCost: { total: "-1" } });
    expect(costOfLeg(begin, legEnd({ metrics }), {})).toMatchObject({
      nanoUsd: 0,
      isPriced: false,
    });
  });
});
