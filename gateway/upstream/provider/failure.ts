import { GatewayError, type GatewayErrorFacts } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import { retryAfterDefaultMs } from "../../limits.ts";

/** What a provider answered instead of a result. */
export interface ProviderFailure {
  /** The provider as the operator named it. */
  readonly provider: string;
  /** The key that was sent; providers like to quote it, callers must not see it. */
  readonly key: string | undefined;
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | string[] | undefined>>;
  /** As far as it is JSON, parsed; else text. */
  readonly body: unknown;
  /** A look at something that was made before, such as a job: its 404 is not a model's. */
  readonly isLookup?: boolean;
}

/** A provider's message is shown this far: some answer with a whole HTML page. */
const messageLengthMax = 1_000;

/** The one place where an answer of a provider becomes an error of the gateway. */
export function translateProviderFailure(failure: ProviderFailure): GatewayError {
  const { provider, status } = failure;
  const message = redact(providerMessage(failure.body), failure.key);
  const said = message === "" ? "" : `: ${message}`;
  const make = (
    code: GatewayError["code"],
    text: string,
    facts: GatewayErrorFacts = {},
  ): GatewayError => {
    const upstreamRetryAfterMs = retryAfterOf(failure);
    return new GatewayError(code, `${text}${said}`, {
      upstreamStatus: status,
      ...(upstreamRetryAfterMs !== undefined && { upstreamRetryAfterMs }),
      ...facts,
    });
  };
  if (status === 401 || status === 403 || isKeyRefused(failure.body)) {
    return make("upstream_failed", `${provider} refused the API key of ${provider} (${status})`, {
      hint: `Replace it (\`byom providers add ${provider} --key-stdin\`), or send another in x-byom-provider-key.`,
    });
  }
  if (status === 404 && failure.isLookup !== true) {
    return make("model_not_found", `${provider} does not know this model (404)`, {
      parameter: "model",
    });
  }
  if (status === 400 || status === 422) {
    const parameter = parameterOf(failure.body);
    const facts = parameter === undefined ? {} : { parameter };
    return make("invalid_input", `${provider} refused the input (${status})`, facts);
  }
  if (status === 413) return make("too_large", `The input is too large for ${provider}`);
  if (status === 429) {
    return make("rate_limited", `${provider} limits the rate of calls (429)`, {
      retryAfterMs: retryAfterOf(failure) ?? retryAfterDefaultMs,
    });
  }
  if (status === 408 || status === 504) {
    return make("upstream_timeout", `${provider} ran out of time (${status})`);
  }
  const retryAfterMs =
    retryAfterOf(failure) ?? (isOverload(status) ? retryAfterDefaultMs : undefined);
  const facts = retryAfterMs === undefined ? {} : { retryAfterMs };
  return make("upstream_failed", `${provider} answered ${status}`, facts);
}

/** A stream that ended, or broke off, before its last event. */
export function cutStream(provider: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "upstream_cut",
    `${provider}'s stream ended before its last event.`,
    cause === undefined ? {} : { cause },
  );
}

/** An answer that does not have the provider's published shape. */
export function brokenAnswer(provider: string, what: string, cause?: unknown): GatewayError {
  return new GatewayError(
    "upstream_failed",
    `${provider} answered with ${what}.`,
    cause === undefined ? {} : { cause },
  );
}

/** A job that the provider accepted and could not finish. */
export function jobFailed(provider: string, message: string): GatewayError {
  const said = message.slice(0, messageLengthMax);
  return new GatewayError("prediction_failed", `${provider} could not finish it: ${said}`);
}

/**
 * The words for a person in an error body: OpenAI, Anthropic and Google (`error.message`), Cloudflare
 * (`errors[].message`), Replicate and FastAPI (`detail`), and the plain `message` or `error` of the others.
 */
