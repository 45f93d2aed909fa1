import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";

import { GatewayError } from "../../errors.ts";
import type { Call, Services } from "../../http/call.ts";
import { callPolicyOf } from "../../http/call-origin.ts";
import { errorBytesMax } from "../../limits.ts";
import { mayCall } from "../../keys/authorize.ts";
import { pauseMs } from "../../route/backoff.ts";
import type { LegEnd } from "../../route/leg.ts";
import { defaultPolicy, type RoutePolicy } from "../../route/policy.ts";
import type { Provider } from "../../upstream/provider/providers.ts";
import { reportedUsage } from "../../usage/usage.ts";
import { AnswerCounter } from "./answer-counter.ts";
import { beginPass, type PassJourney } from "./pass-journey.ts";

/** Names that Cloudflare has for providers which are called otherwise here. */
const cloudflareNames: Readonly<Record<string, string>> = {
  "google-ai-studio": "google",
  "google-vertex-ai": "google",
};

/** Headers of a request that are the provider's business; everything else stays here. */
const passedHeaders =
  /^(?:content-type|accept|user-agent|prefer|cancel-after|idempotency-key|(?:anthropic|openai|x-goog|x-dashscope|x-runway)-.+)$/;
/** Headers in which a caller brings the provider's key itself. */
const keyHeaders = ["authorization", "x-api-key", "x-goog-api-key", "api-key"] as const;
/** Headers of an answer that go back to the caller. */
const answeredHeaders =
  /^(?:content-type|content-disposition|retry-after(?:-ms)?|x-should-retry|x-request-id|request-id|x-ratelimit-.+|anthropic-ratelimit-.+)$/;

export interface ProviderPass {
  readonly provider: Provider;
  readonly method: string;
  /** Under the provider's base URL, with a query where there is one. */
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Buffer;
  /** Whether the headers may bring the provider's key; otherwise `Authorization` is this gateway's. */
  readonly bringsKey: boolean;
  /** A refusal is told as it came; otherwise it is thrown, for the next one to be tried. */
  readonly isLast: boolean;
}

/** A configured provider by its name here or at Cloudflare. @throws `GatewayError` `provider_not_configured` */
export function findProvider(services: Services, name: string): Provider {
  const provider =
    services.providers.get(name) ?? services.providers.get(cloudflareNames[name] ?? "");
  if (provider !== undefined) return provider;
  throw new GatewayError("provider_not_configured", `There is no provider ${name} here.`, {
    hint: `Add it: \`byom providers add ${name} --key-stdin\`.`,
  });
}

/**
 * Sends a request to a provider at its real path and the answer back as it comes, bytes untouched. There is no
 * prediction behind it, so nothing is mapped or kept; but each try is a leg in the ledger and the logs, and the answer
 * is counted where it is in a shape that the gateway knows. It is tried again as `cf-aig-max-attempts` says.
 * @throws `GatewayError`: `forbidden` for a model that the key may not call, `budget_exceeded`, `rate_limited`,
 *   `upstream_failed`, `upstream_timeout`
 */
export async function passToProvider(
  call: Call,
  services: Services,
  pass: ProviderPass,
): Promise<void> {
  assertMayPass(call, services, pass);
  const journey = beginPass(call, services, pass);
  try {
    const policy = { ...defaultPolicy, attempts: 1, ...callPolicyOf(call.request.headers) };
    for (let tries = 1; ; tries += 1) {
      const isLastTry = tries >= policy.attempts;
      const told = await tryOnce(call, services, { pass, journey, policy, isLastTry });
      if (told === undefined) break;
      const { upstreamRetryAfterMs: retryAfterMs } = told;
      const pause = pauseMs(policy, { tries, retryAfterMs, random: Math.random() });
      if (isLastTry || pause === undefined || !isWorthATry(told)) throw told;
      await sleep(pause, undefined, { signal: call.signal });
    }
    journey.finish({ status: "succeeded" });
  } catch (error) {
    const failure = call.signal.aborted ? callerLeft() : GatewayError.from(error);
    journey.finish({ status: failure.code === "canceled" ? "canceled" : "failed", failure });
    // What was told to its end is told; what broke off has been cut.
    if (!call.response.headersSent) throw failure;
  }
}

interface Try {
  readonly pass: ProviderPass;
  readonly journey: PassJourney;
  readonly policy: RoutePolicy;
  readonly isLastTry: boolean;
}

/**
 * One try: undefined when the provider's answer has been passed on, a refusal among them where nobody else is left to
 * be asked; else its failure. @throws what broke an answer off that had begun
 */
