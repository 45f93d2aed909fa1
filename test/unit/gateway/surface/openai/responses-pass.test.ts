// A response of a provider that speaks the Responses API goes through as bytes, where nothing of it is to be kept. What
// a user loses if one of these fails: built-in tools and fields that only the provider knows, the count of tokens, or a
// stream that was cut; and a provider would be asked for what only this gateway has.
import OpenAI from "openai";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  platformKey,
  startFaultPlatform,
  textModel,
  type FaultPlatform,
} from "../../../../support/fault-platform.ts";
import {
  startFaultServer,
  type Fault,
  type FaultServer,
} from "../../../../support/fault-server.ts";
import { shapes } from "../../../../support/fault-shapes.ts";
import { until } from "../../harness.ts";

const pieces = ["One, ", "two."] as const;
const { opening, piece, ending, whole } = shapes.responses;
const frames = [...opening, ...pieces.map(piece), ...ending(pieces)];

let server: FaultServer;
let platform: FaultPlatform;
let fault: Fault | undefined;

beforeEach(async () => {
  fault = undefined;
  server = await startFaultServer({
    choose: ({ shape }) => (shape === "responses" ? fault : undefined),
    pieces: () => pieces,
  });
  platform = await startFaultPlatform({
    entries: [
      textModel("them/gpt", { upstreams: [{ kind: "provider", provider: "them", model: "gpt" }] }),
      textModel("plain/gpt", {
        upstreams: [{ kind: "provider", provider: "plain", model: "gpt" }],
      }),
      textModel("both/gpt", {
        upstreams: [
          { kind: "provider", provider: "them", model: "gpt" },
          { kind: "provider", provider: "plain", model: "gpt" },
        ],
      }),
    ],
    providerOf: (name) => ({
      adapter: name === "them" ? "openai" : "openai-compatible",
      origin: server.origin,
    }),
    instanceOf: () => server.origin,
    gateway: { policy: { attempts: 1 }, deadlines: { idleMs: 400, totalMs: 2_000 } },
  });
});
afterEach(async () => {
  expect(platform.ownFaults).toEqual([]);
  await platform.close();
  await server.close();
});

function call(
  fields: object,
  { path = "", key = platformKey }: { readonly path?: string; readonly key?: string } = {},
): Promise<Response> {
  return fetch(`${platform.url}/v1/responses${path}`, {
    headers: { authorization: `Bearer ${key}` },
    ...(path === "" && {
      method: "POST",
      body: JSON.stringify({ model: "them/gpt", input: "count", store: false, ...fields }),
    }),
  });
}

const usage = { inputTokens: 11, outputTokens: 2, cachedTokens: 3, reasoningTokens: 1 };

describe("a response that is not to be kept", () => {
  it("is the provider's, byte for byte, with a tool that only the provider has", async () => {
    const tools = [{ type: "web_search", filters: { usage: { type: "object" } } }];
    const response = await call({ tools });
    expect(await response.text()).toBe(whole(pieces));
    expect(server.requests).toMatchObject([
      { path: "/v1/responses", body: { model: "gpt", store: false, tools } },
    ]);
    expect(platform.ended).toMatchObject([{ end: { state: "succeeded", usage } }]);
  });

  it("streams the provider's own events, its count among them", async () => {
    const response = await call({ stream: true });
    expect(await response.text()).toBe(frames.join(""));
    await until("the leg has ended", () => platform.ended.length === 1);
    expect(platform.ended).toMatchObject([{ end: { state: "succeeded", usage } }]);
  });

  it("can be read again from any event by the id that the provider gave", async () => {
    await (await call({ stream: true })).text();
    const again = await call({}, { path: "/resp_theirs?stream=true&starting_after=4" });
    expect(again.status).toBe(200);
    expect(await again.text()).toBe(frames.slice(5).join(""));
    const all = await call({}, { path: "/resp_theirs?stream=true" });
    expect(await all.text()).toBe(frames.join(""));
    // The provider was asked, and is paid, once.
    expect(server.requests).toHaveLength(1);
  });

  it("is not to be read without its stream: nothing is kept", async () => {
    await (await call({ stream: true })).text();
    expect((await call({}, { path: "/resp_theirs" })).status).toBe(404);
  });

  it("goes through OpenAI's own client", async () => {
    const client = new OpenAI({
      apiKey: platformKey,
      baseURL: `${platform.url}/v1`,
      maxRetries: 0,
    });
    const request = { model: "them/gpt", input: "count", store: false } as const;
    expect((await client.responses.create(request)).output_text).toBe("One, two.");
    const stream = client.responses.stream(request);
    expect((await stream.finalResponse()).output_text).toBe("One, two.");
  });
});