export function providerMessage(body: unknown): string {
  if (typeof body === "string") return clip(body.replaceAll(/<[^>]*>/g, " "));
  // Google's streams answer a list with one error in it.
  if (Array.isArray(body)) return body.length === 0 ? "" : providerMessage(body[0]);
  if (!isObject(body)) return "";
  const { error, errors, detail, message } = body;
  if (isObject(error)) return clip(text(error["message"]) ?? text(error["code"]) ?? json(error));
  const [first] = Array.isArray(errors) ? (errors as readonly unknown[]) : [];
  if (isObject(first)) {
    const code = first["code"] === undefined ? "" : ` (${json(first["code"])})`;
    return clip(`${text(first["message"]) ?? json(first)}${code}`);
  }
  if (Array.isArray(detail)) return clip(detail.map(problemText).join("; "));
  const words =
    text(detail) ??
    text(error) ??
    text(message) ??
    text(body["error_message"]) ??
    text(body["error_msg"]) ??
    text(body["msg"]) ??
    text(first) ??
    text(body["title"]);
  return clip(words ?? json(body));
}

/** FastAPI's `{loc: ["body", "steps"], msg}`. */
function problemText(problem: unknown): string {
  if (!isObject(problem)) return String(problem);
  const where = Array.isArray(problem["loc"]) ? `${problem["loc"].slice(1).join(".")}: ` : "";
  return `${where}${text(problem["msg"]) ?? json(problem)}`;
}

/** OpenAI names the parameter at fault. */
function parameterOf(body: unknown): string | undefined {
  if (!isObject(body) || !isObject(body["error"])) return undefined;
  return text(body["error"]["param"]);
}

/** Google answers 400 for a key that it does not know. */
function isKeyRefused(body: unknown): boolean {
  const inner = Array.isArray(body) ? (body[0] as unknown) : body;
  if (!isObject(inner) || !isObject(inner["error"])) return false;
  const details = inner["error"]["details"];
  if (!Array.isArray(details)) return false;
  return details.some((detail) => isObject(detail) && detail["reason"] === "API_KEY_INVALID");
}

/** `retry-after-ms` (OpenAI), `retry-after` in seconds or as a date (RFC 9110), or Google's RetryInfo. */
export function retryAfterOf({
  headers = {},
  body,
}: Pick<ProviderFailure, "headers" | "body">): number | undefined {
  const ms = Number(headers["retry-after-ms"] ?? Number.NaN);
  if (Number.isFinite(ms) && ms >= 0) return ms;
  const after = headers["retry-after"];
  if (typeof after === "string") {
    const seconds = Number(after);
    if (Number.isFinite(seconds) && seconds >= 0) return Math.ceil(seconds * 1000);
    const date = Date.parse(after);
    if (Number.isFinite(date)) return Math.max(0, date - Date.now());
  }
  return googleRetryDelay(body);
}

function googleRetryDelay(body: unknown): number | undefined {
  const inner = Array.isArray(body) ? (body[0] as unknown) : body;
  if (!isObject(inner) || !isObject(inner["error"])) return undefined;
  const { details } = inner["error"];
  if (!Array.isArray(details)) return undefined;
  for (const detail of details as readonly unknown[]) {
    const delay = isObject(detail) ? text(detail["retryDelay"]) : undefined;
    const seconds = /^([\d.]+)s$/.exec(delay ?? "")?.[1];
    if (seconds !== undefined) return Math.ceil(Number(seconds) * 1000);
  }
  return undefined;
}

/** 529 is Anthropic's "overloaded". */
function isOverload(status: number): boolean {
  return status === 503 || status === 529;
}

/** Letters of a key that are enough to recognise a part of it in a message. */
const keyPrefixLength = 8;

/** A text without the key, whole or cut short. */
export function redact(message: string, key: string | undefined): string {
  if (key === undefined || key.length < keyPrefixLength) return message;
  const prefix = key.slice(0, keyPrefixLength).replaceAll(/[^A-Za-z0-9_-]/g, String.raw`\$&`);
  return message.replaceAll(new RegExp(`${prefix}[^\\s"',]*`, "g"), "[key]");
}

function clip(message: string): string {
  const tidy = message.replaceAll(/\s+/g, " ").trim();
  return tidy.length > messageLengthMax ? `${tidy.slice(0, messageLengthMax)}…` : tidy;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function json(value: unknown): string {
  const written = JSON.stringify(value);
  return written === "{}" ? "" : written;
}
