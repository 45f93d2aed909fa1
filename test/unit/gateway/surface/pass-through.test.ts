// A request in the provider's own shape goes through as bytes. What must hold all the same: the caller's model becomes
// the provider's, the call is counted, a broken answer is never a clean one, and no key leaks.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { standardShape, type CatalogEntry, type Provider } from "../../../../gateway/index.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";
import { chatModel, startHarness, until, type Harness } from "../harness.ts";

const entry: CatalogEntry = {
  ...chatModel,
  ...standardShape("text-generation"),
  id: "them/chat",
  upstreams: [{ kind: "provider", provider: "them", model: "their-model-1" }],
};

interface Received {
  readonly path: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

let server: Server;
let harness: Harness;
let received: Received[];
let closed: number;
let reply: (response: ServerResponse) => void;

beforeEach(async () => {
  received = [];
  closed = 0;
  server = createServer((request, response) => {
    const parts: Buffer[] = [];
    response.on("close", () => (closed += 1));
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const body = Buffer.concat(parts).toString("utf8");
      received.push({ path: request.url, headers: request.headers, body });
      reply(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const adapter = adapters.get("openai-compatible");
  if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const provider: Provider = { name: "them", adapter, baseUrl, key: "sk-of-the-operator" };
  harness = await startHarness({
    models: [chatModel, entry],
    providers: { get: (name) => (name === "them" ? provider : undefined), list: () => [provider] },
  });
});

afterEach(async () => {
  await harness.close();
  server.closeAllConnections();
  server.close();
});

const answer = {
  id: "theirs",
  object: "chat.completion",
  odd_field: [1.0, "é"],
  choices: [{ index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 7, completion_tokens: 2, total_tokens: 9 },
};

function json(status: number, body: unknown, headers: Record<string, string> = {}) {
  return (response: ServerResponse): void => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

function sse(...frames: readonly string[]) {
  return (response: ServerResponse): void => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const frame of frames) response.write(frame);
    response.end();
  };
}

const piece = (content: string): string =>
  `data: {"id":"theirs","choices":[{"index":0,"delta":{"content":"${content}"}}]}\n\n`;
const counted =
  'data: {"id":"theirs","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2}}\n\n';
const done = "data: [DONE]\n\n";

const path = "/v1/chat/completions";

function usageSeen(): unknown {
  const end = harness.events.find((event) => event.type === "prediction-end");
  return end?.type === "prediction-end" ? end.usage : undefined;
}

describe("a whole answer", () => {
  it("is the provider's, byte for byte, to the caller's own bytes with the provider's model", async () => {
    reply = json(200, answer);
    const body =
      '{ "messages":[{"role":"user","content":"é\\u00e9"}],\n"model" : "them/chat","n":2,"x":1.0 }';
    const response = await harness.call(path, { body });
    expect(await response.text()).toBe(JSON.stringify(answer));
    expect(received[0]?.body).toBe(body.replace('"them/chat"', '"their-model-1"'));
    expect(received[0]?.path).toBe("/v1/chat/completions");
    expect(usageSeen()).toEqual({ inputTokens: 7, outputTokens: 2, isEstimated: false });
  });

  it("goes out with the operator's key, or the caller's own, and never with the key of this gateway", async () => {
    reply = json(200, answer);
    const body = { model: "them/chat", messages: [] };
    await harness.call(path, { body });
    await harness.call(path, { body, headers: { "x-byom-provider-key": "sk-of-the-caller" } });
    expect(received.map(({ headers }) => headers.authorization)).toEqual([
      "Bearer sk-of-the-operator",
      "Bearer sk-of-the-caller",
    ]);
    expect(JSON.stringify(received)).not.toContain("byom_call_key");
  });

  it("tells a refused key apart from the caller's, without showing it", async () => {
    reply = json(401, { error: { message: "Incorrect API key: sk-of-the-operator" } });
    const response = await harness.call(path, { body: { model: "them/chat", messages: [] } });
    expect(response.status).toBe(502);
    const text = await response.text();
    expect(text).not.toContain("sk-of-the-operator");
    expect(text).toContain("x-byom-provider-key");
  });

  it("passes on when to come back", async () => {
    reply = json(429, { error: { message: "slow down" } }, { "retry-after": "7" });
    const response = await harness.call(path, { body: { model: "them/chat", messages: [] } });
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(await response.json()).toMatchObject({ error: { code: "rate_limited" } });
  });

  it("is not waited for when the caller has left", async () => {
    reply = () => undefined;
    const gone = new AbortController();
    const call = harness.call(path, {
      body: { model: "them/chat", messages: [] },
      signal: gone.signal,
    });
    await until("the provider has the call", () => received.length === 1);
    gone.abort();
    await expect(call).rejects.toThrow();
    await until("the provider is let go", () => closed === 1);
  });

  it.each([
    ["an escape that JSON does not have", '{"model":"them\\/ch\\xat","messages":[]}'],
    ["a line break in the model's name", '{"model":"them/chat\n","messages":[]}'],
  ])("says that a body with %s is not valid JSON", async (_, body) => {
    const response = await harness.call(path, { body });
    expect([response.status, received]).toEqual([400, []]);
    expect(await response.json()).toMatchObject({ error: { code: "invalid_request" } });
  });

  it("refuses a body that names two models instead of choosing one", async () => {
    reply = json(200, answer);
    const body =
      '{"model":"acme/nothing","model":"them/chat","messages":[{"role":"user","content":"x"}]}';
    await harness.call(path, { body });
    // A parser took the last one, and byom's own translation of the request went out.
    expect(JSON.parse(received[0]?.body ?? "{}")).toMatchObject({ model: "their-model-1" });
    expect(received[0]?.body).not.toContain("acme/nothing");
  });
});

describe("a stream", () => {
  const body = { model: "them/chat", messages: [], stream: true };

  it("passes through event by event; the count that only the gateway asked for stays here", async () => {
    reply = sse(piece("H"), ": ping\n\n", piece("i"), counted, done);
    const response = await harness.call(path, { body });
    expect(await response.text()).toBe(piece("H") + piece("i") + done);
    expect(JSON.parse(received[0]?.body ?? "{}")).toMatchObject({
      stream_options: { include_usage: true },
    });
    expect(usageSeen()).toEqual({ inputTokens: 7, outputTokens: 2, isEstimated: false });
    expect(response.headers.get("cf-aig-run-id")).toBe(response.headers.get("x-byom-prediction"));
  });

  it("shows the count to a caller who asked for it", async () => {
    reply = sse(piece("H"), counted, done);
    const asked = { ...body, stream_options: { include_usage: true } };
    const response = await harness.call(path, { body: asked });
    expect(await response.text()).toBe(piece("H") + counted + done);
    expect(received[0]?.body).toBe(JSON.stringify({ ...asked, model: "their-model-1" }));
  });

  it("keeps the other options of the stream", async () => {
    reply = sse(done);
    const given = { ...body, stream_options: { include_obfuscation: false } };
    await (await harness.call(path, { body: given })).text();
    expect(JSON.parse(received[0]?.body ?? "{}")).toMatchObject({
      stream_options: { include_obfuscation: false, include_usage: true },
    });
  });

  it.each([
    ["is cut", sse(piece("H"))],
    [
      "says in its middle that it failed",
      sse(piece("H"), 'data: {"error":{"message":"no"}}\n\n', done),
    ],
  ])("that %s ends with an error, never like a whole answer", async (_, cut) => {
    reply = cut;
    const text = await (await harness.call(path, { body })).text();
    expect(text.startsWith(piece("H"))).toBe(true);
    expect(text).not.toContain("[DONE]");
    const last = text.trim().split("\n\n").at(-1) ?? "";
    expect(JSON.parse(last.slice("data: ".length))).toMatchObject({
      error: { message: expect.any(String), code: expect.stringMatching(/^upstream_/) },
    });
  });

  it("that is refused at once has its status", async () => {
    reply = json(429, {}, { "retry-after": "7" });
    expect((await harness.call(path, { body })).status).toBe(429);
  });
});

describe("Anthropic's shape", () => {
  it("is translated for a provider that does not speak it", async () => {
    const ended = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
    reply = sse(piece("Hi"), ended, counted, done);
    const response = await harness.call("/v1/messages", {
      body: { model: "them/chat", max_tokens: 5, messages: [{ role: "user", content: "Hi" }] },
    });
    expect(await response.json()).toMatchObject({
      type: "message",
      content: [{ type: "text", text: "Hi" }],
      usage: { input_tokens: 7, output_tokens: 2 },
    });
    expect(received[0]?.path).toBe("/v1/chat/completions");
  });
});
