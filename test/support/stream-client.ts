import { setTimeout as delay } from "node:timers/promises";
import { Agent, fetch, type RequestInit, type Response } from "undici";

import { createAI } from "../../client/index.ts";
import { ownModel, streamPlatformKey, theirModel } from "./stream-platform-names.ts";

/** Ways in which an app reads a stream that is cut, each by what it was promised. */
export const streamKinds = [
  "chat of a provider, resume?from=N",
  "chat of a provider, Last-Event-ID",
  "chat of an own model, /v1/streams?from=N",
  "prediction's stream URL, Last-Event-ID",
  "byom/client, own model",
  "byom/client, provider",
  "response, starting_after",
  "message, resume?from=N",
] as const;
export type StreamKind = (typeof streamKinds)[number];

export interface ReadStream {
  readonly kind: StreamKind;
  /** To read it again as a whole. */
  readonly runId: string;
  /** All of it, put together. */
  readonly text: string;
  readonly reconnects: number;
}

/** A stream that has begun. */
export interface BegunStream {
  /** Bytes that the reader has, now. */
  readonly bytesRead: () => number;
  readonly read: Promise<ReadStream>;
}

// One answer a connection: the proxy cuts connections.
const dispatcher = new Agent({ pipelining: 0, connections: null, bodyTimeout: 0 });
const headers = {
  authorization: `Bearer ${streamPlatformKey}`,
  "content-type": "application/json",
};
/** The platform may be gone for as long. */
const patienceMs = 60_000;

/** Begins stream `n` at a gateway behind a line that is cut; resolves once its first bytes are there. */
export async function beginStream(
  origin: string,
  stream: { readonly n: number; readonly kind: StreamKind },
): Promise<BegunStream> {
  const { n, kind } = stream;
  if (kind.startsWith("byom/client")) return await beginByClient(origin, n, kind);
  const way = waysOf(origin, n, kind);
  const response = await send(way.first);
  const begun = new CutStream(kind, way, response);
  return { bytesRead: () => begun.bytes.length, read: begun.read() };
}

/** A stream as a whole, without cuts. */
export async function readWhole(origin: string, runId: string): Promise<string> {
  const response = await fetch(`${origin}/v1/streams/${runId}`, { headers, dispatcher });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return await response.text();
}

interface Way {
  readonly first: () => Promise<Response>;
  readonly again: (state: { runId: string; events: number; text: string }) => Promise<Response>;
  readonly idsAdded: boolean;
}

function waysOf(origin: string, n: number, kind: StreamKind): Way {
  const get = (path: string, more: Record<string, string> = {}): Promise<Response> =>
    fetch(`${origin}${path}`, { headers: { ...headers, ...more }, dispatcher });
  const post = (path: string, body: unknown): Promise<Response> => {
    const init: RequestInit = { method: "POST", headers, body: JSON.stringify(body), dispatcher };
    return fetch(`${origin}${path}`, init);
  };
  const messages = [{ role: "user", content: `stream ${n}` }];
  const isTheirs = kind.startsWith("chat of a provider");
  const chat = { model: isTheirs ? theirModel : ownModel, messages, stream: true };
  const resume = ({ runId, events }: { runId: string; events: number }): Promise<Response> =>
    get(`/ai-gateway/gateways/default/run/${runId}/resume?from=${events}`);
  switch (kind) {
    case "chat of a provider, Last-Event-ID":
      return {
        first: () => post("/v1/chat/completions", chat),
        again: ({ runId, events }) =>
          get(`/v1/streams/${runId}?ids=true`, { "last-event-id": String(events) }),
        idsAdded: true,
      };
    case "chat of an own model, /v1/streams?from=N":
      return {
        first: () => post("/v1/chat/completions", chat),
        again: ({ runId, events }) => get(`/v1/streams/${runId}?from=${events}`),
        idsAdded: false,
      };
    case "prediction's stream URL, Last-Event-ID":
      return predictionWay(n, { get, post });
    case "response, starting_after":
      return {
        first: () => post("/v1/responses", { model: ownModel, input: `stream ${n}`, stream: true }),
        again: ({ runId, text }) => {
          const last = [...text.matchAll(/"sequence_number":(\d+)/g)].at(-1)?.[1];
          const after = last === undefined ? "" : `&starting_after=${last}`;
          return get(`/v1/responses/resp_${runId}?stream=true${after}`);
        },
        idsAdded: false,
      };
    case "message, resume?from=N":
      return {
        first: () => post("/v1/messages", { ...chat, max_tokens: 100 }),
        again: resume,
        idsAdded: false,
      };
    default:
      return { first: () => post("/v1/chat/completions", chat), again: resume, idsAdded: false };
  }
}

