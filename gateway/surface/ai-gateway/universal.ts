import { GatewayError } from "../../errors.ts";
import { callPolicyOf } from "../../http/call-origin.ts";
import { isObject, readBody } from "../../http/body.ts";
import type { Call, Services, Surface } from "../../http/call.ts";
import type { Input } from "../../prediction/start.ts";
import { delegate, withRequest } from "../delegate.ts";
import { modelReference } from "../workers-ai/aliases.ts";
import { readRunOptions } from "../workers-ai/options.ts";
import { runModel } from "../workers-ai/run.ts";
import { findProvider, passToProvider } from "./provider-pass.ts";

/** One step of a call: a provider, where to send it, and what. */
interface Step {
  readonly provider: string;
  readonly endpoint: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly query: Input;
  /** How it is carried, as `cf-aig-*` headers: its `config` over what its headers and the request's say. */
  readonly policyHeaders: Readonly<Record<string, string>>;
}

const stepsMax = 20;

/**
 * The universal endpoint: steps tried in order until one answers. A step is an own model (provider `workers-ai` or
 * `byom`, with the model as the endpoint, or an endpoint of OpenAI's or Anthropic's shape), or a configured provider's
 * real path. Each is tried as often as its `config` (`maxAttempts`, `retryDelay`, `backoff`, `requestTimeout` to the
 * first piece of output) says, then the next one has its turn. `cf-aig-step` says which one it was.
 * Source: developers.cloudflare.com/ai-gateway/universal, cloudflare/workerd `aig-api.ts` (2026-08).
 * @throws `GatewayError`: the last step's failure
 */
export async function runUniversal(
  call: Call,
  services: Services,
  surfaces: readonly Surface[],
): Promise<void> {
  const steps = await readSteps(call);
  for (const [index, step] of steps.entries()) {
    const isLast = index === steps.length - 1;
    call.response.setHeader("cf-aig-step", String(index));
    try {
      await runStep(call, { services, surfaces, step, isLast });
      return;
    } catch (error) {
      if (isLast || call.response.headersSent || call.signal.aborted) throw error;
    }
  }
}

async function runStep(
  call: Call,
  options: {
    readonly services: Services;
    readonly surfaces: readonly Surface[];
    readonly step: Step;
    readonly isLast: boolean;
  },
): Promise<void> {
  const { services, surfaces, step, isLast } = options;
  const body = Buffer.from(JSON.stringify(step.query));
  const stepCall = withRequest(call.as({ providerKey: broughtKey(services, step) }), {
    headers: { ...call.request.headers, ...ownHeaders(step), ...step.policyHeaders },
    body,
  });
  if (!isOwn(step.provider)) {
    await passToProvider(stepCall, services, {
      provider: findProvider(services, step.provider),
      method: "POST",
      endpoint: step.endpoint,
      headers: { "content-type": "application/json", ...step.headers },
      body,
      bringsKey: true,
      isLast,
    });
    return;
  }
  const path = shapePath(step.endpoint);
  if (path !== undefined && surfaces.some((surface) => surface.owns(path))) {
    await delegate(stepCall, surfaces, path);
    return;
  }
  const model = modelReference(services.catalog, step.endpoint.replace(/^run\//, ""));
  await runModel(stepCall, services, {
    model,
    inputs: step.query,
    options: readRunOptions(stepCall),
    envelope: "classic",
  });
}

function isOwn(provider: string): boolean {
  return provider === "byom" || provider === "workers-ai" || provider === "compat";
}

/** The endpoints that are a shape and not a model: `chat/completions`, with or without `v1/`. */
export function shapePath(endpoint: string): readonly string[] | undefined {
  const segments = endpoint.split("/").filter((segment) => segment !== "");
  const path = segments[0] === "v1" ? segments.slice(1) : segments;
  const isShape = /^(?:chat|completions|responses|messages|embeddings|images|audio|models)$/;
  return isShape.test(path[0] ?? "") ? ["v1", ...path] : undefined;
}

/** What of a step's headers is this gateway's: the keys in them are its provider's. */
function ownHeaders({ headers }: Step): Record<string, string> {
  const own = Object.entries(headers).filter(
    ([name]) => name.startsWith("cf-aig-") && name !== "cf-aig-authorization",
  );
  return { ...Object.fromEntries(own), "content-type": "application/json" };
}

/** A step's own key for the third party that serves its model; a key of this gateway is none. */
function broughtKey(services: Services, { headers }: Step): string | undefined {
  const key = /^bearer\s+(\S+)\s*$/i.exec(headers["authorization"] ?? "")?.[1];
  return key === undefined || services.keys.verify(key) !== undefined ? undefined : key;
}

async function readSteps(call: Call): Promise<readonly [Step, ...Step[]]> {
  let value: unknown;
  try {
    value = JSON.parse((await readBody(call.request)).toString("utf8"));
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    throw new GatewayError("invalid_request", "The request's body is not valid JSON.", { cause });
  }
  const [first, ...others] = (Array.isArray(value) ? (value as unknown[]) : [value]).map(readStep);
  if (first === undefined || others.length >= stepsMax) {
    throw new GatewayError("invalid_request", `The body must be a list of 1 to ${stepsMax} steps.`);
  }
  return [first, ...others];
}

function readStep(value: unknown, index: number): Step {
  const where = `[${index}]`;
  if (!isObject(value)) throw invalid(where, "must be an object");
  const { provider, endpoint, query = {}, headers = {}, config = {} } = value;
  if (typeof provider !== "string" || provider === "") {
    throw invalid(`${where}.provider`, "is required");
  }
  if (typeof endpoint !== "string") throw invalid(`${where}.endpoint`, "is required");
  if (!isObject(query)) throw invalid(`${where}.query`, "must be an object");
  if (!isObject(headers)) throw invalid(`${where}.headers`, "must be an object");
  if (!isObject(config)) throw invalid(`${where}.config`, "must be an object");
  const texts = Object.fromEntries(
    Object.entries(headers).flatMap(([name, item]) => {
      if (item === null || item === undefined) return [];
      return [[name.toLowerCase(), typeof item === "string" ? item : JSON.stringify(item)]];
    }),
  );
  return {
    provider,
    endpoint,
    query,
    headers: texts,
    policyHeaders: readConfig(config, `${where}.config`),
  };
}

const configHeaders: Readonly<Record<string, string>> = {
  requestTimeout: "cf-aig-request-timeout",
  maxAttempts: "cf-aig-max-attempts",
  retryDelay: "cf-aig-retry-delay",
  backoff: "cf-aig-backoff",
};

/** @throws `GatewayError` `invalid_request` naming the setting */
function readConfig(
  config: Readonly<Record<string, unknown>>,
  where: string,
): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const [name, header] of Object.entries(configHeaders)) {
    const value = config[name];
    if (value === undefined || value === null) continue;
    // Cloudflare's examples have numbers as texts, too.
    if (typeof value !== "string" && typeof value !== "number") {
      throw invalid(`${where}.${name}`, "must be a number or a word");
    }
    headers[header] = String(value);
    try {
      callPolicyOf(headers);
    } catch (cause) {
      const { message } = GatewayError.from(cause);
      throw invalid(`${where}.${name}`, message.replace(`${header} `, "").replace(/\.$/, ""));
    }
  }
  return headers;
}

function invalid(where: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${where} ${what}.`, { parameter: where });
}