async function tryOnce(
  call: Call,
  services: Services,
  { pass, journey, policy, isLastTry }: Try,
): Promise<GatewayError | undefined> {
  const leg = journey.begin();
  let answer: Awaited<ReturnType<typeof ask>>;
  try {
    answer = await ask(call, services, pass, policy);
  } catch (cause) {
    const failure = failureOf(cause, pass);
    leg.end(failedLeg(failure));
    return failure;
  }
  const { statusCode, headers, body } = answer;
  const isRefusal = statusCode >= 400;
  if (isRefusal && !(pass.isLast && isLastTry)) {
    const text = (await body.text()).slice(0, errorBytesMax);
    const failure = refusal(pass, { status: statusCode, headers, text });
    // Trying again is over, and there is no other step: the caller gets the provider's own words.
    if (pass.isLast && !isWorthATry(failure)) {
      leg.end(failedLeg(failure));
      passHeaders(call, pass, answer, journey);
      call.response.end(text);
      journey.fail(failure);
      return undefined;
    }
    leg.end(failedLeg(failure));
    return failure;
  }
  const contentType = String(headers["content-type"] ?? "");
  const counter = new AnswerCounter(isRefusal ? undefined : journey.format, contentType);
  passHeaders(call, pass, answer, journey);
  try {
    await pipeline(
      body,
      readAlong(counter, () => leg.markOutput()),
      call.response,
    );
  } catch (cause) {
    // A caller who leaves closes both; what is cut must not look complete.
    call.response.destroy();
    const failure = call.signal.aborted ? callerLeft() : brokenOff(cause, pass);
    leg.end({ ...failedLeg(failure), ...counted(counter) });
    throw failure;
  }
  if (isRefusal) {
    const failure = refusal(pass, { status: statusCode, headers, text: "" });
    leg.end(failedLeg(failure));
    journey.fail(failure);
    return undefined;
  }
  leg.end({ state: "succeeded", status: statusCode, ...counted(counter) });
  return undefined;
}

function ask(
  call: Call,
  services: Services,
  pass: ProviderPass,
  policy: RoutePolicy,
): ReturnType<typeof request> {
  const { deadlines } = services;
  const { firstOutputMs } = policy.deadlines;
  return request(targetUrl(pass), {
    method: pass.method as "POST",
    headers: requestHeaders(call, services, pass),
    ...(pass.body.length > 0 && { body: pass.body }),
    headersTimeout: firstOutputMs ?? deadlines.totalMs,
    bodyTimeout: deadlines.totalMs,
    signal: call.signal,
  });
}

type Answer = Awaited<ReturnType<typeof request>>;

function passHeaders(call: Call, pass: ProviderPass, answer: Answer, journey: PassJourney): void {
  const passed = Object.entries(answer.headers).filter(
    (header): header is [string, string] =>
      answeredHeaders.test(header[0]) && typeof header[1] === "string",
  );
  const step = call.response.getHeader("cf-aig-step");
  call.response.writeHead(answer.statusCode, {
    ...Object.fromEntries(passed),
    ...journey.headers(),
    "cf-aig-provider": pass.provider.name,
    // A step of the universal endpoint has its own number.
    ...(typeof step === "string" && { "cf-aig-step": step }),
  });
}

function readAlong(
  counter: AnswerCounter,
  onOutput: () => void,
): (source: AsyncIterable<Buffer>) => AsyncGenerator<Buffer, void, void> {
  return async function* (source) {
    for await (const chunk of source) {
      onOutput();
      counter.push(chunk);
      yield chunk;
    }
    counter.end();
  };
}

function counted(counter: AnswerCounter): Pick<LegEnd, "metrics" | "usage"> {
  const { metrics } = counter;
  const usage = reportedUsage(metrics);
  return { metrics, ...(usage !== undefined && { usage }) };
}

function failedLeg(failure: GatewayError): Omit<LegEnd, "durationMs"> {
  const { code, message: error, upstreamStatus: status } = failure;
  const state = code === "canceled" ? "canceled" : "failed";
  return { state, metrics: {}, code, error, ...(status !== undefined && { status }) };
}

/** A refusal for what was asked is the same the second time. */
function isWorthATry({ code, upstreamStatus: status }: GatewayError): boolean {
  if (code === "canceled" || code === "invalid_request") return false;
  return (
    status === undefined || status >= 500 || status === 408 || status === 409 || status === 429
  );
}

function refusal(
  { provider }: ProviderPass,
  answer: {
    readonly status: number;
    readonly headers: Answer["headers"];
    readonly text: string;
  },
): GatewayError {
  const { status, headers, text } = answer;
  const seconds = Number(headers["retry-after"]);
  const said = text === "" ? "" : `: ${text.slice(0, quoteMax)}`;
  return new GatewayError("upstream_failed", `${provider.name} answered ${status}${said}`, {
    upstreamStatus: status,
    ...(headers["retry-after"] !== undefined &&
      Number.isFinite(seconds) && { upstreamRetryAfterMs: seconds * 1000 }),
  });
}

