// Who is told that a budget fills up. What breaks when one of these fails: an operator learns of it from the bill, is
// told a hundred times, or cannot trust that the message is the platform's.
import { createHmac } from "node:crypto";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { until } from "../harness.ts";
import { startReceiver, type Receiver } from "../webhook/receiver.ts";
import { callKey, startBudgetPlatform, type BudgetPlatform } from "./budget-platform.ts";

let platform: BudgetPlatform;
let receiver: Receiver;
beforeEach(async () => {
  receiver = await startReceiver();
  platform = await startBudgetPlatform({ allowedHosts: ["127.0.0.1"] });
});
afterEach(async () => {
  await platform.close();
  await receiver[Symbol.asyncDispose]();
});

const put = (limit: string, alerts: unknown = { url: receiver.url }): Promise<unknown> =>
  platform.admin("PUT", "/budgets/app", { limit, window: "day", alerts });
const told = (): unknown[] =>
  receiver.deliveries.map(
    ({ told: { data } }) => (data as Record<string, unknown>)["thresholdPercent"],
  );
const ended = (): number =>
  platform.events.filter(({ type }) => type === "budget-alert-end").length;

async function calls(count: number): Promise<void> {
  for (let done = 0; done < count; done += 1) await (await platform.chat()).arrayBuffer();
}

describe("an alert", () => {
  it("is sent once for each threshold, signed, with what was spent and when it opens again", async () => {
    await put("0.1");
    await calls(4);
    expect(told()).toEqual([]);
    await calls(7);
    await until("three alerts", () => ended() === 3);
    expect(told()).toEqual([50, 80, 100]);
    const [first] = receiver.deliveries;
    expect(first?.told).toEqual({
      type: "budget.threshold",
      timestamp: "2026-11-23T12:00:00.000Z",
      data: {
        budget: "app",
        values: {},
        thresholdPercent: 50,
        limitUsd: "0.1",
        spentUsd: "0.05",
        window: "day",
        technique: "fixed",
        startsAt: "2026-11-23T00:00:00.000Z",
        resetsAt: "2026-11-24T00:00:00.000Z",
      },
    });
    const secret = await fetch(`${platform.url}/v1/webhooks/default/secret`, {
      headers: { authorization: `Bearer ${callKey}` },
    });
    const { key } = (await secret.json()) as { readonly key: string };
    const { headers, body } = first as (typeof receiver.deliveries)[number];
    const signed = [headers["webhook-id"], headers["webhook-timestamp"], body].join(".");
    const bytes = Buffer.from(key.replace("whsec_", ""), "base64");
    const signature = createHmac("sha256", bytes).update(signed).digest("base64");
    expect(headers["webhook-signature"]).toBe(`v1,${signature}`);
    expect(platform.events.filter(({ type }) => type === "budget-threshold")).toHaveLength(3);
  });

  it("is not sent again after a restart, and again in the next window", async () => {
    await put("0.02", { url: receiver.url, thresholds: [50] });
    await calls(1);
    await until("an alert", () => ended() === 1);
    await platform.restart();
    await calls(1);
    platform.pass(86_400_000);
    await calls(1);
    await until("the next day's", () => ended() === 2);
    expect(told()).toEqual([50, 50]);
    const ids = receiver.deliveries.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(2);
  });

  it("is tried again when its receiver fails, as the same message", async () => {
    receiver.react(500, 503, 200);
    await put("0.02", { url: receiver.url, thresholds: [50] });
    await calls(1);
    await until("an alert", () => ended() === 1);
    expect(receiver.deliveries).toHaveLength(3);
    expect(new Set(receiver.deliveries.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    expect(platform.events.at(-1)).toMatchObject({ type: "budget-alert-end", attempts: 3 });
  });

  it("that a stop cut short is sent by the next process", async () => {
    receiver.react("hang", 200);
    await put("0.02", { url: receiver.url, thresholds: [50] });
    await calls(1);
    await until("the first try", () => receiver.deliveries.length === 1);
    await platform.restart();
    await until("the second", () => ended() === 1);
    expect(receiver.deliveries).toHaveLength(2);
    expect(receiver.deliveries[0]?.headers["webhook-id"]).toBe(
      receiver.deliveries[1]?.headers["webhook-id"],
    );
  });

  it("says whose partition it is about", async () => {
    await platform.admin("PUT", "/budgets/teams", {
      limit: "0.02",
      window: "day",
      technique: "sliding",
      metadata: { team: { mode: "partition" } },
      alerts: { url: receiver.url, thresholds: [50] },
    });
    await platform.chat({ metadata: { team: "red" } });
    await platform.chat({ metadata: { team: "blue" } });
    await until("both alerts", () => ended() === 2);
    expect(
      receiver.deliveries.map(({ told: { data } }) => (data as { values: unknown }).values),
    ).toEqual([{ "metadata.team": "red" }, { "metadata.team": "blue" }]);
  });

  it("refuses an address of the inner network that the operator did not open", async () => {
    const closed = await startBudgetPlatform();
    const answer = await closed.admin("PUT", "/budgets/app", {
      limit: "1",
      window: "day",
      alerts: { url: receiver.url },
    });
    await closed.close();
    expect(answer.status).toBe(400);
    expect(answer.body.error.parameter).toBe("alerts.url");
  });
});
