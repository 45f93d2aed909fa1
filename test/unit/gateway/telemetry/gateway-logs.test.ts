// Through the real gateway: whatever the surface and however a call ends, its log has one entry, and that one is right.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Cloudflare from "cloudflare";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import {
  openAdministration,
  standardShape,
  type CatalogEntry,
  type Provider,
} from "../../../../gateway/index.ts";
import type { LogEntry } from "../../../../gateway/telemetry/logs/entry.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";
import { callKey, chatModel, deployKey, startHarness, until, type Harness } from "../harness.ts";
import { begins, refuses, says, type Reply } from "../prediction/two-providers.ts";
import { startReceiver, type Receiver } from "./otlp-receiver.ts";
import { parseMetrics } from "./prometheus-text.ts";

const them: CatalogEntry = {
  ...chatModel,
  ...standardShape("text-generation"),
  id: "them/chat",
  upstreams: [
    { kind: "provider", provider: "first", model: "first-model" },
    { kind: "provider", provider: "second", model: "second-model" },
  ],
};

let harness: Harness;
let receiver: Receiver;
const replies: Record<string, Reply> = {};
const closers: (() => void)[] = [];

async function startProvider(name: string): Promise<Provider> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(parts).toString("utf8")) as Record<string, unknown>;
      const asked = { provider: name, path: request.url, headers: request.headers, body };
      (replies[name] ?? says(`I am ${name}.`))(response, asked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const adapter = adapters.get("openai-compatible");
  if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");
  const { port } = server.address() as AddressInfo;
  return { name, adapter, baseUrl: `http://127.0.0.1:${port}/v1`, key: `sk-${name}-secret` };
}

beforeAll(async () => {
  receiver = await startReceiver();
  const list = [await startProvider("first"), await startProvider("second")];
  const models = [chatModel, them];
  const catalog = { get: (id: string) => models.find((one) => one.id === id), list: () => models };

  const directory = mkdtempSync(join(tmpdir(), "byom-administration-"));
  const administration = openAdministration({
    dataDirectory: directory,
    own: catalog,
    environment: {},
  });
  closers.push(() => {
    administration.close();
    rmSync(directory, { recursive: true, force: true });
  });
  harness = await startHarness({
    models,
    providers: { get: (name) => list.find((one) => one.name === name), list: () => list },
    key: { id: "key-1", name: "app", scopes: ["admin"] },
    more: {
      administration,
      metricsToken: "scrape-me",
      otlp: { tracesUrl: `${receiver.url}/v1/traces`, flushIntervalMs: 10 },
      policy: { retryDelayMs: 1 },
    },
  });
});

afterAll(async () => {
  await harness.close();
  for (const close of closers) close();
  expect(receiver.problems).toEqual([]);
  await receiver.close();
});

beforeEach(() => {
  for (const name of Object.keys(replies)) delete replies[name];
  harness.coglet.play(async (prediction) => {
    prediction.start();
    await prediction.output("one ");
    await prediction.output("two");
    prediction.complete({ metrics: { input_tokens: 4, output_tokens: 3 } });
  });
});

const messages = [{ role: "user", content: "write to bob@example.com" }];

function chat(
  model: string,
  more: object = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return harness.call("/v1/chat/completions", { body: { model, messages, ...more }, headers });
}

async function find(query: string): Promise<readonly LogEntry[]> {
  const answer = await harness.call(`/api/v1/logs?${query}`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { logs: readonly LogEntry[] }).logs;
}

/** The one entry of an event; that there is one only is part of the promise. */
async function entryOf(eventId: string): Promise<LogEntry> {
  let found: readonly LogEntry[] = [];
  for (let tries = 0; tries < 100 && found.length === 0; tries += 1) {
    found = await find(`event_id=${eventId}`);
  }
  expect(found).toHaveLength(1);
  return found[0]!;
}

