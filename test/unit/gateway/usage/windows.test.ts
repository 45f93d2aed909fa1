// In which time a budget counts. What breaks when one of these fails: money is refused that a new month has brought, or
// one month is spent twice.
import fc from "fast-check";
import { describe, expect, it } from "vitest";

import type { Budget } from "../../../../gateway/usage/budgets/budget.ts";
import { Counter } from "../../../../gateway/usage/budgets/counter.ts";
import { spanAt } from "../../../../gateway/usage/budgets/window.ts";

const at = (text: string): number => Date.parse(text);
const span = (window: Budget["window"], text: string): readonly string[] => {
  const { startMs, endMs } = spanAt({ window, technique: "fixed" }, at(text));
  return [new Date(startMs).toISOString(), new Date(endMs).toISOString()];
};

describe("a fixed window", () => {
  it.each([
    ["hour", "2026-11-23T12:59:59.999Z", "2026-11-23T12:00:00.000Z", "2026-11-23T13:00:00.000Z"],
    ["day", "2026-11-23T00:00:00.000Z", "2026-11-23T00:00:00.000Z", "2026-11-24T00:00:00.000Z"],
    ["week", "2026-11-29T23:59:59.999Z", "2026-11-23T00:00:00.000Z", "2026-11-30T00:00:00.000Z"],
    ["month", "2028-02-29T12:00:00.000Z", "2028-02-01T00:00:00.000Z", "2028-03-01T00:00:00.000Z"],
    ["month", "2026-12-31T23:59:59.999Z", "2026-12-01T00:00:00.000Z", "2027-01-01T00:00:00.000Z"],
    [600, "2026-11-23T12:09:59.999Z", "2026-11-23T12:00:00.000Z", "2026-11-23T12:10:00.000Z"],
  ] as const)("of a %s at %s begins at %s and ends at %s", (window, now, start, end) => {
    expect(span(window, now)).toEqual([start, end]);
  });
});

const budget = (technique: Budget["technique"]): Budget => ({
  id: "one",
  limitNanoUsd: 100,
  window: 3_600,
  technique,
  enabled: true,
  scope: {},
  alerts: { thresholds: [] },
  createdAt: "",
});
const hourMs = 3_600_000;
const legs = fc.array(fc.record({ afterMs: fc.nat(hourMs / 4), nanoUsd: fc.nat(1_000) }), {
  maxLength: 50,
});

describe("a counter", () => {
  it("of a fixed window counts exactly the legs that began in it", () => {
    fc.assert(
      fc.property(legs, (list) => {
        const counter = new Counter(budget("fixed"));
        const known: { at: number; nanoUsd: number }[] = [];
        let now = at("2026-11-23T12:00:00Z");
        for (const { afterMs, nanoUsd } of list) {
          now += afterMs;
          counter.add(nanoUsd, now);
          known.push({ at: now, nanoUsd });
          const start = Math.floor(now / hourMs) * hourMs;
          const sum = known.filter((leg) => leg.at >= start).reduce((s, leg) => s + leg.nanoUsd, 0);
          expect(counter.spentAt(now)).toBe(sum);
        }
      }),
    );
  });

  it("of a sliding window counts all of the last hour, and nothing that is a minute older", () => {
    fc.assert(
      fc.property(legs, (list) => {
        const counter = new Counter(budget("sliding"));
        const known: { at: number; nanoUsd: number }[] = [];
        let now = at("2026-11-23T12:00:00Z");
        const since = (ms: number): number =>
          known.filter((leg) => leg.at > now - ms).reduce((sum, leg) => sum + leg.nanoUsd, 0);
        for (const { afterMs, nanoUsd } of list) {
          now += afterMs;
          counter.add(nanoUsd, now);
          known.push({ at: now, nanoUsd });
          const spent = counter.spentAt(now);
          expect(spent).toBeGreaterThanOrEqual(since(hourMs));
          expect(spent).toBeLessThanOrEqual(since(hourMs + 60_000));
        }
      }),
    );
  });

  it("says when a sliding window opens: then it is open, and not before", () => {
    fc.assert(
      fc.property(legs, (list) => {
        const counter = new Counter(budget("sliding"));
        let now = at("2026-11-23T12:00:00Z");
        for (const { afterMs, nanoUsd } of list) {
          now += afterMs;
          counter.add(nanoUsd, now);
        }
        if (counter.spentAt(now) < 100) return;
        const opensAt = counter.opensAt(now);
        expect(counter.spentAt(opensAt - 1)).toBeGreaterThanOrEqual(100);
        expect(counter.spentAt(opensAt)).toBeLessThan(100);
      }),
    );
  });

  it("counts no leg twice when the ledger answers for those before", () => {
    const counter = new Counter(budget("fixed"));
    const now = at("2026-11-23T12:00:00Z");
    counter.add(5, now);
    counter.passOn();
    counter.add(7, now);
    expect(counter.spentAt(now)).toBe(12);
    counter.clearPast();
    counter.addPast(105, now);
    expect(counter.spentAt(now)).toBe(112);
  });
});
