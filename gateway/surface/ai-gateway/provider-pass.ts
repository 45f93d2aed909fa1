import { pipeline } from "node:stream/promises";
import { request } from "undici";

import { GatewayError } from "../../errors.ts";
import type { Call, Services } from "../../http/call.ts";
import { errorBytesMax } from "../../limits.ts";
import { mayCall } from "../../keys/authorize.ts";
import type { Provider } from "../../upstream/provider/providers.ts";

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
  /** Milliseconds to the first byte. */
  readonly timeoutMs: number | undefined;
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
 * prediction behind it: nothing is mapped, counted or kept.
 * @throws `GatewayError`: `forbidden` for a model that the key may not call, `upstream_failed`, `upstream_timeout`
 */
export async function passToProvider(
  call: Call,
  services: Services,
  pass: ProviderPass,
): Promise<void> {
  assertMayPass(call, services, pass);
  const { deadlines } = services;
  let answer: Awaited<ReturnType<typeof request>>;
  try {
    answer = await request(targetUrl(pass), {
      method: pass.method as "POST",
      headers: requestHeaders(call, services, pass),
      ...(pass.body.length > 0 && { body: pass.body }),
      headersTimeout: pass.timeoutMs ?? deadlines.totalMs,
      bodyTimeout: deadlines.totalMs,
      signal: call.signal,
    });
  } catch (cause) {
    throw failureOf(cause, pass);
  }
  const { statusCode, headers, body } = answer;
  if (statusCode >= 400 && !pass.isLast) {
    const text = (await body.text()).slice(0, errorBytesMax);
    throw new GatewayError(
      "upstream_failed",
      `${pass.provider.name} answered ${statusCode}: ${text.slice(0, quoteMax)}`,
    );
  }
  const passed = Object.entries(headers).filter(
    (header): header is [string, string] =>
      answeredHeaders.test(header[0]) && typeof header[1] === "string",
  );
  call.response.writeHead(statusCode, {
    ...Object.fromEntries(passed),
    "cf-aig-provider": pass.provider.name,
  });
  // A caller who leaves closes both; what is cut must not look complete.
  await pipeline(body, call.response).catch(() => call.response.destroy());
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
