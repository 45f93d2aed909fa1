// Two providers of OpenAI's shape behind one model, each a real server that the test plays, and an own deployment.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import {
  standardShape,
  type CatalogEntry,
  type GatewayOptions,
  type Provider,
} from "../../../../gateway/index.ts";
import type { Leg } from "../../../../gateway/route/leg.ts";
import type { CallRecord } from "../../../../gateway/telemetry/call-record.ts";
import { adapters } from "../../../../gateway/upstream/provider/adapters/index.ts";
import { chatModel, startHarness, type Harness } from "../harness.ts";

export interface Asked {
  readonly provider: string;
  readonly path: string | undefined;
  readonly headers: IncomingMessage["headers"];
  readonly body: Readonly<Record<string, unknown>>;
}

export type Reply = (response: ServerResponse, asked: Asked) => void;

export interface Stage {
  readonly harness: Harness;
  readonly asked: Asked[];
  readonly legs: Leg[];
  readonly calls: CallRecord[];
  /** How each provider answers from now on. */
  readonly replies: Record<string, Reply>;
  close(): Promise<void>;
}

/** A chat at two providers. */
export const chat: CatalogEntry = {
  ...chatModel,
  ...standardShape("text-generation"),
  id: "them/chat",
  upstreams: [
    { kind: "provider", provider: "first", model: "first-model" },
    { kind: "provider", provider: "second", model: "second-model" },
  ],
};
/** At one provider only. */
export const lone: CatalogEntry = {
  ...chat,
  id: "them/lone",
  upstreams: chat.upstreams!.slice(0, 1),
};
/** An own deployment first, a provider behind it. */
export const mixed: CatalogEntry = {
  ...chat,
  id: "acme/mixed",
  upstreams: [
    { kind: "deployment", modelId: "acme/mixed" },
    { kind: "provider", provider: "second", model: "second-model" },
  ],
};
/** A provider first, an own deployment behind it. */
export const backed: CatalogEntry = {
  ...chat,
  id: "them/backed",
  upstreams: [
    { kind: "provider", provider: "first", model: "first-model" },
    { kind: "deployment", modelId: "them/backed" },
  ],
};

export async function startStage(policy?: GatewayOptions["policy"]): Promise<Stage> {
  const asked: Asked[] = [];
  const legs: Leg[] = [];
  const calls: CallRecord[] = [];
  const replies: Record<string, Reply> = {};
  const servers: Server[] = [];
  const providers: Provider[] = [];
  for (const name of ["first", "second"]) {
    const server = await startServer((request, response, body) => {
      const one = {
        provider: name,
        path: request.url,
        headers: request.headers,
        body: JSON.parse(body) as Asked["body"],
      };
      asked.push(one);
      (replies[name] ?? says(`I am ${name}.`))(response, one);
    });
    servers.push(server);
    const adapter = adapters.get("openai-compatible");
    if (adapter === undefined) throw new Error("no adapter for OpenAI's protocol");
    const { port } = server.address() as AddressInfo;
    providers.push({ name, adapter, baseUrl: `http://127.0.0.1:${port}/v1`, key: `sk-${name}` });
  }
  const harness = await startHarness({
    models: [chat, lone, mixed, backed],
    providers: {
      get: (name) => providers.find((provider) => provider.name === name),
      list: () => providers,
    },
    more: {
      policy: { retryDelayMs: 1, ...policy },
      watch: { onLegEnd: (leg) => legs.push(leg), onCall: (call) => calls.push(call) },
    },
  });
  return {
    harness,
    asked,
    legs,
    calls,
    replies,
    async close() {
      await harness.close();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}

async function startServer(
  onRequest: (request: IncomingMessage, response: ServerResponse, body: string) => void,
): Promise<Server> {
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => onRequest(request, response, Buffer.concat(parts).toString("utf8")));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** A whole or streamed answer, as the request asks. */
export function says(text: string): Reply {
  return (response, { body }) => {
    if (body["stream"] === true) {
      begins(text)(response, { body } as Asked);
      ends(response);
      return;
    }
    const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
    const message = { role: "assistant", content: text };
    const choices = [{ index: 0, message, finish_reason: "stop" }];
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ id: "c", object: "chat.completion", choices, usage }));
  };
}

export function refuses(status: number, headers: Record<string, string> = {}): Reply {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ error: { message: `no: ${status}` } }));
  };
}

function frame(delta: unknown, more: object = {}): string {
  const choices = [{ index: 0, delta, finish_reason: null }];
  return `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", choices, ...more })}\n\n`;
}

/** The pieces of a stream, and no end. */
export function begins(...pieces: readonly string[]): Reply {
  return (response) => {
    response.writeHead(200, { "content-type": "text/event-stream" });
    for (const piece of pieces) response.write(frame({ content: piece }));
  };
}

export function ends(response: ServerResponse): void {
  const usage = { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 };
  response.write(
    `data: ${JSON.stringify({ id: "c", choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\n`,
  );
  response.write(`data: ${JSON.stringify({ id: "c", choices: [], usage })}\n\n`);
  response.end("data: [DONE]\n\n");
}

/** Begins, and then the connection breaks. */
export function breaksAfter(...pieces: readonly string[]): Reply {
  return (response, asked) => {
    begins(...pieces)(response, asked);
    setTimeout(() => response.destroy(), 30);
  };
}

/** Never a word. */
export const stalls: Reply = () => undefined;

export function breaks(response: ServerResponse): void {
  response.socket?.destroy();
}

export interface Chunk {
  readonly text: string;
  readonly byom?: Readonly<Record<string, unknown>>;
  readonly error?: Readonly<Record<string, unknown>>;
}

/** The chunks of an OpenAI stream, as clients read them. */
export function chunksOf(stream: string): readonly Chunk[] {
  return stream
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"))
    .map((event) => {
      const chunk = JSON.parse(event.slice("data: ".length)) as {
        readonly choices?: readonly { readonly delta?: { readonly content?: string } }[];
        readonly byom?: Readonly<Record<string, unknown>>;
        readonly error?: Readonly<Record<string, unknown>>;
      };
      return {
        text: chunk.choices?.[0]?.delta?.content ?? "",
        ...(chunk.byom !== undefined && { byom: chunk.byom }),
        ...(chunk.error !== undefined && { error: chunk.error }),
      };
    });
}

export function textOf(chunks: readonly Chunk[]): string {
  return chunks.map(({ text }) => text).join("");
}
