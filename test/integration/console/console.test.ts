// The page at /models in a real browser, over a real gateway and a fake instance. What a person loses when one of these
// fails: finding a model, trying it, seeing what it made, reading why it refused, or their key to a hostile model card.
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { browserPath, hasBrowser, launchBrowser } from "./browser.ts";
import { attack, hostile, picture, silence } from "./models.ts";
import { callKey, startConsolePlatform, type ConsolePlatform } from "./platform.ts";

if (!hasBrowser) {
  console.log(
    `skipped: there is no ${browserPath}; install Debian's package chromium to run the console's tests`,
  );
}

describe.skipIf(!hasBrowser)("the console", () => {
  let browser: Browser;
  let harness: ConsolePlatform;
  let context: BrowserContext;
  let page: Page;
  let origin = "";
  /** What the browser itself complained about. */
  let complaints: string[] = [];
  /** Requests to anywhere but the platform. */
  let strangers: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser.close();
  });
  beforeEach(async () => {
    harness = await startConsolePlatform();
    origin = harness.url;
    context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
    page = await context.newPage();
    complaints = [];
    strangers = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => {
      // A refused call is logged by the browser too; those are expected.
      if (
        message.type() === "error" &&
        !message.text().includes("the server responded with a status of")
      ) {
        complaints.push(message.text());
      }
    });
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("data:") && !url.startsWith("blob:"))
        strangers.push(url);
    });
  });
  afterEach(async () => {
    await context.close();
    await harness.close();
    expect(complaints).toEqual([]);
    expect(strangers).toEqual([]);
    expect(harness.coglet.faults).toEqual([]);
  });

  async function enter(path = "", key = callKey): Promise<void> {
    await page.goto(`${origin}/models${path}`);
    await page.getByRole("button", { name: "Enter a key" }).first().click();
    await page.getByLabel("Key", { exact: true }).fill(key);
    await page.getByRole("button", { name: "Use this key" }).click();
  }
  /** A page on a busy machine may take its time. */
  const eventually = <Value>(read: () => Promise<Value>) => expect.poll(read, { timeout: 10_000 });
  const output = () => page.getByRole("region", { name: "Output" });

  it("shows the models of the key, and finds one by its words and its task", async () => {
    await enter();
    const links = page.locator(".model-link .model-name");
    await expect
      .poll(() => links.allTextContents())
      .toEqual(["acme/chat", "acme/ocr", "acme/painter", "acme/speaker", "mallory/evil"]);
    await page.getByLabel("Search").fill("TEXT acme aloud");
    await eventually(() => links.allTextContents()).toEqual(["acme/speaker"]);
    await page.getByLabel("Search").fill("");
    await page.getByLabel("Task").selectOption("Text to image");
    await eventually(() => links.allTextContents()).toEqual(["acme/painter"]);
    expect(await page.getByRole("status").first().textContent()).toMatch(/^1 of \d+ models$/);
    await page.getByLabel("Search").fill("nothing like it");
    await eventually(() => page.locator("#count").textContent()).toContain("No model fits");
  });

  it("shows a third party's models when asked for what cannot be called yet, and what is missing", async () => {
    await enter();
    await page.locator(".model-link").first().waitFor();
    await page.getByLabel("Only what can be called now").uncheck();
    await page.getByLabel("Search").fill("kimi");
    const link = page.locator(".model-link", { hasText: "kimi" }).first();
    const name = await link.locator(".model-name").textContent();
    await link.click();
    await page.getByRole("heading", { name: name ?? "" }).waitFor();
    await eventually(() => page.locator(".hint").textContent()).toContain("byom providers add");
  });

  it("keeps the key in this tab only, over a reload, and forgets it when asked", async () => {
    await enter();
    await page.locator(".model-link").first().waitFor();
    await page.reload();
    await page.locator(".model-link").first().waitFor();
    const stored = await page.evaluate("[localStorage.length, document.cookie]");
    expect(stored).toEqual([0, ""]);
    await page.getByRole("button", { name: /^Key …/ }).click();
    await page.getByRole("button", { name: "Forget it" }).click();
    await expect
      .poll(() => page.getByRole("heading", { level: 1 }).textContent())
      .toBe("A key is needed");
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    expect(await page.locator(".model-link").count()).toBe(0);
  });

  it("refuses a wrong key where it is typed, and says so of one that was revoked later", async () => {
    await enter("", "byom_wrong");
    await eventually(() => page.getByRole("alert").first().textContent()).toContain("not known");
    expect(await page.evaluate("sessionStorage.length")).toBe(0);
    await page.evaluate('sessionStorage.setItem("byom-key", "byom_revoked")');
    await page.reload();
    await expect
      .poll(() => page.getByRole("heading", { level: 1 }).textContent())
      .toBe("The key was refused");
  });

  it("chats: the answer comes word by word, with how the instance started", async () => {
    const half = Promise.withResolvers<void>();
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("one ");
      await half.promise;
      await prediction.output("two <b>three</b>");
      prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
    });
    await enter("#/acme/chat");
    await page.getByLabel("Message").fill("count");
    await page.keyboard.press("Enter");
    const answer = page.getByRole("article", { name: "Model" });
    await eventually(() => answer.locator(".bubble-text").textContent()).toBe("one ");
    half.resolve();
    await expect
      .poll(() => answer.locator(".bubble-text").textContent())
      .toBe("one two <b>three</b>");
    await answer.locator(".bubble-foot summary").click();
    await eventually(() => answer.locator(".timing").textContent()).toContain("criu");
    expect(await answer.locator(".timing").textContent()).toContain("no instance was running");
    expect(await page.getByText("4 in, 3 out").count()).toBe(1);
  });

  it("sends the conversation so far with the next message, and gives a question back that was not answered", async () => {
    harness.coglet.play(
      async (prediction) => {
        prediction.start();
        await prediction.output("blue");
        prediction.complete();
      },
      (prediction) => prediction.answer(500, { detail: "out of ink" }),
    );
    await enter("#/acme/chat");
    await page.getByLabel("Message").fill("which colour?");
    await page.getByRole("button", { name: "Send" }).click();
    await expect
      .poll(() => page.locator(".bubble.assistant .bubble-text").textContent())
      .toBe("blue");
    await page.getByLabel("Message").fill("why?");
    await page.getByRole("button", { name: "Send" }).click();
    await eventually(() => page.locator(".error-box:visible").count()).toBe(1);
    expect(await page.getByLabel("Message").inputValue()).toBe("why?");
    expect(JSON.stringify(harness.coglet.predictions[1]?.input)).toMatch(
      /which colour\?.*blue.*why\?/,
    );
  });

  it("runs a text model from its form, streamed, and can stop it", async () => {
    harness.coglet.play(async (prediction) => {
      prediction.start();
      await prediction.output("once ");
      await prediction.output("upon ");
      await prediction.canceled;
      prediction.complete({ status: "canceled" });
    });
    await enter("#/acme/chat");
    await page.getByRole("tab", { name: "Form" }).click();
    await page.getByLabel("prompt required").fill("tell");
    await page.getByRole("button", { name: "Run" }).click();
    await eventually(() => output().locator(".output-text").textContent()).toBe("once upon ");
    await page.getByRole("button", { name: "Cancel" }).click();
    await eventually(() => output().getByRole("status").textContent()).toBe("Canceled");
    expect(await page.getByRole("button", { name: "Run" }).isEnabled()).toBe(true);
    expect(await output().locator(".output-text").textContent()).toBe("once upon ");
  });

  it("sends every kind of field as its type, and shows the picture, the logs and the timing", async () => {
    harness.coglet.play((prediction) => {
      prediction.complete({
        output: picture,
        logs: "step 1\nstep 2\n",
        metrics: { predict_time: 1.5 },
      });
    });
    await enter("#/acme/painter");
    await page.getByLabel("prompt required").fill("a red dot");
    await page.getByLabel("steps integer").fill("3");
    await page.getByLabel("guidance number").fill("7.5");
    await page.getByLabel("tiled boolean").check();
    await page.getByLabel("style choice").selectOption("ink");
    await page.getByLabel("words list of string").fill("one\ntwo");
    await page.getByLabel("reference: a file").setInputFiles({
      name: "dot.txt",
      mimeType: "text/plain",
      buffer: Buffer.from("dot"),
    });
    await page.getByLabel("extra object").fill('{"deep":{"er":[1]}}');
    await page.getByText("More inputs (1)").click();
    await page.getByLabel("seed integer").fill("9");
    await page.getByRole("button", { name: "Run" }).click();
    const image = output().locator("img");
    await expect
      .poll(() => image.evaluate((one: { naturalWidth?: number }) => one.naturalWidth))
      .toBe(1);
    expect(harness.coglet.predictions[0]?.input).toEqual({
      prompt: "a red dot",
      steps: 3,
      guidance: 7.5,
      tiled: true,
      style: "ink",
      words: ["one", "two"],
      reference: "data:text/plain;base64,ZG90",
      extra: { deep: { er: [1] } },
      seed: 9,
    });
    await output().getByText("Logs").click();
    expect(await output().locator(".logs").textContent()).toContain("step 2");
    expect(await output().locator(".timing").textContent()).toMatch(
      /restored, 512 ms.*create.*criu/,
    );
  });

  it("plays sound", async () => {
    harness.coglet.play((prediction) => prediction.complete({ output: silence() }));
    await enter("#/acme/speaker");
    await page.getByRole("button", { name: "Fill in the example" }).click();
    expect(await page.getByLabel("text required").inputValue()).toBe("hush");
    await page.getByRole("button", { name: "Run" }).click();
    const audio = output().locator("audio");
    await audio.waitFor();
    await expect
      .poll(() => audio.evaluate((one: { duration?: number }) => one.duration))
      .toBeCloseTo(0.1, 2);
  });

  it("says at the field what is wrong with it, before and after asking the platform", async () => {
    await enter("#/acme/painter");
    await page.getByLabel("prompt required").fill("x");
    await page.getByLabel("extra object").fill("{not json");
    await page.getByRole("button", { name: "Run" }).click();
    await eventually(() => page.getByText("is not JSON").count()).toBe(1);
    expect(await page.getByLabel("extra object").getAttribute("aria-invalid")).toBe("true");
    await page.getByLabel("extra object").fill("");
    await page.getByLabel("prompt required").fill("");
    await page.getByLabel("steps integer").fill("99");
    await page.getByRole("button", { name: "Run" }).click();
    await eventually(() => page.getByText("must be at most 50, found 99").count()).toBe(1);
    expect(await page.getByText("is required", { exact: true }).count()).toBe(1);
    expect(await page.getByLabel("steps integer").getAttribute("aria-invalid")).toBe("true");
    expect(await page.evaluate("document.activeElement.name")).toBe("prompt");
    expect(harness.coglet.predictions.length).toBe(0);
  });

  it("shows the error of a prediction that fails", async () => {
    harness.coglet.play((prediction) => {
      prediction.complete({
        status: "failed",
        output: null,
        error: "no weights: <i>run setup</i>",
      });
    });
    await enter("#/acme/speaker");
    await page.getByLabel("text required").fill("x");
    await page.getByRole("button", { name: "Run" }).click();
    await expect
      .poll(() => output().getByRole("alert").textContent())
      .toContain("no weights: <i>run setup</i>");
    expect(await output().getByRole("status").textContent()).toBe("Failed");
  });

  it("shows what a hostile model says, and runs none of it", async () => {
    harness.coglet.play((prediction) => {
      prediction.complete({ output: `javascript:globalThis.pwned=1 ${attack}`, logs: attack });
    });
    await enter(`#/${hostile.id}`);
    await eventually(() => page.locator(".description").textContent()).toBe(attack);
    expect(await page.locator(".model-note span", { hasText: "onerror" }).textContent()).toBe(
      attack,
    );
    await page.getByRole("button", { name: "Run" }).click();
    await eventually(() => output().locator(".output-text").textContent()).toContain(attack);
    await output().getByText("Logs").click();
    await page.getByText("Input", { exact: true }).last().click();
    expect(await page.evaluate("globalThis.pwned")).toBeUndefined();
    expect(await page.locator("#detail img, #detail script, #models img").count()).toBe(0);
    expect(await output().locator("a").count()).toBe(0);
  });

  it("cannot make markup from a string even by a slip: the policy stops it", async () => {
    await enter();
    const refused = await page.evaluate(`(() => {
      try {
        document.querySelector("h1").innerHTML = "<b>x</b>";
        return "made";
      } catch (error) {
        return error.name;
      }
    })()`);
    expect(refused).toBe("TypeError");
    complaints = complaints.filter((text) => !text.includes("TrustedHTML"));
  });

  it("gives the same call in code, with what is filled in, and nothing that breaks out of it", async () => {
    await enter("#/acme/painter");
    await page.getByLabel("prompt required").fill("it's `$(red)`");
    const code = page.getByRole("region", { name: "Code" });
    await eventually(() => code.locator("pre").textContent()).toContain(String.raw`it'\''s`);
    expect(await code.locator("pre").textContent()).toContain(`${origin}/v1/predictions`);
    expect(await code.getByRole("tab").allTextContents()).toEqual([
      "curl",
      "replicate",
      "byom/client",
    ]);
    await code.getByRole("tab", { name: "replicate" }).click();
    expect(await code.locator("pre").textContent()).toContain('version: "acme/painter"');
    await page.goto(`${origin}/models#/acme/chat`);
    await code.getByRole("tab", { name: "openai" }).click();
    expect(await code.locator("pre").textContent()).toContain(`baseURL: "${origin}/v1"`);
    for (const text of await code.locator("pre").allTextContents())
      expect(text).not.toContain(callKey);
  });

  it("works by keyboard, and every control has a name", async () => {
    await enter("#/acme/painter");
    await page.getByRole("heading", { name: "acme/painter" }).waitFor();
    const nameless = await page.evaluate(`
      [...document.querySelectorAll("input, select, textarea, button, a[href], summary")]
        .filter((node) => node.textContent.trim() === "" && !node.ariaLabel && !node.labels?.length)
        .map((node) => node.outerHTML)
    `);
    expect(nameless).toEqual([]);
    await page.getByLabel("Search").focus();
    for (let step = 0; step < 3; step += 1) await page.keyboard.press("Tab");
    expect(await page.evaluate("document.activeElement.className")).toBe("model-link");
    await page.keyboard.press("Enter");
    await eventually(() => page.evaluate("document.activeElement.textContent")).toBe("acme/chat");
    await page.getByRole("tab", { name: "Chat" }).focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("tab", { name: "Form" }).getAttribute("aria-selected")).toBe(
      "true",
    );
  });

  it("fits a phone: the list first, then the model, with a way back and nothing cut off", async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await enter();
    await page.locator(".model-link", { hasText: "acme/painter" }).click();
    await page.getByRole("heading", { name: "acme/painter" }).waitFor();
    expect(await page.locator("#browse").isVisible()).toBe(false);
    const width = await page.evaluate("document.documentElement.scrollWidth");
    expect(width).toBe(360);
    await page.getByRole("link", { name: "← All models" }).click();
    await eventually(() => page.locator("#browse").isVisible()).toBe(true);
  });
});
