// A third party's model is called like an own one: on every surface, with the operator's key or the caller's, and what
// goes wrong at the provider is said in the words of the surface that was called.
import type { ServerResponse } from "node:http";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { standardShape } from "../../../../../gateway/catalog/standard-schemas.ts";
import type { CatalogEntry, Task } from "../../../../../gateway/catalog/entry.ts";
import type { Deadlines } from "../../../../../gateway/limits.ts";
import { adapters } from "../../../../../gateway/upstream/provider/adapters/index.ts";
import type { AdapterId } from "../../../../../gateway/upstream/provider/adapter.ts";
import type { Provider } from "../../../../../gateway/upstream/provider/providers.ts";
import { cutAfter, sse, stall, type ProviderDouble } from "../../../../support/provider-double.ts";
import { chatModel, startHarness, until, type Harness } from "../../harness.ts";
import {
  anthropicError,
  anthropicFrames,
  anthropicKey,
  blockOf,
  startAnthropicDouble,
} from "./doubles/anthropic.ts";
import { openAiKey, startOpenAiDouble } from "./doubles/openai.ts";
import { replicateKey, startReplicateDouble, type ReplicateDouble } from "./doubles/replicate.ts";
import { startWorkersAiDouble, workersAiKey } from "./doubles/workers-ai.ts";

const claude = entry("anthropic/claude-sonnet-5-5", "text-generation", [
  { kind: "provider", provider: "anthropic", model: "claude-sonnet-5-5" },
]);
const painter = entry("black-forest-labs/flux-schnell", "text-to-image", [
  { kind: "provider", provider: "replicate", model: "black-forest-labs/flux-schnell" },
]);
const editor = entry("openai/gpt-image-1", "image-to-image", [
  { kind: "provider", provider: "openai", model: "gpt-image-1" },
]);
const kimi = entry("@cf/moonshotai/kimi-k2.5", "text-generation", [
  { kind: "provider", provider: "workers-ai", model: "@cf/moonshotai/kimi-k2.5" },
]);
const keyless = entry("vidu/q3", "text-to-video", [
  { kind: "provider", provider: "vidu", model: "viduq3" },
]);

function entry(
  id: string,
  task: Task,
  upstreams: NonNullable<CatalogEntry["upstreams"]>,
): CatalogEntry {
  return { ...chatModel, ...standardShape(task), id, task, upstreams, hardware: "" };
}

let anthropic: ProviderDouble;
let openAi: ProviderDouble;
let replicate: ReplicateDouble;
let workersAi: ProviderDouble;
let harness: Harness;

beforeEach(async () => {
  anthropic = await startAnthropicDouble();
  openAi = await startOpenAiDouble();
  replicate = await startReplicateDouble();
  workersAi = await startWorkersAiDouble();
  harness = await start();
});

afterEach(async () => {
  await harness.close();
  for (const double of [anthropic, openAi, replicate, workersAi])
    await double[Symbol.asyncDispose]();
});

function start(
  options: { readonly deadlines?: Partial<Deadlines>; readonly key?: string } = {},
): Promise<Harness> {
  const { key = anthropicKey } = options;
  const configured = new Map<string, Provider>([
    ["anthropic", provider("anthropic", anthropic.baseUrl, key)],
    ["openai", provider("openai", openAi.baseUrl, openAiKey)],
    ["replicate", provider("replicate", `${replicate.baseUrl}/v1`, replicateKey)],
    ["workers-ai", provider("workers-ai", workersAi.baseUrl, workersAiKey)],
    ["vidu", provider("vidu", "http://127.0.0.1:9", undefined)],
  ]);
  return startHarness({
    models: [claude, painter, editor, kimi, keyless],
    providers: { get: (name) => configured.get(name), list: () => [...configured.values()] },
    ...(options.deadlines === undefined ? {} : { deadlines: options.deadlines }),
  });
}

function provider(id: AdapterId, baseUrl: string, key: string | undefined): Provider {
  const adapter = adapters.get(id);
  if (adapter === undefined) throw new Error(`no adapter ${id}`);
  return { name: id, adapter, baseUrl, ...(key === undefined ? {} : { key }) };
}

const hello = { model: claude.id, messages: [{ role: "user", content: "Hi" }] };

