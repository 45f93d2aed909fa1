import { readBody } from "./body.ts";
import { RequestError } from "./failure.ts";
import type { ApiCall, Route } from "./route.ts";
import { keyBody, rotateKeyBody } from "./schemas.ts";

const logLinesDefault = 200;
/** The engine reads them all into memory. */
const logLinesMax = 10_000;

/** Operations on the platform as a whole: instances, keys. */
export const platformRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/status",
    summary: "The engine, what snapshots need, and every model",
    scope: "deploy",
    handle: ({ runtime, signal }) => runtime.status({ signal }),
  },
  {
    method: "GET",
    path: "/instances",
    summary: "Instances of all models",
    scope: "deploy",
    handle: ({ runtime }) => ({ instances: runtime.instances() }),
  },
  {
    method: "GET",
    path: "/instances/{id}/logs",
    summary: "The last lines that an instance wrote (?lines=200)",
    scope: "deploy",
    handle: instanceLogs,
  },
  {
    method: "GET",
    path: "/keys",
    summary: "API keys with the time of their last use, without their secrets",
    scope: "admin",
    handle: ({ keys }) => ({ keys: keys.list() }),
  },
  {
    method: "POST",
    path: "/keys",
    summary:
      "Makes an API key, for some models and some time if wanted; the secret is in this answer only",
    scope: "admin",
    status: 201,
    body: keyBody,
    handle: async ({ keys, request }) => {
      const { key, secret } = keys.create(await readBody(request, keyBody));
      return { ...key, secret };
    },
  },
  {
    method: "POST",
    path: "/keys/{id}/rotate",
    summary: "Gives an API key a new secret; the old one opens for graceMs still",
    scope: "admin",
    body: rotateKeyBody,
    handle: async ({ keys, parameters, request }) => {
      const rotation = await readBody(request, rotateKeyBody);
      const { key, secret } = keys.rotate(parameters["id"] ?? "", rotation);
      return { ...key, secret };
    },
  },
  {
    method: "DELETE",
    path: "/keys/{id}",
    summary: "Revokes an API key at once",
    scope: "admin",
    status: 204,
    handle: ({ keys, parameters }) => keys.revoke(parameters["id"] ?? ""),
  },
];

async function instanceLogs(call: ApiCall): Promise<unknown> {
  const { runtime, parameters, query, signal } = call;
  const lines = Number(query.get("lines") ?? logLinesDefault);
  if (!Number.isInteger(lines) || lines < 1 || lines > logLinesMax) {
    throw new RequestError(400, "invalid_request", `lines: a number from 1 to ${logLinesMax}`);
  }
  return { logs: await runtime.logs(parameters["id"] ?? "", { lines, signal }) };
}
