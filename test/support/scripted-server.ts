import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

/** One request that a scripted server waits for, and its answer. */
export interface Step {
  /** Method, then the path with its query, as in `PUT /v2/a/blobs/uploads/1?digest=…`. */
  readonly expect: string | RegExp;
  /** Answers; a body that was not read is read for it. May destroy the socket instead. */
  readonly respond: (exchange: Exchange) => void | Promise<void>;
}

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The whole body. */
  readonly body: () => Promise<Buffer>;
  /** At least this many bytes of the body, then no more: what follows is up to the step. */
  readonly bodyUpTo: (bytes: number) => Promise<Buffer>;
}

/** What came in, in order. */
export interface SeenRequest {
  readonly line: string;
  readonly headers: IncomingMessage["headers"];
}

export interface ScriptedServer extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly seen: readonly SeenRequest[];
  /** Throws when a request came that no step waited for, or a step was never reached. */
  verify(): void;
}

/** An HTTP server on a free loopback port that plays its steps in order and forgives nothing. */
export async function startScriptedServer(
  makeSteps: readonly Step[] | ((host: string) => readonly Step[]),
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = [];
  const complaints: string[] = [];
  let steps: readonly Step[] = [];
  let next = 0;
  const server = createServer((request, response) => {
    const line = `${request.method} ${request.url}`;
    seen.push({ line, headers: request.headers });
    const step = steps[next];
    const isExpected =
      step && (typeof step.expect === "string" ? step.expect === line : step.expect.test(line));
    if (!isExpected) {
      complaints.push(`unexpected ${line}; waited for ${step?.expect ?? "nothing"}`);
      // No client retries this status.
      response.writeHead(418).end();
      return;
    }
    next += 1;
    void respond(step, request, response).catch((error: unknown) => complaints.push(String(error)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const host = `127.0.0.1:${address.port}`;
  steps = typeof makeSteps === "function" ? makeSteps(host) : makeSteps;
  return {
    host,
    seen,
    verify: () => {
      const missing = steps.slice(next).map((step) => `never came: ${step.expect}`);
      const all = [...complaints, ...missing];
      if (all.length > 0) throw new Error(all.join("\n"));
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** A step that answers with fixed words once the request's body has come in. */
export function answer(
  expect: string | RegExp,
  status: number,
  headers: Record<string, string> = {},
  body: string | Buffer = "",
): Step {
  return {
    expect,
    respond: async (exchange) => {
      await exchange.body();
      exchange.response.writeHead(status, headers).end(body);
    },
  };
}

async function respond(
  step: Step,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  await step.respond({
    request,
    response,
    body: async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    },
    bodyUpTo: async (bytes) => {
      const chunks: Buffer[] = [];
      let size = 0;
      for await (const chunk of request.iterator({ destroyOnReturn: false })) {
        chunks.push(chunk as Buffer);
        size += (chunk as Buffer).byteLength;
        if (size >= bytes) break;
      }
      return Buffer.concat(chunks);
    },
  });
}
