// The page at /spend in a real browser, over a real gateway whose ledger has real legs. What a person loses when one of
// these fails: what was spent, by whom, on what, and how much of a budget is left.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createConsole } from "../../../console/index.ts";
import {
  adminKey,
  callKey,
  otherKey,
  startBudgetPlatform,
  type BudgetPlatform,
} from "../../unit/gateway/usage/budget-platform.ts";
import { hasBrowser, launchBrowser } from "./browser.ts";

describe.skipIf(!hasBrowser)("the page of the spend", () => {
  let browser: Browser;
  let platform: BudgetPlatform;
  let context: BrowserContext;
  let page: Page;
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    platform = await startBudgetPlatform({ serve: createConsole(), start: Date.now() });
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      const isRefusal = message.text().includes("the server responded with a status of");
      if (message.type() === "error" && !isRefusal) complaints.push(message.text());
    });
    page.on("request", (request) => {
      if (!request.url().startsWith(platform.url)) complaints.push(request.url());
    });
  });
  afterEach(async () => {
    await context.close();
    await platform.close();
    expect(complaints).toEqual([]);
  });

  async function enter(key = adminKey, hash = ""): Promise<void> {
    await page.goto(`${platform.url}/spend${hash}`);
    await page.getByRole("button", { name: "Enter a key" }).first().click();
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.getByRole("button", { name: "Use this key" }).click();
  }
  const eventually = <Value>(read: () => Promise<Value>) => expect.poll(read, { timeout: 10_000 });
  const rows = () => page.locator(".spend-table tbody th .link").allTextContents();

  /** Three calls of team red, one of blue, and one by another key without a team. */
  async function spend(): Promise<void> {
    for (const team of ["red", "red", "red", "blue"]) {
      expect((await platform.chat({ metadata: { team } })).status).toBe(200);
    }
    expect((await platform.chat({ key: otherKey })).status).toBe(200);
  }

  it("asks for a key, and says so of a wrong one", async () => {
    await page.goto(`${platform.url}/spend`);
    await eventually(() => page.getByRole("heading", { level: 1 }).first().textContent()).toBe(
      "A key is needed",
    );
    await page.getByRole("button", { name: "Enter a key" }).first().click();
    await page.getByLabel("Key", { exact: true }).fill("byom_wrong");
    await page.getByRole("button", { name: "Use this key" }).click();
    await eventually(() => page.getByRole("alert").textContent()).toContain("not known");
  });

  it("says that there is nothing yet, instead of an empty chart", async () => {
    await enter();
    await eventually(() => page.locator("#chart").textContent()).toContain("No call in this time");
    expect(await page.locator("#total").textContent()).toBe("$0");
    expect(await page.locator("#budgets").textContent()).toContain("byom budgets set");
  });

  it("shows the total, each day, and each model, to the cent", async () => {
    await spend();
    await enter();
    await eventually(() => page.locator("#total").textContent()).toBe("$0.05");
    expect(await page.locator("#total-note").textContent()).toContain("in 5 calls");
    expect(await rows()).toEqual(["acme/paid"]);
    const cells = page.locator(".spend-table tbody td");
    expect((await cells.allTextContents()).slice(0, 6)).toEqual([
      "5",
      "3,000",
      "2,000",
      "0",
      "100.0 %",
      "$0.05",
    ]);
    expect(await page.locator(".chart .day").count()).toBe(30);
    const today = new Date().toISOString().slice(0, 10);
    await page.locator(".chart .day").last().focus();
    await eventually(() => page.locator("#chart-note").textContent()).toBe(`${today}: $0.05`);
    await page.keyboard.press("ArrowLeft");
    await eventually(() => page.locator("#chart-note").textContent()).toMatch(/: \$0$/);
  });

  it("splits by any metadata, narrows to a value, and keeps that in its address", async () => {
    await spend();
    await enter();
    await page.getByLabel("Split by").selectOption("metadata.team");
    await eventually(rows).toEqual(["red", "blue", "(none)"]);
    expect(await page.locator(".chart .day").last().locator("rect:not(.hit)").count()).toBe(3);
    await page.getByRole("button", { name: "red", exact: true }).click();
    await eventually(() => page.locator("#total").textContent()).toBe("$0.03");
    await page.getByLabel("Split by").selectOption("key");
    await eventually(rows).toEqual(["key-1"]);
    await page.reload();
    await eventually(() => page.locator("#total").textContent()).toBe("$0.03");
    const logs = await page.locator(".spend-table a").first().getAttribute("href");
    expect(logs).toBe("/logs#from=30d&metadata=team%3Dred");
    await page.getByRole("button", { name: /Remove the filter metadata.team red/ }).click();
    await eventually(rows).toEqual(["key-1", "key-2"]);
  });

  it("finds the calls that lack what it splits by", async () => {
    await spend();
    await enter(adminKey, "#by=metadata.team");
    await page.getByRole("button", { name: "(none)" }).click();
    await eventually(() => page.locator("#total").textContent()).toBe("$0.01");
  });

  it("shows each budget with its fill and when it opens again", async () => {
    await platform.admin("PUT", "/budgets/app", {
      limit: "0.04",
      window: "month",
      key: { mode: "filter", values: ["key-1"] },
    });
    await platform.admin("PUT", "/budgets/roomy", { limit: "10", window: "day" });
    await spend();
    expect((await platform.chat()).status).toBe(429);
    await enter();
    const budgets = page.locator(".budget");
    await eventually(() => budgets.count()).toBe(2);
    expect(await budgets.first().textContent()).toMatch(
      /app.*key key-1.*\$0\.04 of \$0\.04 each month.*Used up: calls are refused until .*1 calls refused/,
    );
    const meters = page.getByRole("meter");
    expect(await meters.first().getAttribute("aria-valuenow")).toBe("100");
    expect(await meters.last().getAttribute("aria-valuenow")).toBe("1");
    expect(await budgets.last().textContent()).toContain("$9.95 left until");
  });

  it("shows a key that may only call what it spent itself, and no budgets", async () => {
    await spend();
    await enter(callKey);
    await eventually(() => page.locator("#total").textContent()).toBe("$0.04");
    expect(await page.locator("#budgets-section").isVisible()).toBe(false);
  });

  it("fits a phone, in the dark too", async () => {
    await spend();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: "dark" });
    await enter();
    await page.locator(".chart .day").last().waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")).toBe(
      true,
    );
    const ground = await page.evaluate("getComputedStyle(document.body).backgroundColor");
    expect(ground).toBe("rgb(16, 18, 22)");
  });

  it("shows a hostile value as text", async () => {
    const attack = "<img src=x onerror=alert(1)>";
    await platform.chat({ metadata: { team: attack } });
    await enter(adminKey, "#by=metadata.team");
    await eventually(rows).toEqual([attack]);
    expect(await page.locator("img").count()).toBe(0);
  });
});
