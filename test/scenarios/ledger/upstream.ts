import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";

/** What one request cost, as its upstream says. */
export interface Served {
  /** As it came by `x-client-request-id`. */
  readonly leg: string;
  /** The number that the caller gave its request. */
  readonly request: number;
  readonly inputTokens: number;
  readonly cachedTokens: number;
  readonly outputTokens: number;
}

export interface Upstream extends AsyncDisposable {
  readonly baseUrl: string;
  /** Its books: each request that it answered, whether or not anybody was there to hear it. */
  readonly served: readonly Served[];
  /** Requests that came, failed ones too. */
  readonly received: () => number;
  readonly failed: () => number;
}

/** Of its requests so many fail. */
const failureShare = 0.2;

/** A provider in OpenAI's shape that fails at random and keeps books. `random`: between 0 and 1. */
export async function startUpstream(random: () => number): Promise<Upstream> {
  const served: Served[] = [];
  let [received, failed] = [0, 0];
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await json(request)) as {
      readonly stream?: boolean;
      readonly messages: readonly { readonly content: string }[];
    };
    received += 1;
    // Some are under way when the platform is killed.
    await sleep(1 + random() * 10);
    if (random() < failureShare) {
      failed += 1;
      fail(request, response, random());
      return;
    }
    const inputTokens = 1 + Math.floor(random() * 1_000);
    const one: Served = {
      leg: String(request.headers["x-client-request-id"]),
      request: Number(body.messages[0]?.content),
      inputTokens,
      cachedTokens: Math.floor(random() * inputTokens),
      outputTokens: 1 + Math.floor(random() * 200),
    };
    served.push(one);
    if (body.stream === true) await stream(response, one);
    else answer(response, one);
  };
  const server = createServer((request, response) => {
    // A platform that was killed takes its connections with it.
    handle(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    served,
    received: () => received,
    failed: () => failed,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Nothing was served, and nothing costs. */
function fail(request: IncomingMessage, response: ServerResponse, kind: number): void {
  if (kind < 0.25) {
    request.socket.destroy();
    return;
  }
  const status = kind < 0.5 ? 500 : kind < 0.75 ? 503 : 429;
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify({ error: { message: "at random", type: "server_error" } }));
}

function usageOf({ inputTokens, outputTokens, cachedTokens }: Served): unknown {
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

const shared = { id: "chatcmpl-1", created: 1_790_000_000, model: "served" };

function answer(response: ServerResponse, one: Served): void {
  const message = { role: "assistant", content: "served" };
  const body = {
    ...shared,
    object: "chat.completion",
    choices: [{ index: 0, message, finish_reason: "stop" }],
    usage: usageOf(one),
  };
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function stream(response: ServerResponse, one: Served): Promise<void> {
  const chunk = (rest: Readonly<Record<string, unknown>>): string =>
    `data: ${JSON.stringify({ ...shared, object: "chat.completion.chunk", ...rest })}\n\n`;
  const choice = (delta: unknown, finish: string | null): Readonly<Record<string, unknown>> => ({
    choices: [{ index: 0, delta, finish_reason: finish }],
  });
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk(choice({ role: "assistant", content: "ser" }, null)));
  await sleep(2);
  response.write(chunk(choice({ content: "ved" }, null)));
  response.write(chunk(choice({}, "stop")));
  response.write(chunk({ choices: [], usage: usageOf(one) }));
  response.end("data: [DONE]\n\n");
}
