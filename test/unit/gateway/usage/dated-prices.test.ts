// Prices that change with time. What breaks when one of these fails: yesterday's calls cost what tomorrow's will, or a
// model's second provider is charged at the first one's price.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { costOfLeg } from "../../../../gateway/usage/meter.ts";
import { pricesOfLegs } from "../../../../gateway/usage/prices.ts";
import { openAdministration } from "../../../../gateway/index.ts";
import { chatModel } from "../harness.ts";
import { startBudgetPlatform, type BudgetPlatform } from "./budget-platform.ts";
import { legBegin, legEnd } from "./legs.ts";

describe("prices over the API", () => {
  let platform: BudgetPlatform;
  beforeEach(async () => {
    platform = await startBudgetPlatform();
  });
  afterEach(async () => {
    await platform.close();
  });
  const token = (usd: string): unknown => [
    { unit: "input-token", per: 1_000, usd },
    { unit: "output-token", per: 1_000, usd },
  ];
  const set = (body: unknown) => platform.admin("PUT", "/prices/acme/paid", body);
  const spent = async (): Promise<string> => (await platform.admin("GET", "/spend")).body.total.usd;
  const shown = async (): Promise<string> =>
    (await platform.admin("GET", "/catalog/models/acme/paid")).body.prices[0].usd;

  it("take effect at their time by themselves, and change nothing that was charged", async () => {
    expect((await set({ prices: token("0.03"), from: "2026-11-24" })).body.from).toBe(
      "2026-11-24T00:00:00.000Z",
    );
    await platform.chat();
    expect([await spent(), await shown()]).toEqual(["0.01", "0.01"]);
    platform.pass(12 * 3_600_000);
    expect(await shown()).toBe("0.03");
    await platform.chat();
    expect(await spent()).toBe("0.04");
    await set({ prices: token("0") });
    await platform.chat();
    expect(await spent()).toBe("0.04");
    await platform.admin("DELETE", "/prices/acme/paid");
    expect(await shown()).toBe("0.01");
    const { body } = await platform.admin("GET", "/price-history/acme/paid");
    const periods = body.periods as { from: string; prices: { usd: string }[] | null }[];
    expect(periods.map(({ from, prices }) => [from, prices?.[0]?.usd ?? null])).toEqual([
      ["2026-11-24T00:00:00.000Z", "0.03"],
      ["2026-11-24T00:00:00.000Z", "0"],
      ["2026-11-24T00:00:00.000Z", null],
    ]);
  });

  it("survive a restart, the later ones too", async () => {
    await set({ prices: token("0.02") });
    await set({ prices: token("0.05"), from: "2026-12-01T00:00:00Z" });
    await platform.restart();
    expect(await shown()).toBe("0.02");
    platform.pass(8 * 86_400_000);
    expect(await shown()).toBe("0.05");
  });

  it.each([
    ["a price of the past", { prices: [], from: "2026-11-22" }],
    ["no time", { prices: [], from: "soon" }],
    ["two prices for one unit", { prices: [...(token("1") as []), ...(token("1") as [])] }],
    ["a provider that does not serve it", { prices: [], provider: "openai" }],
  ])("refuse %s", async (_name, body) => {
    expect((await set(body)).status).toBe(400);
    expect(await shown()).toBe("0.01");
  });
});

describe("a price", () => {
  let directory: string;
  let administration: ReturnType<typeof openAdministration>;
  const at = Date.UTC(2026, 10, 23);
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-prices-"));
    const models = [{ ...chatModel, hardware: "gpu" }];
    administration = openAdministration({
      dataDirectory: directory,
      own: { get: (id) => models.find((model) => model.id === id), list: () => models },
      environment: {},
      clock: () => at,
    });
  });
  afterEach(async () => {
    administration.close();
    await rm(directory, { recursive: true, force: true });
  });
  const period = (usd: string, provider?: string) => ({
    from: new Date(at).toISOString(),
    ...(provider !== undefined && { provider }),
    prices: [{ unit: "image", per: 1, usd } as const],
    setAt: new Date(at).toISOString(),
  });
  const imageAt = (provider: string, upstreamModel: string): string | undefined =>
    administration.catalog
      .pricesOf({ model: "recraft/recraftv3", provider, upstreamModel, atMs: at })
      ?.find(({ unit }) => unit === "image")?.usd;

  it("of a list holds at the provider whose list it is, not at another one that serves the model", () => {
    expect(imageAt("recraft", "recraftv3")).toBe("0.04");
    expect(imageAt("replicate", "recraft-ai/recraft-v3")).toBeUndefined();
  });

  it("of one provider comes before one for all, and both before the list's", () => {
    administration.store.prices.set("recraft/recraftv3", [period("1"), period("2", "replicate")]);
    expect(imageAt("recraft", "recraftv3")).toBe("1");
    expect(imageAt("replicate", "recraft-ai/recraft-v3")).toBe("2");
  });

  it("of a model's hardware holds where its own is not set, and not at other providers", () => {
    const pricesOf = pricesOfLegs(administration.catalog);
    const start = { mode: "running", totalMs: 0, phases: [] } as const;
    const cost = (provider = "byom") =>
      costOfLeg(
        legBegin({ provider, beganAtMs: at }),
        legEnd({ start, metrics: { predict_time: 2 } }),
        pricesOf(legBegin({ provider, beganAtMs: at })),
      );
    expect(cost().isPriced).toBe(false);
    const gpu = [{ unit: "gpu-second", per: 3_600, usd: "3.6" } as const];
    const since = { from: new Date(at).toISOString(), setAt: new Date(at).toISOString() };
    administration.store.prices.set("hardware gpu", [{ ...since, prices: gpu }]);
    expect(cost()).toMatchObject({ nanoUsd: 2_000_000, isPriced: true });
    const own = [{ unit: "gpu-second", per: 1, usd: "0.5" } as const];
    administration.store.prices.set("acme/chat", [{ ...since, prices: own }]);
    expect(cost()).toMatchObject({ nanoUsd: 1_000_000_000 });
    expect(cost("openai").nanoUsd).toBe(0);
  });

  it("of a former byom, written without a time, holds from the beginning", () => {
    administration.close();
    const { DatabaseSync } = process.getBuiltinModule("node:sqlite");
    const database = new DatabaseSync(join(directory, "catalog.db"));
    const record = JSON.stringify([{ unit: "image", per: 1, usd: "7" }]);
    database.prepare("INSERT INTO prices VALUES (?, ?, ?)").run("recraft/recraftv3", record, "");
    database.close();
    administration = openAdministration({
      dataDirectory: directory,
      own: { get: () => undefined, list: () => [] },
      environment: {},
      clock: () => at,
    });
    expect(imageAt("recraft", "recraftv3")).toBe("7");
  });
});
