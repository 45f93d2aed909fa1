import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

/** One prediction that the fake was asked for; the test plays the model. */
export class FakePrediction {
  readonly id: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly isStreaming: boolean;
  /** Resolves when the caller asks to cancel. */
  readonly canceled: Promise<void>;
  /** Resolves when the connection is gone or the answer complete. */
  readonly closed: Promise<void>;
  readonly markCanceled: () => void;
  readonly #response: ServerResponse;
  #outputs: unknown[] = [];

  constructor(body: Record<string, unknown>, isStreaming: boolean, response: ServerResponse) {
    this.body = body;
    this.id = String(body["id"]);
    this.input = body["input"] as Record<string, unknown>;
    this.isStreaming = isStreaming;
    this.#response = response;
    const canceled = Promise.withResolvers<void>();
    this.canceled = canceled.promise;
    this.markCanceled = canceled.resolve;
    this.closed = new Promise((resolve) => response.once("close", resolve));
  }

  start(): void {
    this.#response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache",
    });
    void this.event("start", { id: this.id, status: "processing" });
  }

  /** Resolves once the operating system has taken the bytes. */
  event(name: string, data: unknown): Promise<void> {
    return this.raw(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  output(chunk: unknown): Promise<void> {
    this.#outputs.push(chunk);
    return this.event("output", { chunk, index: this.#outputs.length - 1 });
  }

  raw(text: string | Buffer): Promise<void> {
    return new Promise((resolve) => this.#response.write(text, () => resolve()));
  }

  /** The last event of a stream, or the whole answer. */
  complete(fields: Readonly<Record<string, unknown>> = {}): void {
    const body = {
      id: this.id,
      logs: "",
      metrics: { predict_time: 0.5 },
      output: this.#outputs,
      status: "succeeded",
      ...fields,
    };
    if (this.isStreaming) {
      void this.event("completed", body);
      this.#response.end();
    } else {
      this.answer(200, body);
    }
  }

  answer(status: number, body: unknown): void {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    this.#response.writeHead(status, { "content-type": "application/json" });
    this.#response.end(text);
  }

  end(): void {
    this.#response.end();
  }

  /** Breaks the connection as a killed container does. */
  cut(): void {
    this.#response.destroy();
  }
}

export type Play = (prediction: FakePrediction) => void | Promise<void>;

/** A server that speaks coglet's HTTP API as coglet 0.23 does; anything else that it is asked is a fault of the test. */
export interface FakeCoglet {
  readonly origin: string;
  /** How the next predictions go; each call takes the next play, the last one stays. */
  play(...plays: readonly Play[]): void;
  readonly predictions: readonly FakePrediction[];
  /** Requests that coglet would not understand. */
  readonly faults: readonly string[];
  readonly openConnections: () => number;
  close(): Promise<void>;
}

export async function startFakeCoglet(): Promise<FakeCoglet> {
  const predictions: FakePrediction[] = [];
  const faults: string[] = [];
  const sockets = new Set<Socket>();
  let plays: Play[] = [];
  const server = createServer((request, response) => {
    void serve(request, response).catch((error: unknown) => faults.push(String(error)));
  });
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = request.url ?? "";
    const cancel = /^\/predictions\/([^/]+)\/cancel$/.exec(url);
    if (request.method === "POST" && cancel !== null) {
      const known = predictions.find(({ id }) => id === decodeURIComponent(cancel[1] ?? ""));
      known?.markCanceled();
      response.writeHead(known === undefined ? 404 : 200, { "content-type": "application/json" });
      response.end("{}");
      return;
    }
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8")) as Record<string, unknown>;
    const fault = faultOf(request, body);
    if (fault !== undefined) {
      faults.push(fault);
      response.writeHead(400).end(fault);
      return;
    }
    const isStreaming = request.headers.accept === "text/event-stream";
    const prediction = new FakePrediction(body, isStreaming, response);
    predictions.push(prediction);
    const play = plays.length > 1 ? plays.shift() : plays[0];
    if (play === undefined) throw new Error("no play for this prediction");
    await play(prediction);
  };
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    play: (...next) => {
      plays = [...next];
    },
    predictions,
    faults,
    openConnections: () => sockets.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function faultOf(request: IncomingMessage, body: Record<string, unknown>): string | undefined {
  if (request.method !== "POST" || request.url !== "/predictions") {
    return `unexpected ${request.method} ${request.url}`;
  }
  if (request.headers["content-type"] !== "application/json") return "content-type";
  if (typeof body["id"] !== "string" || typeof body["input"] !== "object") return "id or input";
  const extra = Object.keys(body).filter((key) => !["id", "input", "context"].includes(key));
  return extra.length === 0 ? undefined : `unknown fields ${extra.join(", ")}`;
}
