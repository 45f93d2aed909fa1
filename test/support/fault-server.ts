import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { makeCertificate } from "./certificate.ts";
import { shapeOf, shapes, type Shape, type ShapeName } from "./fault-shapes.ts";

/**
 * What an upstream can do wrong: the sixteen faults of the public failover catalogue; three of them come in two forms,
 * because a gateway can get the one right and the other wrong.
 */
export const faults = [
  "connect-refused",
  "dns",
  "tls",
  "429",
  "500",
  "503",
  "headers-timeout",
  "first-token-timeout",
  "stall",
  "cut-rst",
  "cut-fin",
  "cut-before-end",
  "malformed-event",
  "malformed-first-event",
  "error-in-stream",
  "error-first-in-stream",
  "empty",
  "slow-drip",
  "wrong-content-type",
] as const;
export type Fault = (typeof faults)[number];

/** Faults on the way to a server: there is none to answer. */
export const unreachableFaults: ReadonlySet<Fault> = new Set(["connect-refused", "dns", "tls"]);

/** Seconds of the 429's `Retry-After`. */
export const retryAfterSeconds = 1;

export interface FaultRequest {
  readonly path: string;
  readonly shape: ShapeName;
  readonly headers: IncomingMessage["headers"];
  readonly body: Readonly<Record<string, unknown>>;
  readonly isStreamed: boolean;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface ServedRequest extends FaultRequest {
  readonly fault: Fault | undefined;
}

export interface FaultServer {
  readonly origin: string;
  /** What was asked, in order. */
  readonly requests: readonly ServedRequest[];
  /** Requests whose answer has neither ended nor been given up by the caller. */
  readonly openAnswers: () => number;
  close(): Promise<void>;
}

export interface FaultServerOptions {
  /** What this request runs into; undefined: it is answered well. */
  readonly choose: (request: FaultRequest) => Fault | undefined;
  /** The answer's text, in the pieces of a stream. */
  readonly pieces: (request: FaultRequest) => readonly string[];
}

/** Between two signs of life of a server that says nothing of use. */
const pingMs = 40;
/** Between two bytes of a slow drip. */
const dripMs = 50;
/** So that what was written has left before a reset. */
const leaveMs = 10;

/** An upstream on a real socket that speaks OpenAI's, Anthropic's and Cog's API, and misbehaves as told. */
export async function startFaultServer(options: FaultServerOptions): Promise<FaultServer> {
  const requests: ServedRequest[] = [];
  const open = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    open.add(response);
    response.once("close", () => open.delete(response));
    // A caller that has left is no failure of the server.
    void serve(options, requests, request, response).catch(() => response.destroy());
  });
  const origin = `http://127.0.0.1:${await listen(server)}`;
  return {
    origin,
    requests,
    openAnswers: () => open.size,
    close: () => close(server),
  };
}

/** An origin at which nothing answers, for each of the faults on the way to a server. */
export async function openUnreachable(): Promise<
  ReadonlyMap<Fault, string> & { close(): Promise<void> }
> {
  const directory = await mkdtemp(join(tmpdir(), "byom-faults-"));
  // Its certificate is signed by itself, so that nobody trusts it.
  const { key, certificate } = await makeCertificate(directory);
  await rm(directory, { recursive: true, force: true });
  const server = createTlsServer({ key, cert: certificate }, (_request, response) => {
    response.writeHead(500).end("the certificate was not looked at");
  });
  server.on("tlsClientError", () => undefined);
  const port = await listen(server);
  const origins = new Map<Fault, string>([
    // A port that no unprivileged process can take.
    ["connect-refused", "http://127.0.0.1:1"],
    // Reserved (RFC 6761): no resolver knows it.
    ["dns", "http://upstream.invalid"],
    ["tls", `https://127.0.0.1:${port}`],
  ]);
  return Object.assign(origins, { close: () => close(server) });
}

async function serve(
  options: FaultServerOptions,
  requests: ServedRequest[],
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = new URL(incoming.url ?? "/", "http://upstream").pathname;
  const shape = shapeOf(path);
  const chunks: Buffer[] = [];
  for await (const part of incoming as AsyncIterable<Buffer>) chunks.push(part);
  if (shape === undefined) {
    // Such as the cancel of a prediction.
    response.writeHead(path.endsWith("/cancel") ? 200 : 404, json).end("{}");
    return;
  }
  const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
  const isStreamed =
    shape === "cog" ? incoming.headers.accept === "text/event-stream" : body["stream"] === true;
  const request = { path, shape, headers: incoming.headers, body, isStreamed, at: Date.now() };
  const fault = options.choose(request);
  requests.push({ ...request, fault });
  const answer = new Answer(response, shapes[shape], options.pieces(request));
  if (isStreamed) await answer.stream(fault);
  else await answer.whole(fault);
}

const json = { "content-type": "application/json" };
const stream = { "content-type": "text/event-stream", "cache-control": "no-cache" };

/** One answer on its way, well or not. */
class Answer {
  readonly #response: ServerResponse;
  readonly #shape: Shape;
  readonly #pieces: readonly string[];

