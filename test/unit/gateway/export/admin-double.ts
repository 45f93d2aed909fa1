import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface AdminRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

export interface AdminAnswer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A gateway's administration on a real port; it keeps what it was told and refuses what its API would refuse. */
export interface AdminDouble {
  readonly url: string;
  /** Requests that changed something, as `METHOD /path`. */
  readonly changes: readonly string[];
  close(): Promise<void>;
}

export class Refusal extends Error {
  readonly answer: AdminAnswer;
  constructor(status: number, body: unknown) {
    super(JSON.stringify(body));
    this.answer = { status, body };
  }
}

export async function startAdminDouble(
  serve: (request: AdminRequest) => AdminAnswer,
): Promise<AdminDouble> {
  const changes: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const url = new URL(request.url ?? "/", "http://admin");
      const text = Buffer.concat(chunks).toString("utf8");
      const method = request.method ?? "GET";
      let answer: AdminAnswer;
      try {
        if (text !== "" && request.headers["content-type"] !== "application/json") {
          throw new Refusal(415, { message: "content-type" });
        }
        const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
        const { headers } = request;
        answer = serve({ method, path: url.pathname, query: url.searchParams, headers, body });
        if (method !== "GET") changes.push(`${method} ${url.pathname}`);
      } catch (error) {
        answer = error instanceof Refusal ? error.answer : { status: 500, body: String(error) };
      }
      response.writeHead(answer.status ?? 200, {
        "content-type": "application/json",
        ...answer.headers,
      });
      response.end(JSON.stringify(answer.body ?? {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    changes,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Refuses fields that are unknown, missing or of another type; `types`: name to `typeof`, with `?` when it may lack. */
export function checkFields(
  value: unknown,
  types: Readonly<Record<string, string>>,
  refuse: (problem: string) => Refusal,
): asserts value is Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw refuse("expected an object");
  const fields = value as Record<string, unknown>;
  for (const name of Object.keys(fields)) {
    if (types[name] === undefined) throw refuse(`unknown field ${name}`);
  }
  for (const [name, type] of Object.entries(types)) {
    const isPresent = Object.hasOwn(fields, name);
    if (!isPresent && !type.endsWith("?")) throw refuse(`missing field ${name}`);
    const actual = Array.isArray(fields[name]) ? "array" : typeof fields[name];
    if (isPresent && actual !== type.replace("?", ""))
      throw refuse(`${name}: expected ${type}, found ${actual}`);
  }
}
