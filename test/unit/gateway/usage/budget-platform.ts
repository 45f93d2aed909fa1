import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { Console } from "../../../../console/index.ts";
import {
  createGateway,
  openAdministration,
  type Gateway,
  type GatewayEvent,
} from "../../../../gateway/index.ts";
import {
  fail,
  json,
  sse,
  startProviderDouble,
  type ProviderDouble,
} from "../../../support/provider-double.ts";
import { FakeUpstream, MemoryPredictions } from "../harness.ts";
import { compatibleChat } from "../upstream/provider/doubles/openai-chat-part.ts";

export const adminKey = "byom_admin";
export const callKey = "byom_call";
export const otherKey = "byom_other";
/** At a cent for a thousand tokens, a call of the double's costs a cent. */
const tokensOfCall = 1_000;
export const paidModel = "acme/paid";
const start = Date.parse("2026-11-23T12:00:00.000Z");

export interface BudgetPlatform {
  readonly url: string;
  readonly double: ProviderDouble;
  readonly events: readonly GatewayEvent[];
  /** Chats that the provider has answered: what it charges for. */
  readonly served: () => number;
  /** Moves the clock. */
  pass(ms: number): void;
  admin(method: string, path: string, body?: unknown): Promise<{ status: number; body: any }>; // oxlint-disable-line typescript/no-explicit-any
  chat(options?: { key?: string; metadata?: unknown }): Promise<Response>;
  /** Ends this process' gateway, as a kill would when it is forced, and starts another one over its data. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** A gateway with its administration over a provider whose every chat costs one cent. */
export async function startBudgetPlatform(
  options: {
    readonly allowedHosts?: readonly string[];
    readonly answerDelayMs?: number;
    /** Answers before the gateway; whether it did. */
    readonly serve?: Console;
    /** Milliseconds since the epoch. */
    readonly start?: number;
  } = {},
): Promise<BudgetPlatform> {
  const directory = await mkdtemp(join(tmpdir(), "byom-budget-"));
  const events: GatewayEvent[] = [];
  let now = options.start ?? start;
  let served = 0;
  const double = await startProviderDouble({
    basePath: "/v1",
    key: { authorization: "Bearer sk-acme" },
    routes: [
      {
        method: "POST",
        path: "/chat/completions",
        body: compatibleChat,
        answer: async ({ body }) => {
          served += 1;
          await new Promise((resolve) => setTimeout(resolve, options.answerDelayMs ?? 0));
          return answerChat((body as { readonly stream?: boolean }).stream === true);
        },
      },
    ],
    refuse: ({ status, message }) => fail(status, { error: { message } }),
  });
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (options.serve?.(request, response, path) === true) return;
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(418).end();
    });
  });
  let gateway: Gateway;
  let administration: ReturnType<typeof openAdministration>;
  const open = (): void => {
    administration = openAdministration({
      dataDirectory: directory,
      own: { get: () => undefined, list: () => [] },
      environment: {},
      clock: () => now,
      bundled: [],
    });
    gateway = createGateway({
      upstream: new FakeUpstream(),
      catalog: administration.catalog,
      providers: administration.providers,
      administration,
      keys: {
        verify: (secret) =>
          secret === adminKey
            ? { id: "key-admin", name: "admin", scopes: ["admin"] }
            : secret === callKey
              ? { id: "key-1", name: "app", scopes: ["call"] }
              : secret === otherKey
                ? { id: "key-2", name: "other", scopes: ["call"] }
                : undefined,
      },
      predictions: new MemoryPredictions(),
      dataDirectory: directory,
      allowedHosts: options.allowedHosts ?? [],
      webhookLimits: { retryDelayMs: 5, retryDelayMaxMs: 10 },
      clock: () => now,
      deadlines: { callerGraceMs: 50, cancelMs: 500 },
      onEvent: (event) => events.push(event),
    });
  };
  const stop = async (): Promise<void> => {
    await gateway.close({ signal: AbortSignal.abort() });
    administration.close();
  };
  open();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const admin: BudgetPlatform["admin"] = async (method, path, body) => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${adminKey}` },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
  };
  await admin("PUT", "/providers/acme", {
    adapter: "openai-compatible",
    baseUrl: double.baseUrl,
    key: "sk-acme",
    allowPrivate: true,
  });
  await admin("PUT", `/catalog/models/${paidModel}`, {
    upstreams: [{ provider: "acme", model: "paid-1" }],
    prices: [
      { unit: "input-token", per: 1_000, usd: "0.01" },
      { unit: "output-token", per: 1_000, usd: "0.01" },
    ],
  });
  return {
    url,
    double,
    events,
    served: () => served,
    pass: (ms) => (now += ms),
    admin,
    chat: ({ key = callKey, metadata } = {}) =>
      fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${key}`,
          ...(metadata !== undefined && { "cf-aig-metadata": JSON.stringify(metadata) }),
        },
        body: JSON.stringify({ model: paidModel, messages: [{ role: "user", content: "Hi" }] }),
      }),
    restart: async () => {
      await stop();
      open();
    },
    async close() {
      await stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await double.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const usage = {
  prompt_tokens: 600,
  completion_tokens: tokensOfCall - 600,
  total_tokens: tokensOfCall,
};

function answerChat(isStreamed: boolean): ReturnType<typeof json> {
  if (isStreamed) {
    const chunk = (delta: unknown, finish: string | null): unknown => ({
      id: "c1",
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
    return sse([
      chunk({ role: "assistant", content: "Hi" }, null),
      chunk({}, "stop"),
      { id: "c1", object: "chat.completion.chunk", choices: [], usage },
      "data: [DONE]\n\n",
    ]);
  }
  const message = { role: "assistant", content: "Hi" };
  return json({
    id: "c1",
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage,
  });
}