describe("a call's entry", () => {
  it.each([
    ["openai", "/v1/chat/completions", { model: "acme/chat", messages }],
    ["anthropic", "/v1/messages", { model: "acme/chat", max_tokens: 9, messages }],
    ["replicate", "/v1/models/acme/chat/predictions", { input: { prompt: "x" } }],
    ["workers-ai", "/client/v4/accounts/a/ai/run/acme/chat", { prompt: "x" }],
    ["cog", "/models/acme/chat/predictions", { input: { prompt: "x" } }],
  ])(
    "of an own model over %s says who, what, how long and how it started",
    async (surface, path, body) => {
      const answer = await harness.call(path, {
        body,
        headers: {
          prefer: "wait",
          "cf-aig-event-id": `own-${surface}`,
          "cf-aig-metadata": '{"team":"search","n":7}',
        },
      });
      expect(answer.status).toBeLessThan(300);
      await answer.text();
      const entry = await entryOf(`own-${surface}`);
      expect(entry).toMatchObject({
        requestId: answer.headers.get("x-request-id"),
        surface,
        path,
        requestedModel: "acme/chat",
        model: "acme/chat",
        provider: "byom",
        keyId: "key-1",
        metadata: { team: "search", n: 7 },
        status: "succeeded",
        statusCode: 200,
        tokensIn: 4,
        tokensOut: 3,
        isCached: false,
        start: { mode: "restored" },
        hasPayload: false,
        legs: [{ index: 0, state: "succeeded", provider: "byom", instanceId: "i-1", version: 3 }],
      });
      expect(entry.durationMs).toBeGreaterThan(0);
      expect(entry.legs[0]?.firstOutputMs).toBeGreaterThan(0);
    },
  );

  it("of a provider's that passes through has its usage and its status", async () => {
    const answer = await chat("them/chat", {}, { "cf-aig-event-id": "pass" });
    expect(await answer.text()).toContain("I am first.");
    expect(await entryOf("pass")).toMatchObject({
      provider: "first",
      tokensIn: 5,
      tokensOut: 7,
      isStreamed: false,
      legs: [{ upstreamModel: "first-model", state: "succeeded" }],
    });
  });

  it("of a failover has both legs, and why the first one failed", async () => {
    replies["first"] = refuses(503);
    const answer = await chat("them/chat", { stream: true }, { "cf-aig-event-id": "failover" });
    expect(await answer.text()).toContain("I am second.");
    const entry = await entryOf("failover");
    expect(entry).toMatchObject({ provider: "second", status: "succeeded", isStreamed: true });
    expect(entry.legs.at(0)).toMatchObject({ provider: "first", state: "failed", status: 503 });
    expect(entry.legs.at(-1)).toMatchObject({ provider: "second", state: "succeeded" });
    expect(entry.legs.at(-1)?.firstOutputMs).toBeGreaterThan(0);
  });

  it("of a failure has its code, and no key of the provider in its words", async () => {
    const refusal: Reply = (response) => {
      response.writeHead(400, { "content-type": "application/json" });
      response.end('{"error":{"message":"not with sk-first-secret and sk-second-secret"}}');
    };
    replies["first"] = refusal;
    replies["second"] = refusal;
    const answer = await chat("them/chat", {}, { "cf-aig-event-id": "refused" });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    const entry = await entryOf("refused");
    expect(entry.status).toBe("failed");
    expect(entry.code).toBeDefined();
    expect(JSON.stringify(entry)).not.toMatch(/sk-(?:first|second)-secret/);
  });

  it("of a stream whose caller leaves says canceled", async () => {
    replies["first"] = begins("I am ");
    const gone = new AbortController();
    const answer = await harness.call("/v1/chat/completions", {
      body: { model: "them/chat", messages, stream: true },
      headers: { "cf-aig-event-id": "gone" },
      signal: gone.signal,
    });
    const reader = answer.body?.getReader();
    await reader?.read();
    gone.abort();
    let found: readonly LogEntry[] = [];
    for (let tries = 0; tries < 100 && found.length === 0; tries += 1) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      found = await find("event_id=gone");
    }
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ status: "canceled", code: "canceled" });
  });

  it("has the payload when it is asked for, blacked out, and is not there when the caller says so", async () => {
    await chat(
      "acme/chat",
      {},
      { "cf-aig-event-id": "with", "cf-aig-collect-log-payload": "true" },
    );
    const { id } = await entryOf("with");
    const payload = await (await harness.call(`/api/v1/logs/${id}/payload`)).text();
    expect(payload).toContain("[email]");
    expect(payload).not.toContain("bob@example.com");
    await chat("acme/chat", {}, { "cf-aig-event-id": "without", "cf-aig-collect-log": "false" });
    expect(await find("event_id=without")).toEqual([]);
  });
});

