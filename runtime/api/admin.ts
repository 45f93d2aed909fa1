import type { IncomingMessage, ServerResponse } from "node:http";

import type { Runtime } from "../runtime.ts";
import { failureOf, RequestError } from "./failure.ts";
import { isForModel, type KeyOwner, type KeyRing } from "./keys.ts";
import { modelRoutes } from "./model-routes.ts";
import { openapiDocument } from "./openapi.ts";
import { platformRoutes } from "./platform-routes.ts";
import { matchPath, type Route } from "./route.ts";
import { snapshotKeyRoutes } from "./snapshot-key-routes.ts";
import { snapshotRoutes } from "./snapshot-routes.ts";
import { secretRoutes } from "./secret-routes.ts";

/**
 * Answers requests under `/api/v1/`. Resolves to false, with the response untouched, for any other path.
 * `path` is the request's path without its query.
 */
export type AdminApi = (
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
) => Promise<boolean>;

const prefix = "/api/v1";
const routes: readonly Route[] = [
  ...modelRoutes,
  ...secretRoutes,
  ...platformRoutes,
  ...snapshotRoutes,
  ...snapshotKeyRoutes,
];

/** The platform's own HTTP API, for the command line, CI and the console. */
export function createAdminApi(options: {
  readonly runtime: Runtime;
  readonly keys: KeyRing;
  /** Paths of the OpenAPI document that others serve beside this API, with their operations. */
  readonly otherPaths?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}): AdminApi {
  const document = openapiDocument(routes, prefix, options.otherPaths);
  return async (request, response, path) => {
    if (path !== prefix && !path.startsWith(`${prefix}/`)) return false;
    try {
      if (path === `${prefix}/openapi.json`) send(response, 200, document);
      else await serve(options, request, response, path.slice(prefix.length));
    } catch (error) {
      sendFailure(response, error);
    }
    return true;
  };
}

async function serve(
  options: { readonly runtime: Runtime; readonly keys: KeyRing },
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> {
  const owner = authenticate(options.keys, request);
  const { route, parameters } = findRoute(request.method ?? "GET", path);
  authorize(owner, route, parameters);
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort(new Error("the client closed the connection"));
  });
  const result = await route.handle({
    ...options,
    request,
    response,
    parameters,
    query: new URL(request.url ?? "/", "http://platform").searchParams,
    owner,
    signal: gone.signal,
  });
  if (!response.headersSent && !response.destroyed) send(response, route.status ?? 200, result);
}

function authenticate(keys: KeyRing, request: IncomingMessage): KeyOwner {
  const secret = presentedSecret(request);
  const owner = secret === undefined ? undefined : keys.verify(secret);
  if (owner !== undefined) return owner;
  const expiredAt = secret === undefined ? undefined : keys.expiredAt(secret);
  if (expiredAt !== undefined) {
    throw new RequestError(
      401,
      "key_expired",
      `the API key expired at ${expiredAt}`,
      "make a new one with `byom keys create`",
    );
  }
  throw new RequestError(
    401,
    "unauthorized",
    secret === undefined ? "an API key is needed" : "the API key is not known",
    "send the header Authorization: Bearer byom_…",
  );
}

/** As the gateway takes it: `Authorization: Bearer KEY` (or `Token KEY`), or `x-api-key`. */
function presentedSecret({ headers }: IncomingMessage): string | undefined {
  const match = /^(?:bearer|token) +(\S+)$/i.exec(headers.authorization ?? "");
  if (match?.[1] !== undefined) return match[1];
  const apiKey = headers["x-api-key"];
  return typeof apiKey === "string" && apiKey !== "" ? apiKey : undefined;
}

/** @throws RequestError 403 when the key lacks the scope, or is for other models. */
function authorize(
  owner: KeyOwner,
  { scope }: Route,
  parameters: Readonly<Record<string, string>>,
): void {
  if (!owner.scopes.includes("admin") && !owner.scopes.includes(scope)) {
    throw new RequestError(
      403,
      "forbidden",
      `the key ${owner.name} lacks the scope ${scope}`,
      "make one with `byom keys create --scope`",
    );
  }
  const { owner: modelOwner, name } = parameters;
  if (modelOwner === undefined || name === undefined) return;
  if (isForModel(owner, `${modelOwner}/${name}`)) return;
  throw new RequestError(
    403,
    "forbidden",
    `the key ${owner.name} is not for ${modelOwner}/${name}`,
    `it is for ${owner.models?.join(", ")}`,
  );
}

function findRoute(
  method: string,
  path: string,
): { route: Route; parameters: Readonly<Record<string, string>> } {
  let isKnownPath = false;
  for (const route of routes) {
    const parameters = matchPath(route.path, path);
    if (parameters === undefined) continue;
    if (route.method === method) return { route, parameters };
    isKnownPath = true;
  }
  if (isKnownPath) {
    throw new RequestError(405, "method_not_allowed", `${method} is not for ${prefix}${path}`);
  }
  throw new RequestError(
    404,
    "not_found",
    `there is nothing at ${prefix}${path}`,
    `${prefix}/openapi.json lists what there is`,
  );
}

function send(response: ServerResponse, status: number, body: unknown): void {
  if (status === 204) {
    response.writeHead(204).end();
    return;
  }
  const bytes = Buffer.from(`${JSON.stringify(body)}\n`);
  response
    .writeHead(status, {
      "content-type": "application/json",
      "content-length": bytes.length,
      "cache-control": "no-store",
    })
    .end(bytes);
}

function sendFailure(response: ServerResponse, error: unknown): void {
  if (response.destroyed) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const { status, body } = failureOf(error);
  const { retryAfterMs } = body.error as { retryAfterMs?: unknown };
  if (typeof retryAfterMs === "number") {
    response.setHeader("retry-after", Math.ceil(retryAfterMs / 1000));
  }
  // What is left of an oversized body would be read as the next request.
  if (status === 413) response.setHeader("connection", "close");
  send(response, status, body);
}
