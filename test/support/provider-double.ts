import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

import { z } from "zod";

import { send, type DoubleAnswer } from "./provider-double-answer.ts";

export { bytes, cut, cutAfter, fail, json, sse, stall } from "./provider-double-answer.ts";
export type { DoubleAnswer } from "./provider-double-answer.ts";

/** A request that came to a double and conforms to its route. */
export interface DoubleRequest {
  readonly method: string;
  readonly path: string;
  /** Of the route's `{name}` segments, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, a form as an object (files as `{fileName, contentType, bytes}`), or bytes. */
  readonly body: unknown;
  /** Resolves when the connection is gone or the answer complete. */
  readonly closed: Promise<void>;
}

/** One path of a provider's published protocol. What does not fit its schemas is refused and recorded as a fault. */
export interface DoubleRoute {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  /** Such as `/v1/tasks/{id}`; a `{name}` stands for one segment, or a part of one (`/models/{model}:run`). */
  readonly path: string;
  /** Default: no query. Use `z.strictObject`, so that what the provider does not know is refused. */
  readonly query?: z.ZodType;
  /** Beside the key; names in lower case. */
  readonly headers?: z.ZodType;
  /** Default: no body. */
  readonly body?: z.ZodType;
  /** This path goes without the key (a file's public URL). */
  readonly isOpen?: boolean;
  readonly answer: (request: DoubleRequest) => DoubleAnswer | Promise<DoubleAnswer>;
}

export interface DoubleOptions {
  /** Path before the routes', such as `/v1`. */
  readonly basePath?: string;
  /** Headers that each request must carry as they are: the key. */
  readonly key: Readonly<Record<string, string>>;
  readonly routes: readonly DoubleRoute[] | ((double: ProviderDouble) => readonly DoubleRoute[]);
  /** How this provider refuses a request that does not conform. */
  readonly refuse: (problem: { readonly status: number; readonly message: string }) => DoubleAnswer;
}

/**
 * A provider in this process. Disposing it throws when a request did not conform, so a test cannot pass by accident:
 * `await using double = await startProviderDouble(…)`.
 */
export interface ProviderDouble extends AsyncDisposable {
  readonly origin: string;
  /** Origin and base path: what an operator configures. */
  readonly baseUrl: string;
  /** Conforming ones, in order. */
  readonly requests: readonly DoubleRequest[];
  /** What did not conform, in words. */
  readonly faults: readonly string[];
  /** Answers for the next conforming requests (of one path, when given) instead of the routes' own, one each. */
  next(...answers: readonly DoubleAnswer[]): void;
  nextAt(path: string, ...answers: readonly DoubleAnswer[]): void;
  /** Throws with every fault. */
  verify(): void;
  close(): Promise<void>;
}

export async function startProviderDouble(options: DoubleOptions): Promise<ProviderDouble> {
  const requests: DoubleRequest[] = [];
  const faults: string[] = [];
  const planned: { readonly path: string | undefined; readonly answer: DoubleAnswer }[] = [];
  let routes: readonly CompiledRoute[] = [];
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      faults.push(`the double failed: ${String(error)}`);
      response.destroy();
    });
  });
  const refuse = (response: ServerResponse, status: number, message: string): Promise<void> => {
    faults.push(message);
    return send(response, options.refuse({ status, message }));
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const line = `${request.method} ${request.url}`;
    const read = await readRequest(request, response);
    const found = findRoute(routes, read);
    if (found === undefined) return refuse(response, 404, `${line}: no such path`);
    const { route, params } = found;
    const keyProblem = route.isOpen === true ? undefined : wrongKey(options.key, read.headers);
    if (keyProblem !== undefined) return refuse(response, 401, `${line}: ${keyProblem}`);
    const problem = problemOf(route, read);
    if (problem !== undefined) return refuse(response, 400, `${line}: ${problem}`);
    const seen = { ...read, params };
    requests.push(seen);
    const plannedAt = planned.findIndex(({ path }) => path === undefined || path === route.path);
    const [plan] = plannedAt === -1 ? [] : planned.splice(plannedAt, 1);
    await send(response, plan?.answer ?? (await route.answer(seen)));
  };
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const verify = (): void => {
    if (faults.length > 0) throw new Error(`requests that do not conform:\n${faults.join("\n")}`);
  };
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  const double: ProviderDouble = {
    origin,
    baseUrl: `${origin}${options.basePath ?? ""}`,
    requests,
    faults,
    next: (...answers) => planned.push(...answers.map((answer) => ({ path: undefined, answer }))),
    nextAt: (path, ...answers) => planned.push(...answers.map((answer) => ({ path, answer }))),
    verify,
    close,
    async [Symbol.asyncDispose]() {
      await close();
      verify();
    },
  };
  const declared = typeof options.routes === "function" ? options.routes(double) : options.routes;
  routes = declared.map((route) => compile(route, options.basePath ?? ""));
  return double;
}