function predictionWay(
  n: number,
  {
    get,
    post,
  }: {
    readonly get: (path: string, more?: Record<string, string>) => Promise<Response>;
    readonly post: (path: string, body: unknown) => Promise<Response>;
  },
): Way {
  const open = (id: string, lastId?: string): Promise<Response> =>
    get(`/v1/predictions/${id}/stream`, lastId === undefined ? {} : { "last-event-id": lastId });
  return {
    first: async () => {
      const input = { prompt: `stream ${n}` };
      const created = await post(`/v1/models/${ownModel}/predictions`, { input, stream: true });
      const { id } = (await created.json()) as { id: string };
      return await open(id);
    },
    again: ({ runId, text }) => open(runId, [...text.matchAll(/^id: (\d+)$/gm)].at(-1)?.[1]),
    idsAdded: false,
  };
}

/** Reads a stream to its end over as many connections as it takes. */
class CutStream {
  bytes: Buffer = Buffer.alloc(0);
  #rest: Buffer = Buffer.alloc(0);
  readonly #kind: StreamKind;
  readonly #way: Way;
  readonly #runId: string;
  #response: Response;
  #reconnects = 0;

  constructor(kind: StreamKind, way: Way, response: Response) {
    this.#kind = kind;
    this.#way = way;
    this.#response = response;
    this.#runId = response.headers.get("cf-aig-run-id") ?? "";
  }

  async read(): Promise<ReadStream> {
    for (;;) {
      try {
        for await (const chunk of this.#response.body ?? []) this.#take(Buffer.from(chunk));
        const text = withoutComments(Buffer.concat([this.bytes, this.#rest]).toString("utf8"));
        const runId = this.#runId;
        return { kind: this.#kind, runId, text, reconnects: this.#reconnects };
      } catch {
        // Cut: what is not complete comes again.
      }
      this.#rest = Buffer.alloc(0);
      this.#reconnects += 1;
      const text = this.bytes.toString("utf8");
      const events = text.split("\n\n").length - 1;
      this.#response = await send(() => this.#way.again({ runId: this.#runId, events, text }));
    }
  }

  #take(chunk: Buffer): void {
    const all = Buffer.concat([this.#rest, chunk]);
    const end = all.lastIndexOf("\n\n") + 2;
    if (end === 1) {
      this.#rest = all;
      return;
    }
    this.#rest = all.subarray(end);
    const complete = all.subarray(0, end);
    const isNumbered = this.#way.idsAdded && this.#reconnects > 0;
    const kept = isNumbered
      ? Buffer.from(complete.toString("utf8").replaceAll(/^id: \d+\n/gm, ""))
      : complete;
    this.bytes = Buffer.concat([this.bytes, kept]);
  }
}

async function beginByClient(origin: string, n: number, kind: StreamKind): Promise<BegunStream> {
  let runId = "";
  let connections = 0;
  const ai = createAI({
    baseUrl: origin,
    apiKey: streamPlatformKey,
    reconnectsMax: 50,
    fetch: async (input, init) => {
      connections += 1;
      const response = await fetch(input, { ...(init as unknown as RequestInit), dispatcher });
      runId ||= response.headers.get("cf-aig-run-id") ?? "";
      return response as unknown as globalThis.Response;
    },
  });
  const model = kind.endsWith("provider") ? theirModel : ownModel;
  const messages = [{ role: "user", content: `stream ${n}` }];
  const stream = await ai.run(model, { messages, stream: true });
  let bytes = 0;
  const read = async (): Promise<ReadStream> => {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) {
      chunks.push(chunk);
      bytes += chunk.length;
    }
    const text = withoutComments(Buffer.concat(chunks).toString("utf8"));
    return { kind, runId, text, reconnects: connections - 1 };
  };
  return { bytesRead: () => bytes, read: read() };
}

/** Until it is answered: the platform may be starting. @throws for an answer that is none */
async function send(request: () => Promise<Response>): Promise<Response> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    try {
      const response = await request();
      if (response.ok) return response;
      const text = await response.text();
      if (response.status < 500) throw new RangeError(`${response.status} ${text}`);
    } catch (error) {
      if (error instanceof RangeError || performance.now() > deadline) throw error;
    }
    await delay(50);
  }
}

/** A line that keeps a silent connection alive is no part of the stream. */
function withoutComments(text: string): string {
  return text.replaceAll(/^: (?:keep-alive|starting)\n/gm, "");
}
