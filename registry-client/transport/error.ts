import { z } from "zod";
import { RegistryResponseError, type RegistryErrorCode, type RegistryProblem } from "../errors.ts";
import type { Clock } from "./retry.ts";
import type { ExchangeResponse } from "./exchange.ts";
import { parseRetryAfter } from "./retry.ts";
import { redactUrl } from "./redirect.ts";

/** Bytes of an error body that are read. */
export const errorBodyBytesMax: number = 64 * 1024;
/** Problems and characters of each that are kept for the message. */
const problemsMax = 10;
const problemLengthMax = 1000;

/** Reads an unwanted answer to its end and puts it into words. */
export async function errorFromResponse(
  method: string,
  response: ExchangeResponse,
  clock: Clock,
): Promise<RegistryResponseError> {
  const body = await response.readUpTo(errorBodyBytesMax).catch(() => Buffer.alloc(0));
  const problems = parseProblems(body.toString("utf8"));
  const code = codeFor(response.status, problems);
  const said = problems.map((problem) => `${problem.code}: ${problem.message}`).join("; ");
  return new RegistryResponseError({
    code,
    message: `${method} ${redactUrl(response.url)} was answered with ${response.status}${said === "" ? "" : ` (${said})`}`,
    hint: hintFor(code, response.url.host),
    status: response.status,
    method,
    url: redactUrl(response.url),
    problems,
    retryAfterMs: parseRetryAfter(response.header("retry-after"), clock.now()),
  });
}

/** Text from a registry as one printable line: it may hold terminal escapes. */
export function stripControlCharacters(text: string): string {
  // C0, DEL, C1, bidirectional overrides and line separators.
  return text.replace(/[\p{Cc}\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu, " ").trim();
}

const bodySchema = z.object({
  errors: z.array(
    z.object({
      code: z.string().default("UNKNOWN"),
      message: z.string().default(""),
      detail: z.unknown().optional(),
    }),
  ),
});

function parseProblems(text: string): RegistryProblem[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const parsed = bodySchema.safeParse(value);
  if (!parsed.success) return [];
  return parsed.data.errors.slice(0, problemsMax).map((problem) => ({
    code: clean(problem.code),
    message: clean(problem.message),
    ...(problem.detail === undefined || problem.detail === null
      ? {}
      : {
          detail: clean(
            typeof problem.detail === "string" ? problem.detail : JSON.stringify(problem.detail),
          ),
        }),
  }));
}

function clean(text: string): string {
  return stripControlCharacters(text.slice(0, problemLengthMax));
}

function codeFor(status: number, problems: readonly RegistryProblem[]): RegistryErrorCode {
  if (status === 401) return "unauthorized";
  if (status === 403 || problems.some((problem) => problem.code === "DENIED")) return "denied";
  if (status === 404) return "not-found";
  if (status === 413) return "too-large";
  if (status === 429) return "rate-limited";
  if (status >= 500 || status === 408 || status === 499) return "unavailable";
  return "refused";
}

function hintFor(code: RegistryErrorCode, host: string): string | undefined {
  switch (code) {
    case "unauthorized":
      return `log in first: docker login${host === "registry-1.docker.io" ? "" : ` ${host}`}`;
    case "denied":
      return `this account may not do that on ${host}: check the repository's name and the account's rights`;
    case "not-found":
      return "check the repository and the tag or digest";
    case "too-large":
      return "a proxy in front of the registry limits request bodies: raise the limit (nginx: client_max_body_size 0)";
    case "rate-limited":
      return "log in for a higher limit, or wait";
    case "unavailable":
      return "the registry or a proxy in front of it has trouble: try again later";
    default:
      return undefined;
  }
}
