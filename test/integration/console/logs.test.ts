// The page at /logs in a real browser, over a real gateway that writes a real log. What a person loses when one of these
// fails: seeing a call as it ends, finding the one that failed and why, reading what went in and out, and saying what it
// was worth.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { hasBrowser, launchBrowser } from "./browser.ts";
import { callKey, startConsolePlatform, type ConsolePlatform } from "./platform.ts";

describe.skipIf(!hasBrowser)("the page of the log", () => {
  let browser: Browser;
  let platform: ConsolePlatform;
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
    platform = await startConsolePlatform();
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

  async function enter(hash = ""): Promise<void> {
    await page.goto(`${platform.url}/logs${hash}`);
    await page.getByRole("button", { name: "Enter a key" }).first().click();
    await page.getByLabel("Key", { exact: true }).fill(callKey);
    await page.getByRole("button", { name: "Use this key" }).click();
    await eventually(() => page.locator("#report").isVisible()).toBe(true);
  }
  const eventually = <Value>(read: () => Promise<Value>) => expect.poll(read, { timeout: 10_000 });
  const rows = () => page.locator("#rows tr");

  /** A chat whose model says `text`, or fails with it; resolves with its id. */
  async function chat(
    text: string,
    options: { readonly fails?: boolean; readonly headers?: Record<string, string> } = {},
  ): Promise<string> {
    platform.coglet.play((prediction) => {
      prediction.start();
      if (options.fails === true) {
        prediction.complete({ status: "failed", error: text, output: null });
        return;
      }
      void prediction.output(text);
      prediction.complete();
    });
    const response = await fetch(`${platform.url}/v1/chat/completions`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${callKey}`,
        "content-type": "application/json",
        ...options.headers,
      },
      body: JSON.stringify({ model: "acme/chat", messages: [{ role: "user", content: "Hi" }] }),
    });
    await response.text();
    return response.headers.get("cf-aig-log-id") ?? "";
  }

  it("shows the calls, and a new one on top as it ends", async () => {
    await chat("first");
    await enter();
    await eventually(() => rows().count()).toBe(1);
    await eventually(() => page.locator("#count").textContent()).toContain(
      "new calls appear as they end",
    );
    const id = await chat("second");
    await eventually(() => rows().count()).toBe(2);
    expect(await rows().first().getAttribute("data-id")).toBe(id);
    await page.getByLabel("Follow").uncheck();
    await chat("third");
    await eventually(() => page.locator("#count").textContent()).toContain("not following");
    expect(await rows().count()).toBe(2);
    await page.getByLabel("Follow").check();
    await eventually(() => rows().count()).toBe(3);
  });

  it("finds calls by outcome, metadata and words, also in what appears later; the address keeps the question", async () => {
    await chat("fine", { headers: { "cf-aig-metadata": '{"team":"blue"}' } });
    const failed = await chat("the bees are gone", { fails: true });
    await enter();
    await eventually(() => rows().count()).toBe(2);
    await page.getByLabel("Outcome").selectOption("Failed");
    await eventually(() => rows().count()).toBe(1);
    expect(await rows().first().textContent()).toContain("prediction_failed");
    await chat("fine again");
    const later = await chat("gone again", { fails: true });
    await eventually(() => rows().first().getAttribute("data-id")).toBe(later);
    expect(await rows().count()).toBe(2);
    await page.getByLabel("Words").fill("bees");
    await eventually(() => rows().count()).toBe(1);
    expect(await rows().first().getAttribute("data-id")).toBe(failed);
    await page.reload();
    await eventually(() => rows().count()).toBe(1);
    expect(await page.getByLabel("Words").inputValue()).toBe("bees");
    await page.goto(`${platform.url}/logs#metadata=team%3Dblue`);
    await eventually(() => rows().count()).toBe(1);
    expect(await rows().first().textContent()).toContain("succeeded");
  });

  it("shows one call with its legs on a scale of time, why it failed, and its facts", async () => {
    const id = await chat("out of bees", {
      fails: true,
      headers: { "cf-aig-metadata": '{"team":"blue"}' },
    });
    await enter();
    await page.locator(`[data-id="${id}"] a`).focus();
    await page.keyboard.press("Enter");
    const detail = page.getByRole("region", { name: "Call", exact: true });
    await eventually(() => detail.getByRole("heading", { level: 1 }).textContent()).toBe(
      "acme/chat",
    );
    expect(await detail.getByRole("list", { name: "Legs of the call" }).textContent()).toContain(
      "byom · acme/chat",
    );
    expect(await detail.locator(".leg-error").first().textContent()).toContain("out of bees");
    expect(await detail.locator(".leg-bar").count()).toBeGreaterThan(0);
    const facts = await detail.locator(".facts").textContent();
    expect(facts).toContain(id);
    expect(facts).toContain("Metadata team");
    // Who opened it by the keyboard goes on reading there.
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    expect(await detail.textContent()).toContain("They were not kept");
  });

  it("shows input and output where they are kept, as text and never as markup", async () => {
    const id = await chat("<img src=x onerror=alert(1)>", {
      headers: { "cf-aig-collect-log-payload": "true" },
    });
    await enter(`#call=${id}`);
    await eventually(() => page.getByLabel("Output", { exact: true }).textContent()).toContain(
      "<img src=x onerror=alert(1)>",
    );
    expect(await page.getByLabel("Input", { exact: true }).textContent()).toContain("Hi");
    expect(await page.locator("#detail img").count()).toBe(0);
  });

  it("takes what a person thinks of an answer, and takes it back", async () => {
    const id = await chat("an answer");
    await enter(`#call=${id}`);
    const good = page.getByRole("button", { name: "Good answer" });
    const read = async (): Promise<unknown> => {
      const response = await fetch(`${platform.url}/api/v1/logs/${id}`, {
        headers: { authorization: `Bearer ${callKey}` },
      });
      return ((await response.json()) as { feedback?: number }).feedback;
    };
    await good.click();
    await eventually(() => good.getAttribute("aria-pressed")).toBe("true");
    expect(await read()).toBe(1);
    await page.getByRole("button", { name: "Bad answer" }).click();
    await eventually(() => good.getAttribute("aria-pressed")).toBe("false");
    expect(await read()).toBe(-1);
    await page.getByRole("button", { name: "Bad answer" }).click();
    await eventually(read).toBeUndefined();
  });

  it("says what is wrong with a key, a filter and an address", async () => {
    await page.goto(`${platform.url}/logs`);
    await eventually(() => page.getByRole("heading", { level: 1 }).first().textContent()).toBe(
      "A key is needed",
    );
    await enter("#call=nothing-like-this");
    await eventually(() => page.locator("#detail").textContent()).toContain("There is no call");
    await page.getByLabel("Words").fill("…");
    await eventually(() => page.locator("#count").textContent()).toContain(
      "has no word to look for",
    );
  });

  for (const colorScheme of ["light", "dark"] as const) {
    it(`fits a phone, ${colorScheme}, with the call in the place of the list`, async () => {
      await page.setViewportSize({ width: 360, height: 740 });
      await page.emulateMedia({ colorScheme });
      const id = await chat("small");
      await enter();
      await eventually(() => rows().count()).toBe(1);
      const overflow = (): Promise<number> =>
        page.evaluate(
          "document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.locator(`[data-id="${id}"] a`).click();
      await eventually(() => page.locator("#detail h1").textContent()).toBe("acme/chat");
      expect(await page.locator("#browse").isVisible()).toBe(false);
      expect(await overflow()).toBeLessThanOrEqual(0);
      await page.getByRole("link", { name: "← All calls" }).click();
      await eventually(() => page.locator("#browse").isVisible()).toBe(true);
    });
  }
});
