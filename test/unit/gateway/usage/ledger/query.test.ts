// Sums over legs by columns, held against sums made leg by leg. Whoever breaks them tells an owner wrong numbers.
import { expect, it } from "vitest";

import type { LegBegin, LegEnd } from "../../../../../gateway/route/leg.ts";
import type { LegCost } from "../../../../../gateway/usage/accounts.ts";
import { outcomeOf } from "../../../../../gateway/usage/ledger/outcome.ts";
import { answerLegs } from "../../../../../gateway/usage/ledger/query/legs.ts";
import { answerSpend } from "../../../../../gateway/usage/ledger/query/spend.ts";
import { answerSums } from "../../../../../gateway/usage/ledger/query/sums.ts";
import type { LedgerStore } from "../../../../../gateway/usage/ledger/store/ledger-store.ts";
import { legEnd } from "../legs.ts";
import { costOf, leg, openJournal, openStore, temporaryDirectory } from "./support.ts";

interface Ended {
  readonly begin: LegBegin;
  readonly end: LegEnd;
  readonly cost: LegCost;
}

const start = Date.UTC(2026, 10, 22, 20);
const hourMs = 3_600_000;

/** Legs of many kinds over some hours; none alike. */
function manyLegs(count: number): readonly Ended[] {
  return Array.from({ length: count }, (_, n): Ended => {
    const over: Partial<LegBegin> = {
      beganAtMs: start + Math.floor((n * 8 * hourMs) / count),
      model: `acme/model-${n % 3}`,
      provider: n % 2 === 0 ? "one" : "two",
      metadata: {
        request: `request-${n}`,
        ...(n % 4 !== 0 && { team: `team-${n % 5}` }),
        tier: n % 2,
      },
      isCallersKey: n % 11 === 0,
      ...(n % 3 !== 0 && { keyId: `key-${n % 7}` }),
      ...(n % 6 === 0 && { route: "dynamic/chat" }),
    };
    const begin = { ...leg(`call-${n}`, over), index: n % 9 === 0 ? 1 : 0, id: `call-${n}.x` };
    const end = legEnd({
      state: n % 10 === 0 ? "failed" : "succeeded",
      usage: {
        inputTokens: n,
        outputTokens: n % 50,
        cachedTokens: n % 3,
        isEstimated: n % 13 === 0,
      },
      ...(n % 10 === 0 && { code: "upstream_failed" as const }),
    });
    const lines = [
      { unit: "image", quantity: n % 4, nanoUsd: 7 * n },
      { unit: "gpu-second", quantity: 0.25, nanoUsd: 3 },
    ];
    return { begin, end, cost: costOf(7 * n + 3, { lines, isPriced: n % 17 !== 0 }) };
  });
}

function fill(legs: readonly Ended[], over: Parameters<typeof openStore>[2] = {}): LedgerStore {
  const directory = temporaryDirectory();
  const journal = openJournal(directory, "one");
  for (const { begin, end, cost } of legs) {
    journal.begin(begin);
    journal.end(begin.id, outcomeOf(end, cost));
  }
  const store = openStore(directory, "one", { legsPerBlock: 64, ...over });
  store.import(journal.position);
  return store;
}

const sumOf = (legs: readonly Ended[]): number =>
  legs.filter(({ begin }) => !begin.isCallersKey).reduce((sum, { cost }) => sum + cost.nanoUsd, 0);

/** Group by group, as the answer should be. */
function grouped(
  legs: readonly Ended[],
  of: (one: Ended) => string | null,
): ReadonlyMap<string | null, readonly Ended[]> {
  return Map.groupBy(legs, of);
}

const legs = manyLegs(500);

