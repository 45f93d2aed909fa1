import { request } from "undici";
import { loadAccess, type PlatformAccess } from "./credentials.ts";
import type { Context } from "./context.ts";
import { CommandError } from "./errors.ts";

/** A deploy waits for setup(), which has its own deadline on the platform; here nothing is cut off earlier. */
const noTimeout = 0;

/** The admin API as the commands use it; every other client can use the same routes (see /api/v1/openapi.json). */
export interface PlatformClient {
  readonly access: PlatformAccess;
  /** One JSON answer. `path` begins with `/`. */
  call(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body?: unknown,
  ): Promise<unknown>;
  /** An answer that is not JSON, such as CSV. */
  text(path: string): Promise<string>;
  /** The lines of an answer as they come, without empty ones: JSON lines, or server-sent events. */
  lines(path: string): AsyncIterable<string>;
  /** One event a line while the work goes on; resolves with the last one. */
  follow(path: string, body: unknown, onEvent: (event: unknown) => void): Promise<unknown>;
}

export async function connectPlatform(context: Context): Promise<PlatformClient> {
  const access = await loadAccess(context);
  const send = async (method: string, path: string, body: unknown, accept: string) => {
    try {
      return await request(`${access.url}${path}`, {
        method: method as "GET",
        headers: {
          authorization: `Bearer ${access.apiKey}`,
          accept,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: context.signal,
        headersTimeout: noTimeout,
        bodyTimeout: noTimeout,
      });
    } catch (error) {
      throw translate(error, access, context.signal);
    }
  };
  return {
    access,
    call: async (method, path, body) => {
      const response = await send(method, path, body, "application/json");
      const text = await response.body.text();
      if (response.statusCode >= 400) throw platformError(response.statusCode, text);
      return text === "" ? undefined : JSON.parse(text);
    },
    text: async (path) => {
      const response = await send("GET", path, undefined, "*/*");
      const text = await response.body.text();
      if (response.statusCode >= 400) throw platformError(response.statusCode, text);
      return text;
    },
    async *lines(path) {
      const response = await send("GET", path, undefined, "*/*");
      if (response.statusCode >= 400) {
        throw platformError(response.statusCode, await response.body.text());
      }
      try {
        yield* linesOf(response.body);
      } catch (error) {
        throw translate(error, access, context.signal);
      }
    },
    follow: async (path, body, onEvent) => {
      const response = await send("POST", path, body, "application/x-ndjson");
      if (response.statusCode >= 400)
        throw platformError(response.statusCode, await response.body.text());
      let last: unknown;
      try {
        for await (const line of linesOf(response.body)) {
          last = JSON.parse(line);
          onEvent(last);
        }
      } catch (error) {
        throw translate(error, access, context.signal);
      }
      return last;
    },
  };
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string> {
  // A character may be cut in two by the network.
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}

interface PlatformProblem {
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  readonly details?: unknown;
}

/** The platform's own `{error: {code, message, hint}}`, or what a model's routes answer in Cog's shapes. */
function platformError(status: number, text: string): CommandError {
  let error: PlatformProblem = {};
  try {
    error = readProblem(JSON.parse(text));
  } catch {
    // A proxy's page instead of JSON: the status says what can be said.
  }
  return new CommandError({
    code: error.code ?? `http_${status}`,
    message: error.message ?? `the platform answered ${status}`,
    ...(error.hint !== undefined && { hint: error.hint }),
    ...(error.details !== undefined && { details: error.details }),
  });
}

function readProblem(answer: unknown): PlatformProblem {
  const body = answer as { error?: PlatformProblem | string; code?: string; detail?: unknown };
  if (typeof body.error === "string") {
    return { message: body.error, ...(body.code !== undefined && { code: body.code }) };
  }
  return body.error ?? { message: renderDetail(body.detail) };
}

/** Cog's shape: `{detail: "…"}` or `{detail: [{loc, msg}]}`. */
function renderDetail(detail: unknown): string {
  if (typeof detail === "string") return detail;
  if (!Array.isArray(detail)) return "the request was refused";
  return (detail as { loc?: readonly string[]; msg?: string }[])
    .map(({ loc, msg }) => `${loc?.at(-1) ?? ""}: ${msg ?? ""}`)
    .join("; ");
}

function translate(error: unknown, access: PlatformAccess, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  const code = (error as { code?: string }).code;
  if (code === "ECONNREFUSED" || code === "ECONNRESET" || code === "UND_ERR_SOCKET") {
    return new CommandError({
      code: "platform_unreachable",
      message: `the platform at ${access.url} does not answer (${code})`,
      hint: "start it with `byom up --detach`; `byom status` shows whether it runs",
      cause: error,
    });
  }
  return error;
}
