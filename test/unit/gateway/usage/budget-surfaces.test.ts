// A used up budget in the words of every surface, read by the real SDKs. What breaks when one of these fails: a client
// that knows what to do when the money is out does not see that it is, or calls again and again.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";
import Replicate from "replicate";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { callKey, paidModel, startBudgetPlatform, type BudgetPlatform } from "./budget-platform.ts";

let platform: BudgetPlatform;
let before = 0;
beforeAll(async () => {
  platform = await startBudgetPlatform();
  await platform.admin("PUT", "/budgets/app", { limit: "0.01", window: "day" });
  expect((await platform.chat()).status).toBe(200);
});
beforeEach(() => {
  before = platform.double.requests.length;
});
afterAll(async () => {
  // Nothing of what was refused has been sent.
  expect(platform.served()).toBe(1);
  await platform.close();
});

const text = "The budget app of 0.01 USD a day is used up";
const messages = [{ role: "user", content: "Hi" }] as const;
const nothingSent = (): void => expect(platform.double.requests.length).toBe(before);

async function post(path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(platform.url + path, {
    method: "POST",
    headers: { authorization: `Bearer ${callKey}`, ...headers },
    body: JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

describe("a used up budget", () => {
  it.each([
    ["a chat", false],
    ["a streamed chat", true],
  ])(
    "is insufficient_quota to OpenAI's SDK in %s, which does not try again",
    async (_name, stream) => {
      let calls = 0;
      const client = new OpenAI({
        apiKey: callKey,
        baseURL: `${platform.url}/v1`,
        maxRetries: 3,
        fetch: (url, init) => {
          calls += 1;
          return fetch(url, init);
        },
      });
      const failure = client.chat.completions.create({
        model: paidModel,
        messages: [...messages],
        stream,
      });
      await expect(failure).rejects.toBeInstanceOf(OpenAI.RateLimitError);
      await expect(failure).rejects.toMatchObject({
        status: 429,
        code: "insufficient_quota",
        type: "insufficient_quota",
        message: expect.stringContaining(text),
      });
      expect(calls).toBe(1);
      nothingSent();
    },
  );

  it("is the same in the Responses API and in legacy completions", async () => {
    const client = new OpenAI({ apiKey: callKey, baseURL: `${platform.url}/v1`, maxRetries: 0 });
    await expect(client.responses.create({ model: paidModel, input: "Hi" })).rejects.toMatchObject({
      status: 429,
      code: "insufficient_quota",
    });
    nothingSent();
  });

  it("is a billing_error to Anthropic's SDK", async () => {
    const client = new Anthropic({ apiKey: callKey, baseURL: platform.url, maxRetries: 3 });
    const failure = client.messages.create({
      model: paidModel,
      max_tokens: 10,
      messages: [...messages],
    });
    await expect(failure).rejects.toMatchObject({
      status: 402,
      error: {
        type: "error",
        error: { type: "billing_error", message: expect.stringContaining(text) },
      },
    });
    nothingSent();
  });

  it("is 402 to Replicate's SDK", async () => {
    const client = new Replicate({ auth: callKey, baseUrl: `${platform.url}/v1` });
    const [owner, name] = paidModel.split("/") as [string, string];
    const failure = client.predictions.create({
      model: `${owner}/${name}`,
      input: { prompt: "Hi" },
    });
    await expect(failure).rejects.toMatchObject({ response: { status: 402 } });
    const { body } = await post(`/v1/models/${paidModel}/predictions`, { input: { prompt: "Hi" } });
    expect(body).toEqual({
      title: "Insufficient credit",
      detail: expect.stringContaining(text),
      status: 402,
    });
    nothingSent();
  });

  it("is code 3036 in Workers AI's REST envelope and in a binding's words", async () => {
    const rest = await post(`/client/v4/accounts/local/ai/run/${paidModel}`, { messages });
    expect(rest).toMatchObject({
      status: 429,
      body: { success: false, errors: [{ code: 3036, message: expect.stringContaining(text) }] },
    });
    const binding = await post(
      "/run?version=3",
      { inputs: { messages }, options: {} },
      { "cf-consn-model-id": paidModel },
    );
    expect(binding).toMatchObject({ status: 429, body: { internalCode: 3036 } });
    nothingSent();
  });

  it("is 429 with the same code on an AI gateway's paths", async () => {
    const compat = await post("/gateway/v1/acct/gw/compat/chat/completions", {
      model: paidModel,
      messages,
    });
    expect(compat.status).toBe(429);
    expect(JSON.stringify(compat.body)).toContain(text);
    expect(compat.headers.get("x-should-retry")).toBe("false");
    nothingSent();
  });

  it("is named budget_exceeded in Cog's shape", async () => {
    const { status, body } = await post(`/models/${paidModel}/predictions`, {
      input: { prompt: "Hi" },
    });
    expect({ status, body }).toEqual({
      status: 429,
      body: { error: expect.stringContaining(text), code: "budget_exceeded", status: "failed" },
    });
    nothingSent();
  });
});