describe("a response that breaks", () => {
  it.each<[Fault, string]>([
    ["cut-rst", "upstream_cut"],
    ["cut-before-end", "upstream_cut"],
    ["stall", "upstream_timeout"],
    ["malformed-event", "upstream_failed"],
    ["error-in-stream", "upstream_failed"],
  ])("in its stream by %s ends with an error event, never as complete", async (one, code) => {
    fault = one;
    const text = await (await call({ stream: true })).text();
    expect(text).not.toContain("response.completed");
    const last = text.trim().split("\n\n").at(-1) ?? "";
    const [name, data] = last.split("\ndata: ");
    expect(name).toBe("event: error");
    const event = JSON.parse(data ?? "{}") as { sequence_number: number };
    expect(event).toMatchObject({ type: "error", code, message: expect.any(String) });
    // It follows on the events before it.
    expect(text.trim().split("\n\n")).toHaveLength(event.sequence_number + 1);
    await until("the leg has ended", () => platform.ended.length === 1);
    expect(platform.ended).toMatchObject([
      { end: { state: "failed", code, usage: { isEstimated: true } } },
    ]);
  });

  it.each<Fault>(["error-first-in-stream", "empty", "wrong-content-type", "500"])(
    "before anything was said by %s has a status",
    async (one) => {
      fault = one;
      expect((await call({ stream: true })).status).toBe(502);
    },
  );

  it.each<Fault>(["cut-before-end", "malformed-event", "error-in-stream", "empty"])(
    "as a whole by %s is an error",
    async (one) => {
      fault = one;
      const response = await call({});
      expect(response.status).toBe(502);
      expect(await response.json()).toMatchObject({ error: { code: expect.any(String) } });
    },
  );
});

describe("with a second upstream that does not speak of responses", () => {
  const client = (): OpenAI =>
    new OpenAI({ apiKey: platformKey, baseURL: `${platform.url}/v1`, maxRetries: 0 });
  const request = { model: "both/gpt", input: "count", store: false } as const;

  it.each<Fault>(["500", "error-first-in-stream", "empty", "malformed-first-event"])(
    "what fails by %s before anything was said is saved, streamed or not",
    async (one) => {
      fault = one;
      const whole = await client().responses.create(request);
      expect(whole).toMatchObject({ output_text: "One, two.", status: "completed" });
      const stream = client().responses.stream(request);
      expect((await stream.finalResponse()).output_text).toBe("One, two.");
      const tried = platform.ended.map(({ provider, end }) => `${provider} ${end.state}`);
      expect(tried).toEqual(["them failed", "plain succeeded", "them failed", "plain succeeded"]);
    },
  );

  it("what breaks off after its first words fails: its events are counted, and no other's fit behind them", async () => {
    fault = "cut-rst";
    const headers = { authorization: `Bearer ${platformKey}`, "x-byom-on-cut": "restart" };
    const body = JSON.stringify({ ...request, stream: true });
    const url = `${platform.url}/v1/responses`;
    const text = await (await fetch(url, { method: "POST", headers, body })).text();
    expect(text).toContain("event: error\n");
    expect(text).not.toContain("response.completed");
  });

  it("a tool that only the first one has is not asked of the second", async () => {
    fault = "500";
    const response = await call({ model: "both/gpt", tools: [{ type: "web_search" }] });
    expect(response.status).toBe(502);
    expect(server.requests.map(({ path }) => path)).toEqual(["/v1/responses"]);
  });
});

describe("what only this gateway knows never reaches the provider", () => {
  it.each<[string, object]>([
    ["is to be kept", { store: true }],
    ["is kept by default", { store: undefined }],
    ["runs in the background", { store: true, background: true }],
  ])("a response that %s is this gateway's own", async (_, fields) => {
    const response = await call(fields);
    const { id } = (await response.json()) as { readonly id: string };
    expect(id).toMatch(/^resp_[a-z2-7]{26}$/);
    await until("the provider is asked", () => server.requests.length === 1);
    expect(server.requests[0]?.path).toBe("/v1/chat/completions");
  });

  it("an earlier answer is sent as what was said, not by its id", async () => {
    const first = (await (await call({ store: true })).json()) as { readonly id: string };
    const response = await call({ previous_response_id: first.id, input: "go on" });
    expect(response.status).toBe(200);
    const { body, path } = server.requests[1] ?? { body: {}, path: "" };
    expect(path).toBe("/v1/chat/completions");
    expect(JSON.stringify(body)).not.toContain(first.id);
    expect(body).toMatchObject({
      messages: [{ content: "count" }, { content: "One, two." }, { content: "go on" }],
    });
  });

  it.each<[string, unknown]>([
    ["by reference", (id: string) => ({ type: "item_reference", id })],
    [
      "with its id",
      (id: string) => ({ type: "message", id, role: "assistant", content: "One, two." }),
    ],
  ])("an item of an earlier answer, named %s, is told in full", async (_, name) => {
    const first = (await (await call({ store: true })).json()) as {
      readonly output: readonly [{ readonly id: string }];
    };
    const [{ id }] = first.output;
    const item = (name as (id: string) => unknown)(id);
    const response = await call({ input: [item, { role: "user", content: "go on" }] });
    expect(response.status).toBe(200);
    expect(JSON.stringify(server.requests[1]?.body)).not.toContain(id);
  });

  it("a provider that does not speak the Responses API gets a chat", async () => {
    const response = await call({ model: "plain/gpt" });
    expect(await response.json()).toMatchObject({ output: [{ type: "message" }] });
    expect(server.requests[0]?.path).toBe("/v1/chat/completions");
  });
});