async function body(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

describe("a third party's chat model answers", () => {
  it("OpenAI's chat, with its own counts", async () => {
    const response = await harness.call("/v1/chat/completions", { body: hello });
    expect(response.status).toBe(200);
    expect(await body(response)).toMatchObject({
      model: claude.id,
      choices: [{ message: { content: "Hello" }, finish_reason: "stop" }],
      usage: { prompt_tokens: 15, completion_tokens: 12 },
    });
  });

  it("OpenAI's chat as a stream, with the usage when it is asked for", async () => {
    const response = await harness.call("/v1/chat/completions", {
      body: { ...hello, stream: true, stream_options: { include_usage: true } },
    });
    const text = await response.text();
    expect(text).toContain('"content":"Hel"');
    expect(text).toContain('"content":"lo"');
    expect(text).toContain('"prompt_tokens":15');
    expect(text.trim().endsWith("data: [DONE]")).toBe(true);
  });

  it("Replicate's predictions, waited for, with the text in pieces", async () => {
    const response = await harness.call(`/v1/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi" } },
      headers: { prefer: "wait" },
    });
    expect(response.status).toBe(201);
    expect(await body(response)).toMatchObject({
      status: "succeeded",
      metrics: { input_tokens: 15, output_tokens: 12, finish_reason: "stop" },
    });
  });

  it("Workers AI's run", async () => {
    const response = await harness.call(`/client/v4/accounts/any/ai/run/${claude.id}`, {
      body: { prompt: "Hi" },
    });
    expect(response.status).toBe(200);
    expect(await body(response)).toMatchObject({ success: true, result: { response: "Hello" } });
  });

  it("Workers AI's run under Cloudflare's own name of a model, with metadata", async () => {
    const response = await harness.call("/client/v4/accounts/any/ai/run", {
      body: {
        model: kimi.id,
        input: { prompt: "Hi" },
        options: { metadata: { team: "docs" } },
      },
    });
    expect(response.status).toBe(200);
    expect(JSON.stringify(await body(response))).toContain("Hello");
    expect(workersAi.requests[0]?.path).toContain("/ai/run/@cf/moonshotai/kimi-k2.5");
  });

  it("a chat with tools, whose calls come in the caller's shape", async () => {
    const call = { type: "tool_use", id: "toolu_1", name: "weather", input: {} };
    const deltas = [{ type: "input_json_delta", partial_json: '{"city":"Ulm"}' }];
    anthropic.next(sse(anthropicFrames(blockOf(0, call, deltas), "tool_use")));
    const response = await harness.call("/v1/chat/completions", {
      body: {
        ...hello,
        tools: [
          { type: "function", function: { name: "weather", parameters: { type: "object" } } },
        ],
      },
    });
    expect(await body(response)).toMatchObject({
      choices: [
        {
          finish_reason: "tool_calls",
          message: {
            tool_calls: [
              { id: "toolu_1", function: { name: "weather", arguments: '{"city":"Ulm"}' } },
            ],
          },
        },
      ],
    });
  });

  it("OpenAI's responses", async () => {
    const response = await harness.call("/v1/responses", {
      body: { model: claude.id, input: "Hi", store: false },
    });
    expect(response.status).toBe(200);
    expect(JSON.stringify(await body(response))).toContain("Hello");
  });

  it("the model's own path", async () => {
    const response = await harness.call(`/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi" } },
    });
    expect(response.status).toBe(200);
    expect(await body(response)).toMatchObject({ status: "succeeded" });
  });

  it("a bad input before the provider hears of it", async () => {
    const response = await harness.call(`/v1/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi", max_tokens: "many" } },
    });
    expect(response.status).toBe(422);
    expect(anthropic.requests).toHaveLength(0);
  });
});

describe("keys", () => {
  it("takes the caller's own key before the operator's, and keeps it nowhere", async () => {
    await harness.close();
    harness = await start({ key: "sk-ant-the-operators" });
    const response = await harness.call(`/v1/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi" } },
      headers: { prefer: "wait", "x-byom-provider-key": anthropicKey },
    });
    expect(response.status).toBe(201);
    expect(JSON.stringify([...harness.predictions.records.values()])).not.toContain(anthropicKey);
  });

  it("says whose key is missing, and how to give one", async () => {
    const response = await harness.call(`/v1/models/${keyless.id}/predictions`, {
      body: { input: { prompt: "waves" } },
      headers: { prefer: "wait" },
    });
    const text = await response.text();
    expect(text).toContain("vidu/q3 is served by vidu, for which there is no key here");
    expect(text).not.toContain("127.0.0.1:9");
    const chat = await harness.call("/v1/chat/completions", {
      body: { ...hello, model: keyless.id },
    });
    expect(chat.ok).toBe(false);
  });

  it("does not show the caller a key that the provider refused", async () => {
    anthropic.next(
      anthropicError(401, "authentication_error", `invalid x-api-key ${anthropicKey}`),
    );
    const response = await harness.call("/v1/chat/completions", { body: hello });
    expect(response.status).toBe(502);
    const text = await response.text();
    expect(text).toContain("anthropic refused the API key of anthropic");
    expect(text).not.toContain(anthropicKey);
  });
});

