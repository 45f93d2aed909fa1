import { afterEach, beforeEach, describe, expect, test } from "vitest";

import { fail, sse, type ProviderDouble } from "../../../../support/provider-double.ts";
import { chatModel, startHarness, type Harness } from "../../harness.ts";
import { kimiDirect, moonshotProviders, startMoonshot } from "../../third-party.ts";

let harness: Harness;
let moonshot: ProviderDouble;

beforeEach(async () => {
  moonshot = await startMoonshot();
  harness = await startHarness({
    models: [chatModel, kimiDirect],
    providers: moonshotProviders(moonshot),
  });
});

afterEach(async () => {
  await harness.close();
  await moonshot.close();
  moonshot.verify();
});

const down = fail(503, { error: { message: "down" } });
const query = { model: "kimi-k2.5", messages: [{ role: "user", content: "Hi" }] };
const step = (
  config: Record<string, unknown> = {},
  more: Record<string, unknown> = {},
): unknown => ({
  provider: "moonshot",
  endpoint: "chat/completions",
  headers: {},
  query: { ...query, ...more },
  config,
});

const universal = (...steps: readonly unknown[]): Promise<Response> =>
  harness.call("/gateway/v1/acct/gw", { body: steps });

/** State and status of each leg, as the answer tells them. */
function legsOf(response: Response): readonly string[] {
  return (response.headers.get("x-byom-legs") ?? "")
    .split(", ")
    .filter((leg) => leg !== "")
    .map((leg) => `${/state=(\w+)/.exec(leg)?.[1]} ${/status=(\d+)/.exec(leg)?.[1] ?? "-"}`);
}

describe("a step of the universal endpoint", () => {
  test("is tried as often as its config says, and the log tells each try", async () => {
    moonshot.next(down, down);
    const response = await universal(
      step({ maxAttempts: 3, retryDelay: "1", backoff: "constant" }),
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("cf-aig-step")).toBe("0");
    expect(legsOf(response).slice(0, 2)).toEqual(["failed 503", "failed 503"]);
    expect(await response.json()).toMatchObject({ object: "chat.completion" });
    expect(moonshot.requests).toHaveLength(3);
  });

  test("that has had its tries leaves its turn to the next one", async () => {
    moonshot.next(down, down);
    harness.coglet.play((prediction) => {
      prediction.start();
      void prediction.output("own");
      prediction.complete();
    });
    const own = { provider: "byom", endpoint: "acme/chat", query: { prompt: "Hi" } };
    const response = await universal(step({ maxAttempts: 2, retryDelay: 1 }), own);
    expect(response.status).toBe(200);
    expect(response.headers.get("cf-aig-step")).toBe("1");
    expect(moonshot.requests).toHaveLength(2);
  });

  test("is not tried again for what would be refused again: the caller gets the provider's words", async () => {
    moonshot.next(fail(400, { error: { message: "no such tool" } }));
    const response = await universal(step({ maxAttempts: 3, retryDelay: 1 }));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ error: { message: "no such tool" } });
    expect(moonshot.requests).toHaveLength(1);
  });

  test("whose tries are over passes the last refusal on as it came", async () => {
    moonshot.next(down, down);
    const response = await universal(step({ maxAttempts: 2, retryDelay: 1 }));
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({ error: { message: "down" } });
    expect(moonshot.requests).toHaveLength(2);
  });

  test("with a config that means nothing is refused, naming the setting", async () => {
    for (const [config, name] of [
      [{ maxAttempts: 9 }, "maxAttempts"],
      [{ retryDelay: "soon" }, "retryDelay"],
      [{ backoff: "random" }, "backoff"],
      [{ requestTimeout: -1 }, "requestTimeout"],
      [{ requestTimeout: {} }, "requestTimeout"],
    ] as const) {
      const response = await universal(step(config));
      expect(response.status).toBe(400);
      expect(JSON.stringify(await response.json())).toContain(`[0].config.${name}`);
    }
    expect(moonshot.requests).toHaveLength(0);
  });
});

describe("a request that passes to a provider's own path", () => {
  const pass = (more: Record<string, unknown> = {}): Promise<Response> =>
    harness.call("/gateway/v1/acct/gw/moonshot/chat/completions", {
      body: { ...query, ...more },
      headers: { "content-type": "application/json" },
    });

  test("is a call of the log with the tokens that the provider counted", async () => {
    const response = await pass();
    await response.json();
    const id = response.headers.get("cf-aig-log-id") ?? "";
    await expect
      .poll(() => logOf(id), { timeout: 10_000 })
      .toMatchObject({
        model: kimiDirect.id,
        provider: "moonshot",
        success: true,
        tokens_in: expect.any(Number),
        tokens_out: expect.any(Number),
      });
  });

  test("whose stream is cut ends broken off, and is no success in the log", async () => {
    const piece = (text: string): unknown => ({
      id: "c",
      object: "chat.completion.chunk",
      created: 1,
      model: "kimi-k2.5",
      choices: [{ index: 0, delta: { content: text }, finish_reason: null }],
    });
    moonshot.next(sse([piece("Hel"), piece("lo")]));
    const response = await pass({ stream: true });
    const id = response.headers.get("cf-aig-log-id") ?? "";
    await expect(response.text()).rejects.toThrow();
    await expect.poll(() => logOf(id), { timeout: 10_000 }).toMatchObject({ success: false });
  });

  test("that the provider refuses is a failure in the log, with the provider's status", async () => {
    moonshot.next(fail(429, { error: { message: "slow down" } }));
    const response = await pass();
    expect(response.status).toBe(429);
    const id = response.headers.get("cf-aig-log-id") ?? "";
    await expect
      .poll(() => logOf(id), { timeout: 10_000 })
      .toMatchObject({
        success: false,
        tokens_in: null,
      });
  });
});

/** As a caller sees it in the binding's log; undefined while it is not written. */
async function logOf(id: string): Promise<unknown> {
  const response = await harness.call(`/ai-gateway/gateways/gw/logs/${id}`);
  return response.ok ? ((await response.json()) as { result: unknown }).result : undefined;
}