/** A route with its path as a pattern. */
interface CompiledRoute {
  readonly route: DoubleRoute;
  readonly pattern: RegExp;
}

function compile(route: DoubleRoute, basePath: string): CompiledRoute {
  const pattern = `${basePath}${route.path}`
    .split(/\{([^}]+)\}/)
    .map((piece, index) =>
      index % 2 === 0 ? piece.replaceAll(/[^\w/-]/g, String.raw`\$&`) : `(?<${piece}>[^/]+?)`,
    )
    .join("");
  return { route, pattern: new RegExp(`^${pattern}$`) };
}

type ReadRequest = Omit<DoubleRequest, "params">;

async function readRequest(
  request: IncomingMessage,
  response: ServerResponse,
): Promise<ReadRequest> {
  const closed = new Promise<void>((resolve) => response.once("close", resolve));
  const url = new URL(request.url ?? "/", "http://double");
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const contentType = request.headers["content-type"] ?? "";
  return {
    method: request.method ?? "GET",
    path: url.pathname,
    query: Object.fromEntries(url.searchParams),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: await parseBody(contentType, Buffer.concat(chunks)),
    closed,
  };
}

async function parseBody(contentType: string, body: Buffer): Promise<unknown> {
  // Some SDKs name a type for no body at all.
  if (body.length === 0) return undefined;
  if (contentType === "application/json") return JSON.parse(body.toString("utf8"));
  if (!contentType.startsWith("multipart/form-data")) return body;
  const form = await new Response(new Uint8Array(body), {
    headers: { "content-type": contentType },
  }).formData();
  const fields: Record<string, unknown> = {};
  for (const [name, value] of form) {
    const read =
      typeof value === "string"
        ? value
        : {
            fileName: value.name,
            contentType: value.type,
            bytes: Buffer.from(await value.arrayBuffer()),
          };
    const known = fields[name];
    if (known === undefined) fields[name] = read;
    else fields[name] = Array.isArray(known) ? [...(known as unknown[]), read] : [known, read];
  }
  return fields;
}

function findRoute(
  routes: readonly CompiledRoute[],
  { method, path }: ReadRequest,
): { readonly route: DoubleRoute; readonly params: Readonly<Record<string, string>> } | undefined {
  for (const { route, pattern } of routes) {
    const match = route.method === method ? pattern.exec(path) : null;
    if (match === null) continue;
    const params = Object.entries(match.groups ?? {}).map(
      ([name, value]) => [name, decodeURIComponent(value)] as const,
    );
    return { route, params: Object.fromEntries(params) };
  }
  return undefined;
}

function wrongKey(
  key: DoubleOptions["key"],
  headers: Readonly<Record<string, string>>,
): string | undefined {
  for (const [name, value] of Object.entries(key)) {
    if (headers[name] !== value) return `${name} is ${headers[name] ?? "missing"}, not the key`;
  }
  return undefined;
}

function problemOf(route: DoubleRoute, { query, headers, body }: ReadRequest): string | undefined {
  const parts = [
    ["query", route.query ?? z.strictObject({}), query],
    ["headers", route.headers ?? z.looseObject({}), headers],
    ["body", route.body ?? z.undefined(), body],
  ] as const;
  for (const [name, schema, value] of parts) {
    const checked = schema.safeParse(value);
    if (!checked.success) return `${name}: ${z.prettifyError(checked.error)}`;
  }
  return undefined;
}