describe("failures", () => {
  it("passes a rate limit on with its pause, so that SDKs come back in time", async () => {
    anthropic.next(anthropicError(429, "rate_limit_error", "Slow", { "retry-after": "7" }));
    const response = await harness.call("/v1/chat/completions", { body: hello });
    expect(response.status).toBe(429);
    expect(response.headers.get("retry-after")).toBe("7");
    expect(await body(response)).toMatchObject({
      error: { message: expect.stringContaining("Slow") as string },
    });
  });

  it("comes back by itself for a prediction that was accepted", async () => {
    anthropic.next(anthropicError(429, "rate_limit_error", "Slow", { "retry-after": "0" }));
    const response = await harness.call(`/v1/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi" } },
      headers: { prefer: "wait" },
    });
    expect(await body(response)).toMatchObject({ status: "succeeded" });
    expect(anthropic.requests).toHaveLength(2);
  });

  it("does not end a stream as complete whose upstream was cut", async () => {
    anthropic.next(cutAfter(anthropicFrames().slice(0, 8)));
    const response = await harness.call("/v1/chat/completions", {
      body: { ...hello, stream: true },
    });
    const text = await response.text();
    expect(text).toContain('"content":"Hel"');
    expect(text).toContain('"error"');
    expect(text).not.toContain("[DONE]");
  });

  it("leaves the provider when the caller leaves", async () => {
    anthropic.next(stall(anthropicFrames().slice(0, 8)));
    const left = new AbortController();
    const response = await harness.call("/v1/chat/completions", {
      body: { ...hello, stream: true },
      signal: left.signal,
    });
    await response.body?.getReader().read();
    left.abort();
    await anthropic.requests[0]?.closed;
  });

  it("leaves the provider when the prediction is canceled", async () => {
    anthropic.next(stall(anthropicFrames().slice(0, 8)));
    const created = await harness.call(`/v1/models/${claude.id}/predictions`, {
      body: { input: { prompt: "Hi" } },
      headers: { prefer: "respond-async" },
    });
    const { id } = await body(created);
    await until("the provider is called", () => anthropic.requests.length === 1);
    await harness.call(`/v1/predictions/${String(id)}/cancel`, { method: "POST" });
    await anthropic.requests[0]?.closed;
    await until(
      "the prediction is canceled",
      () => harness.predictions.records.get(String(id))?.status === "canceled",
    );
  });

  it("cancels a job at the provider with it", async () => {
    replicate.nextAt("/v1/models/{owner}/{name}/predictions", (response) => {
      response.writeHead(201, { "content-type": "application/json" });
      response.end(JSON.stringify({ id: "p1", status: "starting", urls: {} }));
    });
    const looking = (response: ServerResponse): void => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ id: "p1", status: "processing" }));
    };
    replicate.nextAt("/v1/predictions/{id}", ...Array.from({ length: 20 }, () => looking));
    const created = await harness.call(`/v1/models/${painter.id}/predictions`, {
      body: { input: { prompt: "a cat" } },
      headers: { prefer: "respond-async" },
    });
    const { id } = await body(created);
    await until("the job was looked at", () =>
      replicate.requests.some(({ path }) => path === "/v1/predictions/p1"),
    );
    await harness.call(`/v1/predictions/${String(id)}/cancel`, { method: "POST" });
    await until("the provider was told", () => replicate.canceled.includes("p1"));
  });

  it("ends a call that takes longer than a call may, and says so", async () => {
    await harness.close();
    harness = await start({ deadlines: { totalMs: 150 } });
    anthropic.next(stall(anthropicFrames().slice(0, 2)));
    const response = await harness.call("/v1/chat/completions", { body: hello });
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("anthropic took longer than 150 ms.");
    await anthropic.requests[0]?.closed;
  });

  it("refuses to fetch a file of the input from a private address", async () => {
    const response = await harness.call(`/v1/models/${editor.id}/predictions`, {
      body: { input: { prompt: "bluer", image: ["https://169.254.169.254/latest"] } },
      headers: { prefer: "wait" },
    });
    expect(await body(response)).toMatchObject({
      status: "failed",
      error: expect.stringContaining("not a public address") as string,
    });
    expect(openAi.requests).toHaveLength(0);
  });
});

describe("in Anthropic's own shape", () => {
  it("asks for a version of the API for a caller who names none", async () => {
    const response = await harness.call("/v1/messages", {
      body: {
        model: claude.id,
        max_tokens: 9,
        stream: true,
        messages: [{ role: "user", content: [{ type: "text", text: "Hi" }] }],
      },
    });
    expect(await response.text()).toContain("message_stop");
    expect(anthropic.requests[0]?.headers["anthropic-version"]).toBe("2023-06-01");
  });
});
