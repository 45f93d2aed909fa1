import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectEngine } from "../../builder/index.ts";
import type { DockerEngine } from "../../builder/index.ts";

type Route = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>;

/** An Engine API on a Unix socket that answers what a test says and counts every other call as a failure. */
export interface FakeEngine extends AsyncDisposable {
  readonly engine: DockerEngine;
  /** `METHOD path?query` of each call after the connection was made. */
  readonly calls: string[];
  readonly unexpected: string[];
}

/** Routes by `METHOD path` without the query. */
export async function startFakeEngine(
  routes: Readonly<Record<string, Route>>,
): Promise<FakeEngine> {
  const folder = await mkdtemp(join(tmpdir(), "byom-fake-engine-"));
  const socket = join(folder, "docker.sock");
  const calls: string[] = [];
  const unexpected: string[] = [];
  const known: Readonly<Record<string, Route>> = {
    "GET /version": (_request, response) => json(response, { Version: "99.0", ApiVersion: "1.50" }),
    ...routes,
  };
  const server = createServer((request, response) => {
    const call = `${request.method} ${decodeURIComponent(request.url ?? "")}`;
    if (call !== "GET /version") calls.push(call);
    const route = known[call.split("?", 1)[0] ?? ""];
    if (route === undefined) {
      unexpected.push(call);
      response.writeHead(500).end(JSON.stringify({ message: `unexpected ${call}` }));
      return;
    }
    Promise.resolve(route(request, response)).catch((error: unknown) => {
      unexpected.push(`${call}: ${String(error)}`);
      response.destroy();
    });
  });
  server.listen(socket);
  await once(server, "listening");
  const engine = await connectEngine({ environment: { DOCKER_HOST: `unix://${socket}` } });
  return {
    engine,
    calls,
    unexpected,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function json(response: ServerResponse, value: unknown, statusCode = 200): void {
  response.writeHead(statusCode, { "content-type": "application/json" }).end(JSON.stringify(value));
}
