// Whether restores pay. If one of these fails, a model waits longer for its restore than a cold start would take, or
// one slow moment of the host costs a model its fast starts for good.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterEach, beforeEach, describe, expect, test } from "vitest";

import type { Clock } from "../../../../runtime/clock.ts";
import { judge, timingsKept, type Payoff } from "../../../../runtime/snapshot/payoff.ts";
import { createPayoff } from "../../../../runtime/snapshot/payoff-record.ts";
import { openStore, type Store } from "../../../../runtime/store/store.ts";

const now = Date.UTC(2026, 0, 31);
const day = 24 * 60 * 60_000;

function timings(cold: readonly number[], restored: readonly number[], ageDays = 0) {
  const at = new Date(now - ageDays * day).toISOString();
  const of = (values: readonly number[]) => values.map((ms) => ({ ms, at }));
  return { cold: of(cold), restored: of(restored), restores: restored.length, savedMs: 0 };
}

describe("the verdict", () => {
  test("is unknown until both ways were measured, and says what was", () => {
    expect(judge(timings([], []), now)).toEqual({ verdict: "unknown" });
    expect(judge(timings([520], []), now)).toEqual({ verdict: "unknown", coldMs: 520 });
    expect(judge(timings([], [610]), now)).toEqual({ verdict: "unknown", restoredMs: 610 });
  });

  test("is for restores from the first that was faster on", () => {
    expect(judge(timings([900], [400]), now)).toMatchObject({
      verdict: "pays",
      coldMs: 900,
      restoredMs: 400,
    });
  });

  test("is against them after three that were slower, with both times in the reason", () => {
    expect(judge(timings([520], [610, 700]), now).verdict).toBe("unknown");
    expect(judge(timings([520], [610, 700, 600]), now)).toEqual({
      verdict: "does-not-pay",
      coldMs: 520,
      restoredMs: 610,
      reason: "a restore is not faster here: 0.61 s against 0.52 s cold",
    });
  });

  test("is not turned by one odd start of either way", () => {
    expect(judge(timings([500], [200, 210, 9000]), now).verdict).toBe("pays");
    expect(judge(timings([500, 510, 60_000], [600, 610, 620]), now).verdict).toBe("does-not-pay");
  });

  test("waits for five where the difference is noise, and is against restores that are no faster", () => {
    expect(judge(timings([500], [510, 510, 510, 510]), now).verdict).toBe("unknown");
    expect(judge(timings([500], [510, 510, 510, 510, 510]), now).verdict).toBe("does-not-pay");
    expect(judge(timings([500], [500, 500, 500, 500, 500]), now).verdict).toBe("does-not-pay");
    expect(judge(timings([500], [499, 499, 499, 499, 499]), now).verdict).toBe("pays");
  });

  test("against restores lapses after two weeks, so that they are tried again", () => {
    expect(judge(timings([500], [900, 900, 900], 13), now).verdict).toBe("does-not-pay");
    expect(judge(timings([500], [900, 900, 900], 15), now)).toEqual({
      verdict: "unknown",
      coldMs: 500,
      restoredMs: 900,
    });
  });
});