it.each<[string, (one: Ended) => string | null]>([
  ["model", ({ begin }) => begin.model],
  ["provider", ({ begin }) => begin.provider],
  ["key", ({ begin }) => begin.keyId ?? null],
  ["route", ({ begin }) => begin.route ?? null],
  ["state", ({ end }) => end.state],
  ["code", ({ end }) => end.code ?? null],
  ["payer", ({ begin }) => (begin.isCallersKey ? "caller" : "platform")],
  ["retry", ({ begin }) => (begin.index > 0 ? "again" : "first")],
  ["metadata.team", ({ begin }) => (begin.metadata["team"] as string | undefined) ?? null],
  ["metadata.tier", ({ begin }) => String(begin.metadata["tier"])],
  ["metadata.request", ({ begin }) => String(begin.metadata["request"])],
  ["metadata.never", () => null],
  ["hour", ({ begin }) => new Date(begin.beganAtMs).toISOString().slice(0, 13)],
  ["day", ({ begin }) => new Date(begin.beganAtMs).toISOString().slice(0, 10)],
  ["month", () => "2026-11"],
])("splits by %s", (dimension, of) => {
  const answer = answerSpend(fill(legs), { by: [dimension], where: [], limit: 1_000 });
  const expected = grouped(legs, of);
  expect(answer.groups).toBe(expected.size);
  expect(new Set(answer.rows.map(({ values }) => values[0]))).toEqual(new Set(expected.keys()));
  for (const row of answer.rows) {
    const group = expected.get(row.values[0] ?? null) ?? [];
    expect(row).toMatchObject({
      legs: group.length,
      nanoUsd: String(sumOf(group)),
      inputTokens: group.reduce((sum, { end }) => sum + (end.usage?.inputTokens ?? 0), 0),
      images: group.reduce((sum, { cost }) => sum + (cost.lines[0]?.quantity ?? 0), 0),
      gpuSeconds: group.length / 4,
      failedLegs: group.filter(({ end }) => end.state === "failed").length,
      estimatedLegs: group.filter(({ end }) => end.usage?.isEstimated === true).length,
      unpricedLegs: group.filter(({ cost }) => !cost.isPriced).length,
      retriedLegs: group.filter(({ begin }) => begin.index > 0).length,
      callersKeyLegs: group.filter(({ begin }) => begin.isCallersKey).length,
    });
  }
});

it("tells the dearest first, times in their order, and bounds how many", () => {
  const store = fill(legs);
  const dearest = answerSpend(store, { by: ["metadata.request"], where: [], limit: 3 });
  expect(dearest.rows.map(({ values }) => values[0])).toEqual([
    "request-499",
    "request-498",
    "request-497",
  ]);
  expect(dearest).toMatchObject({ groups: 500, total: { legs: 500 } });
  const hours = answerSpend(store, { by: ["hour"], where: [], limit: 3 });
  expect(hours.rows.map(({ values }) => values[0])).toEqual([
    "2026-11-23T01",
    "2026-11-23T02",
    "2026-11-23T03",
  ]);
});

it("splits by two at once", () => {
  const answer = answerSpend(fill(legs), { by: ["day", "model"], where: [], limit: 100 });
  const expected = grouped(
    legs,
    ({ begin }) => `${new Date(begin.beganAtMs).toISOString().slice(0, 10)} ${begin.model}`,
  );
  expect(answer.rows).toHaveLength(expected.size);
  for (const { values, nanoUsd } of answer.rows) {
    expect(nanoUsd).toBe(String(sumOf(expected.get(values.join(" ")) ?? [])));
  }
});

it("keeps to filters and to a time, whatever blocks they lie across", () => {
  const store = fill(legs);
  const [fromMs, toMs] = [start + hourMs + 1, start + 5 * hourMs];
  const where = [
    { dimension: "metadata.team", values: ["team-1", "team-3"] },
    { dimension: "provider", values: ["two"] },
    { dimension: "route", values: [""] },
  ];
  const meant = legs.filter(
    ({ begin }) =>
      begin.beganAtMs >= fromMs &&
      begin.beganAtMs < toMs &&
      ["team-1", "team-3"].includes(String(begin.metadata["team"])) &&
      begin.provider === "two" &&
      begin.route === undefined,
  );
  expect(meant.length).toBeGreaterThan(10);
  const { total } = answerSpend(store, { by: [], where, fromMs, toMs, limit: 1 });
  expect(total).toMatchObject({ legs: meant.length, nanoUsd: String(sumOf(meant)) });
  const none = [{ dimension: "model", values: ["nobody/knows"] }];
  expect(answerSpend(store, { by: [], where: none, limit: 1 }).total.legs).toBe(0);
});

it("a sum beyond what a number holds is exact", () => {
  const most = 9_000_000_000_000_001;
  const dear = Array.from({ length: 5 }, (_, n) => ({
    begin: leg(`dear-${n}`),
    end: legEnd(),
    cost: costOf(most),
  }));
  const { total } = answerSpend(fill(dear), { by: [], where: [], limit: 1 });
  expect(total.nanoUsd).toBe("45000000000000005");
});