describe("the API", () => {
  it("follows: an entry comes to those who ask for such calls, and to no other", async () => {
    const gone = new AbortController();
    const tail = await harness.call("/api/v1/logs/tail?metadata=team=tail", {
      signal: gone.signal,
    });
    expect(tail.headers.get("content-type")).toBe("text/event-stream");
    await (await chat("acme/chat", {}, { "cf-aig-event-id": "unheard" })).text();
    await (
      await chat(
        "acme/chat",
        {},
        { "cf-aig-event-id": "heard", "cf-aig-metadata": '{"team":"tail"}' },
      )
    ).text();
    const reader = tail.body?.getReader();
    let text = "";
    while (!text.includes("event: log"))
      text += Buffer.from((await reader?.read())?.value ?? []).toString();
    expect(text).toContain('"eventId":"heard"');
    expect(text).not.toContain("unheard");
    gone.abort();
  });

  it("exports every entry once, oldest first", async () => {
    const text = await (await harness.call("/api/v1/logs/export?payloads=true")).text();
    const entries = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as LogEntry);
    expect(new Set(entries.map(({ id }) => id)).size).toBe(entries.length);
    expect(entries.length).toBe((await find("limit=1000")).length);
    expect(entries.find(({ eventId }) => eventId === "with")).toHaveProperty("input");
  });

  it("keeps a key without the scope out, and refuses to delete everything by accident", async () => {
    const headers = { authorization: `Bearer ${deployKey}` };
    for (const path of ["/api/v1/logs", "/api/v1/logs/settings", "/metrics"]) {
      expect((await harness.call(path, { headers })).status, path).toBe(403);
    }
    expect((await harness.call("/api/v1/logs", { method: "DELETE" })).status).toBe(400);
    const refused = await harness.call("/api/v1/logs/settings", {
      method: "PUT",
      body: { redaction: { expressions: [{ name: "x", pattern: "(" }] } },
    });
    expect(refused.status).toBe(400);
  });

  it("takes settings that hold with the next call", async () => {
    const put = (body: unknown): Promise<Response> =>
      harness.call("/api/v1/logs/settings", { method: "PUT", body });
    expect((await put({ rules: [{ match: { model: "acme/*" }, log: "never" }] })).status).toBe(200);
    await (await chat("acme/chat", {}, { "cf-aig-event-id": "silenced" })).text();
    expect((await put({})).status).toBe(200);
    expect(await find("event_id=silenced")).toEqual([]);
  });
});

it("is what the unmodified cloudflare client lists, reads, rates and deletes", async () => {
  const client = new Cloudflare({ apiToken: callKey, baseURL: `${harness.url}/client/v4` });
  const headers = { "cf-aig-metadata": '{"customer":"c9"}', "cf-aig-collect-log-payload": "true" };
  await (await chat("acme/chat", {}, { ...headers, "cf-aig-event-id": "cf" })).text();
  const { id } = await entryOf("cf");
  const filters = [
    { key: "metadata.key", operator: "eq", value: ["customer"] },
    { key: "metadata.value", operator: "eq", value: ["c9"] },
    { key: "success", operator: "eq", value: [true] },
  ] as const;
  const where = { account_id: "a", gateway_id: "any" };
  const asked = {
    account_id: "a",
    filters: filters.map((one) => ({ ...one, value: [...one.value] })),
  };
  const page = await client.aiGateway.logs.list("any", asked);
  expect(page.result).toMatchObject([
    { id, success: true, cached: false, model: "acme/chat", provider: "byom", tokens_in: 4 },
  ]);
  const all: string[] = [];
  for await (const one of client.aiGateway.logs.list("any", { account_id: "a", per_page: 3 })) {
    all.push(one.id);
  }
  expect(new Set(all).size).toBe((await find("limit=1000")).length);
  expect(await client.aiGateway.logs.request(id, where)).toEqual({ prompt: "write to [email]" });
  expect(await client.aiGateway.logs.response(id, where)).toEqual(["one ", "two"]);
  await client.aiGateway.logs.edit(id, { ...where, feedback: 1, metadata: { seen: true } });
  const entry = await client.aiGateway.logs.get(id, where);
  expect(entry).toMatchObject({ id, status_code: 200, metadata: '{"customer":"c9","seen":true}' });
  await client.aiGateway.logs.delete("any", asked);
  await expect(client.aiGateway.logs.get(id, where)).rejects.toMatchObject({ status: 404 });
});

it("is counted at /metrics, for an admin and for the operator's token only", async () => {
  const scrape = (secret: string): Promise<Response> =>
    harness.call("/metrics", { headers: { authorization: `Bearer ${secret}` } });
  expect((await scrape("scrape-you")).status).toBe(401);
  const answer = await scrape("scrape-me");
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const families = parseMetrics(await answer.text());
  const calls = families.get("byom_calls_total")?.samples ?? [];
  expect(calls.some(({ labels }) => labels["status"] === "canceled")).toBe(true);
  for (const name of [
    "byom_http_requests_total",
    "byom_breaker_state",
    "process_resident_memory_bytes",
  ]) {
    expect(families.has(name), name).toBe(true);
  }
  expect((await scrape(callKey)).status).toBe(200);
});

it("is in the trace of the application that called", async () => {
  const trace = "0af7651916cd43dd8448eb211c80319c";
  const traceparent = `00-${trace}-b7ad6b7169203331-01`;
  await (await chat("acme/chat", {}, { traceparent, "cf-aig-event-id": "traced" })).text();
  await until(
    "its spans",
    () => receiver.spans.filter((one) => one.traceId === trace).length === 2,
  );
  const [call, leg] = receiver.spans.filter((one) => one.traceId === trace);
  expect(call?.parentSpanId).toBe("b7ad6b7169203331");
  expect(leg?.parentSpanId).toBe(call?.spanId);
  expect((await entryOf("traced")).traceId).toBe(trace);
});
