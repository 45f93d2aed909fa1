import { request } from "undici";

import { GatewayError } from "../../errors.ts";
import { readText } from "../../http/read-text.ts";

/** An administrator's API answers within this time or is down. */
const answerTimeoutMs = 15_000;
/** A list of models and providers; no admin API's answer is larger. */
const answerBytesMax = 8 * 1024 * 1024;
/** A remote's words in our message. */
const wordsMax = 600;

export interface RemoteAnswer {
  readonly status: number;
  readonly body: unknown;
}

/** The administration of another gateway. */
export interface AdminClient {
  /** Reads; an answer of 404 is one, every other refusal throws. */
  get(path: string): Promise<RemoteAnswer>;
  /** Changes something; with a dry run nothing is sent. */
  change(method: "POST" | "PUT" | "PATCH", path: string, body: unknown): Promise<unknown>;
}

export interface AdminClientOptions {
  /** Base URL of the remote's administration. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isDryRun: boolean;
  readonly signal: AbortSignal;
}

/**
 * Talks to the administration of another gateway. No redirect is followed: the token is for the address that was given.
 * @throws GatewayError `upstream_failed` with the remote's own words, `upstream_timeout`, `invalid_request` for a bad URL
 */
export function createAdminClient(options: AdminClientOptions): AdminClient {
  if (!URL.canParse(options.url) || !/^https?:/.test(options.url)) {
    throw new GatewayError("invalid_request", `${options.url} is no address.`, {
      parameter: "url",
    });
  }
  const base = options.url.replace(/\/+$/, "");
  const send = async (method: string, path: string, body?: unknown): Promise<RemoteAnswer> => {
    const where = `${method} ${new URL(base).host}${path}`;
    const signal = AbortSignal.any([options.signal, AbortSignal.timeout(answerTimeoutMs)]);
    try {
      const response = await request(`${base}${path}`, {
        method: method as "GET",
        headers: {
          accept: "application/json",
          ...options.headers,
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal,
      });
      const text = await readText(response.body, { bytesMax: answerBytesMax });
      return accept({ where, status: response.statusCode, text, headers: response.headers });
    } catch (error) {
      throw translate(error, where, options.signal);
    }
  };
  return {
    get: (path) => send("GET", path),
    change: async (method, path, body) => {
      if (options.isDryRun) return undefined;
      const answer = await send(method, path, body);
      if (answer.status === 404) throw refused(`${method} ${path}`, 404, words(answer.body));
      return answer.body;
    },
  };
}

function accept(answer: {
  readonly where: string;
  readonly status: number;
  readonly text: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}): RemoteAnswer {
  const { where, status, text } = answer;
  if (status >= 300 && status < 400) {
    const target = String(answer.headers["location"] ?? "another address");
    throw new GatewayError("upstream_failed", `${where} leads on to ${target}.`, {
      hint: "Redirects are not followed: give --url the address itself.",
    });
  }
  let body: unknown = text;
  try {
    body = JSON.parse(text);
  } catch {
    // Words that are not JSON are shown as they are.
  }
  if (status < 300 || status === 404) return { status, body };
  throw refused(where, status, words(body));
}

function refused(where: string, status: number, remote: string): GatewayError {
  const said = remote === "" ? "" : `: ${remote}`;
  return new GatewayError("upstream_failed", `${where} answered ${status}${said}`, {
    ...((status === 401 || status === 403) && {
      hint: "Check the token that --token-env names, and what it may do.",
    }),
  });
}

/** What the remote says went wrong, in whichever of the usual shapes. */
function words(body: unknown): string {
  if (typeof body === "string") return short(body);
  if (typeof body !== "object" || body === null) return "";
  const { error, errors, message, detail } = body as Record<string, unknown>;
  if (typeof error === "object" && error !== null) return words(error);
  if (Array.isArray(errors)) return short(errors.map(words).join("; "));
  const text = [message, detail, error].find((one) => typeof one === "string" && one !== "");
  return short(typeof text === "string" ? text : JSON.stringify(body));
}

function short(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > wordsMax ? `${line.slice(0, wordsMax)}…` : line;
}

function translate(error: unknown, where: string, signal: AbortSignal): unknown {
  if (error instanceof GatewayError) return error;
  if (signal.aborted) return signal.reason;
  if (error instanceof Error && error.name === "TimeoutError") {
    return new GatewayError(
      "upstream_timeout",
      `${where} did not answer within ${answerTimeoutMs} ms.`,
    );
  }
  const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
  return new GatewayError("upstream_failed", `${where} cannot be reached${code}.`, {
    cause: error,
    hint: "Check --url.",
  });
}