function brokenOff(cause: unknown, { provider }: ProviderPass): GatewayError {
  if (cause instanceof GatewayError) return cause;
  return new GatewayError("upstream_cut", `The answer of ${provider.name} broke off.`, { cause });
}

function callerLeft(): GatewayError {
  return new GatewayError("canceled", "The caller left.");
}

/** Characters of a refusal that are quoted in ours. */
const quoteMax = 500;

function failureOf(cause: unknown, { provider }: ProviderPass): GatewayError {
  const code = cause instanceof Error && "code" in cause ? cause.code : undefined;
  if (code === "UND_ERR_HEADERS_TIMEOUT") {
    return new GatewayError("upstream_timeout", `${provider.name} did not answer in time.`, {
      cause,
    });
  }
  if (code === "UND_ERR_ABORTED" || (cause instanceof Error && cause.name === "AbortError")) {
    return new GatewayError("canceled", "The caller left.", { cause });
  }
  return cause instanceof GatewayError
    ? cause
    : new GatewayError("upstream_failed", `${provider.name} could not be reached.`, { cause });
}

/**
 * The endpoint under the base URL. Cloudflare's clients write some providers' version into the endpoint, which our base
 * URLs have at their end (`…/v1` and `v1/chat/completions`): it counts once.
 */
function targetUrl({ provider, endpoint }: ProviderPass): URL {
  const [path = "", query] = endpoint.split("?", 2);
  const segments = path.split("/").filter((segment) => segment !== "");
  if (segments.some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment) || segment.includes("\\"))) {
    throw new GatewayError("invalid_request", "The endpoint must not leave the provider's API.", {
      parameter: "endpoint",
    });
  }
  const base = new URL(provider.baseUrl);
  const last = base.pathname
    .split("/")
    .filter((segment) => segment !== "")
    .at(-1);
  const rest = last !== undefined && segments[0] === last ? segments.slice(1) : segments;
  const url = new URL(
    `${provider.baseUrl}/${rest.join("/")}${query === undefined ? "" : `?${query}`}`,
  );
  if (url.origin !== base.origin) {
    throw new GatewayError("invalid_request", "The endpoint must not leave the provider's API.", {
      parameter: "endpoint",
    });
  }
  return url;
}

function requestHeaders(
  call: Call,
  services: Services,
  pass: ProviderPass,
): Record<string, string> {
  const { provider, headers } = pass;
  const given = Object.entries(headers).filter(
    (header): header is [string, string] => typeof header[1] === "string",
  );
  const own = given.filter(([name]) => passedHeaders.test(name));
  const brought = pass.bringsKey
    ? given.filter(([name, value]) => isProviderKey(services, name, value))
    : [];
  const key = call.providerKey ?? provider.key;
  return {
    ...provider.headers,
    ...Object.fromEntries(own),
    "accept-encoding": "identity",
    ...(brought.length > 0
      ? Object.fromEntries(brought)
      : key === undefined
        ? {}
        : provider.adapter.authorize(key)),
  };
}

/** A key of this gateway is nobody else's business, wherever a caller put it. */
function isProviderKey(services: Services, name: string, value: string): boolean {
  if (!keyHeaders.some((header) => header === name)) return false;
  const secret = value.replace(/^(?:bearer|token)\s+/i, "").trim();
  return secret !== "" && services.keys.verify(secret) === undefined;
}

/** A key with a list of models must not reach others by their provider's own name. */
function assertMayPass(
  call: Call,
  services: Services,
  { provider, body, endpoint }: ProviderPass,
): void {
  if (call.key?.models === undefined) return;
  const named = modelIn(body) ?? /models\/([^/:?]+)/.exec(endpoint)?.[1];
  const ids = services.catalog
    .list()
    .filter(({ upstreams = [] }) =>
      upstreams.some(
        (target) =>
          target.kind === "provider" && target.provider === provider.name && target.model === named,
      ),
    )
    .map(({ id }) => id);
  const candidates = named === undefined ? [] : [...ids, `${provider.name}/${named}`];
  if (candidates.some((id) => mayCall(call.key, id))) return;
  throw new GatewayError(
    "forbidden",
    `The API key ${call.key.name} may not call ${named ?? "this endpoint"} of ${provider.name}.`,
    { hint: `It is for ${call.key.models.join(", ")}.` },
  );
}

function modelIn(body: Buffer): string | undefined {
  try {
    const value = JSON.parse(body.toString("utf8")) as { readonly model?: unknown } | null;
    return typeof value?.model === "string" ? value.model : undefined;
  } catch {
    return undefined;
  }
}