describe("the record of starts", () => {
  const subject = { modelId: "acme/greeter", version: 1 };
  let dataDirectory = "";
  let store: Store;
  let payoff: Payoff;
  let clock: Clock;

  beforeEach(() => {
    dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-payoff-"));
    store = openStore({ dataDirectory });
    clock = { now: () => now, monotonicMs: () => 0, delay: () => Promise.resolve() };
    payoff = createPayoff({ starts: store.starts, clock });
    recordModel(store);
  });

  afterEach(() => {
    store.close();
    rmSync(dataDirectory, { recursive: true, force: true });
  });

  function start(mode: "cold" | "restored", ms: number): void {
    const snapshot = mode === "restored" ? { snapshotId: "s1" } : {};
    payoff.begin(subject).end({ mode, ms, ...snapshot });
  }

  test("survives a restart of the platform", () => {
    start("cold", 900);
    start("restored", 300);
    store.close();
    store = openStore({ dataDirectory });
    payoff = createPayoff({ starts: store.starts, clock });
    expect(payoff.verdict(subject)).toEqual({
      verdict: "pays",
      coldMs: 900,
      restoredMs: 300,
      restores: 1,
      savedMs: 600,
    });
  });

  test("adds up what each restore saved, or cost, against the cold start that it replaced", () => {
    start("cold", 1000);
    for (const ms of [400, 300, 1200]) start("restored", ms);
    expect(payoff.verdict(subject)).toMatchObject({ restores: 3, savedMs: 600 + 700 - 200 });
    expect(store.starts.uses("s1")).toEqual([
      {
        snapshotId: "s1",
        ...subject,
        restores: 3,
        savedMs: 1100,
        lastRestoredAt: new Date(now).toISOString(),
      },
    ]);
  });

  test("keeps a bounded number of starts a version and way", () => {
    for (let count = 0; count < timingsKept * 3; count += 1) start("cold", 100 + count);
    expect(store.starts.list(subject, "cold").map(({ ms }) => ms)).toEqual([
      114, 113, 112, 111, 110,
    ]);
  });

  test("takes two starts at once as no measurement of either, but counts the restore", () => {
    start("cold", 1000);
    const first = payoff.begin(subject);
    const second = payoff.begin({ modelId: "acme/other", version: 1 });
    first.end({ mode: "restored", ms: 5000, snapshotId: "s1" });
    second.end({ mode: "cold", ms: 9000 });
    expect(payoff.verdict(subject)).toEqual({ verdict: "unknown", coldMs: 1000 });
    expect(payoff.verdict({ modelId: "acme/other", version: 1 })).toEqual({ verdict: "unknown" });
    expect(store.starts.uses("s1")).toMatchObject([{ restores: 1, savedMs: -4000 }]);
    start("restored", 300);
    expect(payoff.verdict(subject)).toMatchObject({ verdict: "pays", restoredMs: 300 });
  });

  test("counts a start once, and none that failed", () => {
    const failed = payoff.begin(subject);
    failed.end();
    failed.end({ mode: "cold", ms: 1 });
    expect(payoff.verdict(subject)).toEqual({ verdict: "unknown" });
  });

  test("measures restores anew for a new snapshot, and both ways when it is told to forget", () => {
    start("cold", 500);
    for (const ms of [900, 900, 900]) start("restored", ms);
    expect(payoff.verdict(subject).verdict).toBe("does-not-pay");
    payoff.captured(subject, "s2");
    expect(payoff.verdict(subject)).toEqual({ verdict: "unknown", coldMs: 500 });
    expect(store.starts.uses("s2")).toEqual([
      { snapshotId: "s2", ...subject, restores: 0, savedMs: 0 },
    ]);
    payoff.forget(subject);
    expect(payoff.verdict(subject)).toEqual({ verdict: "unknown" });
  });

  test("comes back to restores when the cold starts that follow are slower still", () => {
    start("cold", 500);
    for (const ms of [900, 900, 900]) start("restored", ms);
    for (const ms of [2000, 2000]) start("cold", ms);
    expect(payoff.verdict(subject)).toMatchObject({ verdict: "pays", coldMs: 2000 });
  });

  test("goes with its model, and a start that ends after that writes nothing", () => {
    const late = payoff.begin(subject);
    start("cold", 500);
    store.models.remove(subject.modelId);
    late.end({ mode: "restored", ms: 300, snapshotId: "s1" });
    expect(payoff.verdict(subject)).toEqual({ verdict: "unknown" });
    expect(store.starts.uses()).toEqual([]);
  });

  test("never fails a start: with the store closed its time is lost, nothing else", () => {
    const watch = payoff.begin(subject);
    store.close();
    expect(() => watch.end({ mode: "cold", ms: 500 })).not.toThrow();
  });
});

/** The least that makes a model known. */
function recordModel({ models }: Store): void {
  const { version } = models.recordVersion({
    identity: "one",
    createdAt: new Date(now).toISOString(),
    version: {
      modelId: "acme/greeter",
      image: { imageId: "sha256:one", reference: "registry.test/acme/greeter" },
      digest: "sha256:one",
      weightsDigest: "sha256:none",
      inputSchema: {},
      outputSchema: {},
      isStreaming: false,
      hardware: "cpu",
      settings: {
        environment: {},
        mounts: [],
        setupTimeoutMs: 1,
        exampleTimeoutMs: 1,
        snapshots: "auto",
      },
      card: { description: "", task: "other", requestFormats: ["predictions"] },
    },
  });
  expect(version.number).toBe(1);
}