  constructor(response: ServerResponse, shape: Shape, pieces: readonly string[]) {
    this.#response = response;
    this.#shape = shape;
    this.#pieces = pieces;
  }

  async stream(fault: Fault | undefined): Promise<void> {
    const { opening, ending, malformed, failed } = this.#shape;
    const frames = this.#pieces.map((text, index) => this.#shape.piece(text, index));
    const [half, rest] = [frames.slice(0, middle(frames)), frames.slice(middle(frames))];
    const end = ending(this.#pieces);
    const whole = [...opening, ...frames, ...end];
    if (await this.#refuse(fault, stream)) return;
    this.#response.writeHead(200, stream);
    switch (fault) {
      case "first-token-timeout":
        await this.#write(opening);
        return this.#ping(": still thinking\n\n");
      case "stall":
        return this.#write([...opening, ...half]);
      case "cut-rst":
        await this.#write([...opening, ...half]);
        return this.#reset();
      case "cut-fin":
        await this.#write([...opening, ...half]);
        return this.#hangUp();
      case "cut-before-end":
        await this.#write([...opening, ...frames]);
        break;
      case "malformed-event":
        await this.#write([...opening, ...half, malformed, ...rest, ...end]);
        break;
      case "malformed-first-event":
        await this.#write([malformed, ...whole]);
        break;
      case "error-in-stream":
        await this.#write([...opening, ...half, failed]);
        break;
      case "error-first-in-stream":
        await this.#write([failed]);
        break;
      case "slow-drip":
        return this.#drip(whole.join(""));
      default:
        await this.#write(whole);
    }
    this.#response.end();
  }

  async whole(fault: Fault | undefined): Promise<void> {
    const text = this.#shape.whole(this.#pieces);
    if (await this.#refuse(fault, json)) return;
    const isCutByLength = fault === "cut-rst" || fault === "cut-fin" || fault === "stall";
    this.#response.writeHead(200, {
      ...json,
      ...(isCutByLength && { "content-length": Buffer.byteLength(text) }),
    });
    const half = text.slice(0, text.length >> 1);
    switch (fault) {
      case "first-token-timeout":
        // As some providers keep a connection open while they think.
        return this.#ping("\n");
      case "stall":
        return this.#write([half]);
      case "cut-rst":
        await this.#write([half]);
        return this.#reset();
      case "cut-fin":
        await this.#write([half]);
        return this.#hangUp();
      case "cut-before-end":
        this.#response.end(text.slice(0, -1));
        return;
      case "malformed-event":
      case "malformed-first-event":
        this.#response.end(`${half}"]}`);
        return;
      case "error-in-stream":
      case "error-first-in-stream":
        this.#response.end(this.#shape.wholeFailed);
        return;
      case "slow-drip":
        return this.#drip(text);
      default:
        this.#response.end(text);
    }
  }

  /** Faults that are alike for streamed and whole answers; false when it is none of them. */
  async #refuse(
    fault: Fault | undefined,
    headers: Readonly<Record<string, string>>,
  ): Promise<boolean> {
    const response = this.#response;
    switch (fault) {
      case "connect-refused":
      case "dns":
      case "tls":
        // There is a server, so the nearest thing: the connection breaks before a word.
        await this.#reset();
        return true;
      case "429":
        response.writeHead(429, { ...json, "retry-after": String(retryAfterSeconds) });
        response.end(this.#shape.errorBody(429));
        return true;
      case "500":
      case "503":
        response.writeHead(Number(fault), json).end(this.#shape.errorBody(Number(fault)));
        return true;
      case "headers-timeout":
        return true;
      case "empty":
        response.writeHead(200, { ...headers, "content-length": 0 }).end();
        return true;
      case "wrong-content-type":
        response.writeHead(200, { "content-type": "text/html" });
        response.end("<!doctype html><title>Sign in</title><p>Please sign in to this network.");
        return true;
      default:
        return false;
    }
  }

  /** Resolves when the operating system has the bytes, or the caller has left. */
  async #write(frames: readonly string[]): Promise<void> {
    for (const frame of frames) {
      if (this.#response.destroyed) return;
      await new Promise<void>((resolve) => this.#response.write(frame, () => resolve()));
    }
  }

  async #ping(text: string): Promise<void> {
    while (!this.#response.destroyed) {
      await this.#write([text]);
      await sleep(pingMs);
    }
  }

  async #drip(text: string): Promise<void> {
    for (const byte of Buffer.from(text)) {
      if (this.#response.destroyed) return;
      this.#response.write(Buffer.from([byte]));
      await sleep(dripMs);
    }
    this.#response.end();
  }

  async #reset(): Promise<void> {
    await sleep(leaveMs);
    this.#response.socket?.resetAndDestroy();
  }

  /** The connection ends in good order, the answer does not. */
  async #hangUp(): Promise<void> {
    await sleep(leaveMs);
    this.#response.socket?.destroySoon();
  }
}

function middle(frames: readonly string[]): number {
  return Math.ceil(frames.length / 2);
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
