// A budget over a real gateway and a provider whose every chat costs a cent. What breaks when one of these fails: an
// operator pays more than they said, or a customer is refused who has money left.
import { afterEach, describe, expect, it } from "vitest";

import { until } from "../harness.ts";
import { startBudgetPlatform, type BudgetPlatform, otherKey } from "./budget-platform.ts";

let platform: BudgetPlatform;
afterEach(async () => {
  await platform.close();
});

const ofKey = { key: { mode: "filter", values: ["key-1"] } };

/** So many callers, each with its next call when the last one was answered, until all are refused for good. */
async function callUntilRefused(callers: number): Promise<{ answered: number; refused: number }> {
  let answered = 0;
  let refused = 0;
  const caller = async (): Promise<void> => {
    for (;;) {
      const response = await platform.chat();
      await response.arrayBuffer();
      if (response.status === 200) {
        answered += 1;
      } else if (response.headers.get("x-should-retry") === "true") {
        // Held by the others' calls in flight: there may be room when they have ended.
        await new Promise((resolve) => setTimeout(resolve, 5));
      } else {
        refused += 1;
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return { answered, refused };
}

describe("a key with one dollar", () => {
  it("stops at one dollar with 32 callers in flight; what it passed the limit by is bounded and said", async () => {
    platform = await startBudgetPlatform({ answerDelayMs: 2 });
    await platform.admin("PUT", "/budgets/app", { limit: "1", window: "day", ...ofKey });
    const { answered, refused } = await callUntilRefused(32);
    const { body } = await platform.admin("GET", "/budgets/app");
    const overshoot = Number(body.state.overshootUsd);
    console.log(
      `a key with 1 USD, 32 callers: ${answered} calls of 0.01 USD answered, ${body.state.spentUsd} USD spent, overshoot ${body.state.overshootUsd} USD, ${body.state.refused} refusals`,
    );
    expect(refused).toBe(32);
    // What the gateway counts is what the provider served.
    expect(platform.served()).toBe(answered);
    expect(body.state.spentUsd).toBe(String(answered / 100));
    expect(answered).toBeGreaterThanOrEqual(100);
    expect(overshoot).toBeLessThanOrEqual(0.31);
    expect(body.state).toMatchObject({ reservedUsd: "0", inFlight: 0, isUsedUp: true });
    const last = await platform.chat();
    const { error } = (await last.json()) as { error: { message: string } };
    expect(error.message).toContain("The budget app of 1 USD a day is used up");
    expect(error.message).toContain("opens again at 2026-11-24T00:00:00.000Z");
    if (overshoot > 0)
      expect(error.message).toContain(`${body.state.overshootUsd} USD of it beyond`);
  });

  it("does not stop another key, and opens again with the next day", async () => {
    platform = await startBudgetPlatform();
    await platform.admin("PUT", "/budgets/app", { limit: 0.02, window: "day", ...ofKey });
    expect([(await platform.chat()).status, (await platform.chat()).status]).toEqual([200, 200]);
    expect((await platform.chat()).status).toBe(429);
    expect((await platform.chat({ key: otherKey })).status).toBe(200);
    platform.pass(12 * 3_600_000 - 1);
    expect((await platform.chat()).status).toBe(429);
    platform.pass(1);
    expect((await platform.chat()).status).toBe(200);
    expect(platform.served()).toBe(4);
  });
});

describe("what was spent", () => {
  it("is known after a restart, also before the ledger has answered, and to a budget that is made later", async () => {
    platform = await startBudgetPlatform();
    await platform.admin("PUT", "/budgets/app", { limit: "0.03", window: "month", ...ofKey });
    for (let calls = 0; calls < 3; calls += 1) await platform.chat();
    await platform.restart();
    // At once: it was used up before.
    expect((await platform.chat()).status).toBe(429);
    await restored("app");
    const { body } = await platform.admin("GET", "/budgets/app");
    expect(body.state).toMatchObject({ spentUsd: "0.03", isUsedUp: true, overshootUsd: "0" });
    await platform.admin("PUT", "/budgets/all", { limit: "0.05", window: "week" });
    await restored("all");
    expect((await platform.admin("GET", "/budgets/all")).body.state.spentUsd).toBe("0.03");
    await platform.admin("PUT", "/budgets/app", { limit: "0.04", window: "month", ...ofKey });
    await restored("app");
    expect((await platform.chat()).status).toBe(200);
    expect((await platform.chat()).status).toBe(429);
    const after = await platform.admin("GET", "/budgets");
    expect(after.body.budgets.map(({ state }: any) => state.spentUsd)).toEqual(["0.04", "0.04"]); // oxlint-disable-line typescript/no-explicit-any
  });

  async function restored(id: string): Promise<void> {
    let isRestored = false;
    await until(`${id} is restored`, () => {
      void platform
        .admin("GET", `/budgets/${id}`)
        .then(({ body }) => (isRestored = body.isRestored === true));
      return isRestored;
    });
  }

  it("is counted by each value of a partition, and by a filter", async () => {
    platform = await startBudgetPlatform();
    await platform.admin("PUT", "/budgets/teams", {
      limit: "0.01",
      window: 3_600,
      metadata: { team: { mode: "partition" }, stage: { mode: "filter", values: ["live"] } },
    });
    const call = async (team: unknown, stage = "live"): Promise<number> =>
      (await platform.chat({ metadata: { team, stage } })).status;
    expect([await call("red"), await call("red"), await call("blue")]).toEqual([200, 429, 200]);
    expect([await call("red", "test"), await call(7), await call(7)]).toEqual([200, 200, 429]);
    // Without a team it is nobody's budget.
    expect((await platform.chat()).status).toBe(200);
    const { body } = await platform.admin("GET", "/budgets/teams");
    expect(body.values).toHaveLength(3);
    // One value that is used up does not close the others.
    expect(body.state.isUsedUp).toBe(false);
    expect(body.values).toContainEqual(
      expect.objectContaining({
        values: { "metadata.team": "red" },
        spentUsd: "0.01",
        isUsedUp: true,
        refused: 1,
      }),
    );
    await platform.restart();
    expect([await call("red"), await call("green")]).toEqual([429, 200]);
  });

  it("is forgotten by a sliding window as time goes by, not all at once", async () => {
    platform = await startBudgetPlatform();
    const rule = { limit: 0.02, limitType: "cost", window: 3_600, technique: "sliding" };
    await platform.admin("POST", "/budgets", { ...rule, id: "slide" });
    await platform.chat();
    platform.pass(1_800_000);
    await platform.chat();
    const refused = await platform.chat();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain("2026-11-23T13:01:00.000Z");
    platform.pass(1_860_000);
    expect((await platform.chat()).status).toBe(200);
    expect((await platform.chat()).status).toBe(429);
  });

  it("counts for a provider's and a model's budget, and not when the caller pays the provider", async () => {
    platform = await startBudgetPlatform();
    await platform.admin("PUT", "/budgets/acme", {
      limit: "0.01",
      window: "day",
      provider: { mode: "filter", values: ["acme"] },
    });
    const own = { "x-byom-provider-key": "sk-acme" };
    const chat = (headers: Record<string, string>): Promise<Response> =>
      fetch(`${platform.url}/v1/chat/completions`, {
        method: "POST",
        headers: { authorization: "Bearer byom_call", ...headers },
        body: JSON.stringify({ model: "acme/paid", messages: [{ role: "user", content: "Hi" }] }),
      });
    expect([(await chat(own)).status, (await chat({})).status]).toEqual([200, 200]);
    expect((await chat({})).status).toBe(429);
    expect((await chat(own)).status).toBe(200);
  });
});

describe("a provider's budget", () => {
  it("sends the call to the model's next provider when it is used up", async () => {
    platform = await startBudgetPlatform();
    const { baseUrl } = platform.double;
    await platform.admin("PUT", "/providers/spare", {
      adapter: "openai-compatible",
      baseUrl,
      key: "sk-acme",
      allowPrivate: true,
    });
    await platform.admin("PUT", "/catalog/models/acme/paid", {
      upstreams: [
        { provider: "acme", model: "paid-1" },
        { provider: "spare", model: "paid-2" },
      ],
      prices: [
        { unit: "input-token", per: 1_000, usd: "0.01" },
        { unit: "output-token", per: 1_000, usd: "0.01" },
      ],
    });
    const provider = { mode: "filter", values: ["acme"] };
    await platform.admin("PUT", "/budgets/acme", { limit: "0.01", window: "day", provider });
    expect((await platform.chat()).status).toBe(200);
    expect((await platform.chat()).status).toBe(200);
    const { body } = await platform.admin("GET", "/spend?by=provider");
    const rows = body.rows as { provider: string; usd: string }[];
    expect(Object.fromEntries(rows.map(({ provider: name, usd }) => [name, usd]))).toEqual({
      acme: "0.01",
      spare: "0.01",
    });
    await platform.admin("PUT", "/budgets/both", {
      limit: "0.02",
      window: "day",
      provider: { mode: "filter", values: ["acme", "spare"] },
    });
    const refused = await platform.chat();
    expect(refused.status).toBe(429);
    expect(await refused.text()).toContain("insufficient_quota");
    expect(platform.served()).toBe(2);
  });
});

describe("the rules", () => {
  it("are taken as Cloudflare writes them, all of a gateway at once", async () => {
    platform = await startBudgetPlatform();
    const { status, body } = await platform.admin("POST", "/budgets", {
      enabled: true,
      rules: [
        {
          id: "one",
          limit: 10,
          limitType: "cost",
          window: 86_400,
          technique: "fixed",
          enabled: true,
          model: { mode: "filter", values: ["acme/paid"] },
          metadata: { team: { mode: "partition" } },
        },
        { id: "two", limit: 1.5, limitType: "cost", window: 60, enabled: false },
      ],
    });
    expect(status).toBe(201);
    expect(body.budgets[0]).toMatchObject({
      id: "one",
      limit: "10",
      window: 86_400,
      metadata: { team: { mode: "partition" } },
    });
    expect(body.budgets[1]).toMatchObject({ limit: "1.5", enabled: false });
    const back = await platform.admin("GET", "/budgets/one");
    const {
      state: _state,
      isRestored: _restored,
      createdAt: _at,
      values: _values,
      ...rule
    } = back.body;
    expect((await platform.admin("PUT", "/budgets/one", rule)).status).toBe(200);
    expect((await platform.admin("DELETE", "/budgets/one")).status).toBe(204);
    expect((await platform.admin("GET", "/budgets/one")).status).toBe(404);
  });

  it.each([
    [{ limit: -1, window: "day" }],
    [{ limit: "a lot", window: "day" }],
    [{ limit: 1e30, window: "day" }],
    [{ limit: 1, window: "year" }],
    [{ limit: 1, window: 1 }],
    [{ limit: 1 }],
    [{ limit: 1, window: "day", model: { mode: "filter", values: [] } }],
    [{ limit: 1, window: "day", alerts: { url: "http://169.254.169.254/" } }],
    [{ limit: 1, window: "day", unknown: true }],
  ])("are refused when they say %j", async (rule) => {
    platform = await startBudgetPlatform();
    expect((await platform.admin("PUT", "/budgets/bad", rule)).status).toBe(400);
    expect((await platform.admin("GET", "/budgets")).body.budgets).toEqual([]);
  });
});