it("names of metadata beyond those with columns count too", () => {
  const store = fill(legs, { metadataColumns: 1 });
  expect(store.metadataKeys.list()).toEqual(["request"]);
  const answer = answerSpend(store, { by: ["metadata.team"], where: [], limit: 10 });
  const expected = grouped(
    legs,
    ({ begin }) => (begin.metadata["team"] as string | undefined) ?? null,
  );
  for (const { values, nanoUsd } of answer.rows) {
    expect(nanoUsd).toBe(String(sumOf(expected.get(values[0] ?? null) ?? [])));
  }
  expect(answer.groups).toBe(expected.size);
});

it("pages through legs without missing one, with everything that was known of it", () => {
  const store = fill(legs);
  const where = [{ dimension: "model", values: ["acme/model-1"] }];
  const seen: string[] = [];
  for (let before: number | undefined; ;) {
    const page = answerLegs(store, {
      where,
      limit: 40,
      ...(before !== undefined && { before }),
    });
    seen.push(...page.legs.map(({ leg: id }) => id));
    if (page.next === undefined) break;
    before = page.next;
  }
  const expected = legs.filter(({ begin }) => begin.model === "acme/model-1");
  expect(seen).toEqual(expected.map(({ begin }) => begin.id).toReversed());
  const one = [{ dimension: "metadata.request", values: ["request-10"] }];
  expect(answerLegs(store, { where: one, limit: 5 }).legs).toEqual([
    {
      leg: "call-10.x",
      call: "call-10",
      index: 0,
      beganAt: new Date(start + Math.floor((10 * 8 * hourMs) / 500)).toISOString(),
      model: "acme/model-1",
      version: 1,
      provider: "one",
      upstreamModel: "chat-1",
      key: "key-3",
      state: "failed",
      code: "upstream_failed",
      isCallersKey: false,
      isRetry: false,
      isEstimated: false,
      isPriced: true,
      nanoUsd: "73",
      lines: [
        { unit: "image", quantity: 2, nanoUsd: "70" },
        { unit: "gpu-second", quantity: 0.25, nanoUsd: "3" },
      ],
      inputTokens: 10,
      outputTokens: 10,
      cachedTokens: 1,
      reasoningTokens: 0,
      durationMs: 1_000,
      firstOutputMs: 100,
      metrics: {},
      // Numbers stay numbers.
      metadata: { request: "request-10", team: "team-0", tier: 0 },
    },
  ]);
});

it("sums for budgets leave out who lacks a dimension, and come in buckets", () => {
  const sums = answerSums(fill(legs), {
    where: [],
    by: ["metadata.team", "key"],
    bucketMs: 2 * hourMs,
  });
  const expected = grouped(legs, ({ begin }) =>
    begin.metadata["team"] === undefined || begin.keyId === undefined
      ? null
      : `${begin.metadata["team"]} ${begin.keyId} ${Math.floor(begin.beganAtMs / hourMs / 2) * 2 * hourMs}`,
  );
  for (const { values, bucketAtMs, nanoUsd } of sums) {
    const group = expected.get(`${values.join(" ")} ${bucketAtMs}`) ?? [];
    expect(nanoUsd).toBe(BigInt(sumOf(group)));
  }
  const all = [...expected].flatMap(([key, group]) => (key === null ? [] : group));
  expect(sums.reduce((sum, { nanoUsd }) => sum + nanoUsd, 0n)).toBe(BigInt(sumOf(all)));
});

it("removes what began before a time, with its words, and nothing else", () => {
  const store = fill(legs);
  const before = start + 4 * hourMs;
  const kept = legs.filter(({ begin }) => begin.beganAtMs >= before);
  expect(store.removeBefore(before)).toBe(legs.length - kept.length);
  const answer = answerSpend(store, { by: ["metadata.request"], where: [], limit: 1_000 });
  expect(answer.total).toMatchObject({ legs: kept.length, nanoUsd: String(sumOf(kept)) });
  expect(answer.groups).toBe(kept.length);
  expect(store.names.find("request-0")).toBeUndefined();
  expect(store.names.find("request-499")).toBeDefined();
  expect(store.removeBefore(before)).toBe(0);
});
