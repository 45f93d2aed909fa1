import { cacheWish, type CacheWish } from "../../cache/ask.ts";
import { GatewayError } from "../../errors.ts";
import { attemptsMax, callPolicy, retryDelayMsMax } from "../../http/call-origin.ts";
import type { RoutePolicy } from "../../route/policy.ts";
import { checkMetadata, readAigHeaders, type AigMetadata } from "../../http/aig-headers.ts";
import { isObject } from "../../http/body.ts";
import type { Call } from "../../http/call.ts";

/** The options of `AI.run` that have an effect; the others, such as `gateway.id` and `returnRawResponse`, are taken. */
export interface RunOptions {
  /** From `cf-aig-metadata`, `options.gateway.metadata`, `options.metadata` and `tags`; the later ones win. */
  readonly metadata: AigMetadata;
  readonly queueRequest: boolean;
  readonly rejectIfBusy: boolean;
  /** Milliseconds to the first piece of the answer. */
  readonly requestTimeoutMs: number | undefined;
  /** How the call is carried: `gateway.retries` and `gateway.requestTimeoutMs`; undefined when they say nothing. */
  readonly overrides: Partial<RoutePolicy> | undefined;
  /** `gateway.cacheTtl`, `cacheKey` and `skipCache`; over the headers. */
  readonly cacheWish: CacheWish;
  /** The caller's own id, which the answer repeats. */
  readonly eventId: string | undefined;
  /** The prediction goes on for whoever comes back, however long the caller is gone. */
  readonly isDetached: boolean;
}

/** @throws `GatewayError` `invalid_request` */
function cacheWishOf(settings: Readonly<Record<string, unknown>>): CacheWish {
  const { cacheTtl: ttlS, cacheKey: key, skipCache: isSkipped } = settings;
  if (ttlS !== undefined && ttlS !== 0 && !isWhole(ttlS)) {
    throw invalid("options.gateway.cacheTtl", "must be a whole number of seconds");
  }
  if (key !== undefined && typeof key !== "string") {
    throw invalid("options.gateway.cacheKey", "must be a text");
  }
  if (isSkipped !== undefined && typeof isSkipped !== "boolean") {
    throw invalid("options.gateway.skipCache", "must be true or false");
  }
  return cacheWish({ ttlS, key, isSkipped });
}

const tagsMax = 5;
const tagPattern = /^[\p{L}\p{N}:\-./@]{1,50}$/u;

/**
 * Reads the options of a call: the object that the binding sends, and the query and headers of the REST API.
 * @throws `GatewayError` `invalid_request` naming the option at fault
 */
export function readRunOptions(call: Call, given: unknown = {}): RunOptions {
  if (!isObject(given)) throw invalid("options", "must be an object");
  const { gateway = {}, tags = [], metadata } = given;
  if (!isObject(gateway) && typeof gateway !== "string") {
    throw invalid("options.gateway", "must be an object");
  }
  const settings = typeof gateway === "string" ? {} : gateway;
  const headers = readAigHeaders(call.request.headers);
  const timeout = settings["requestTimeoutMs"] ?? headers.requestTimeoutMs;
  if (timeout !== undefined && !isWhole(timeout)) {
    throw invalid("options.gateway.requestTimeoutMs", "must be a whole number of milliseconds");
  }
  const eventId = settings["eventId"] ?? headers.eventId;
  return {
    metadata: {
      ...headers.metadata,
      ...checked(settings["metadata"], "options.gateway.metadata"),
      ...checked(metadata, "options.metadata"),
      ...tagMetadata(tags),
    },
    queueRequest: isSet(given["queueRequest"] ?? call.query.get("queueRequest")),
    rejectIfBusy: isSet(given["rejectIfBusy"] ?? call.query.get("rejectIfBusy")),
    requestTimeoutMs: timeout,
    overrides: overridesOf(settings["retries"], timeout),
    cacheWish: cacheWishOf(settings),
    eventId: typeof eventId === "string" ? eventId : undefined,
    isDetached: isSet(given["detach"] ?? call.request.headers["x-byom-detach"]),
  };
}

/** @throws `GatewayError` `invalid_request` */
function overridesOf(
  retries: unknown,
  requestTimeoutMs: number | undefined,
): Partial<RoutePolicy> | undefined {
  if (retries === undefined && requestTimeoutMs === undefined) return undefined;
  if (retries === undefined) return callPolicy({ requestTimeoutMs });
  if (!isObject(retries)) throw invalid("options.gateway.retries", "must be an object");
  const { maxAttempts: attempts, retryDelayMs, backoff } = retries;
  if (attempts !== undefined && !(isWhole(attempts) && attempts <= attemptsMax)) {
    throw invalid(
      "options.gateway.retries.maxAttempts",
      `must be a whole number up to ${attemptsMax}`,
    );
  }
  const isDelay = retryDelayMs === 0 || isWhole(retryDelayMs);
  if (retryDelayMs !== undefined && !(isDelay && retryDelayMs <= retryDelayMsMax)) {
    throw invalid("options.gateway.retries.retryDelayMs", `must be up to ${retryDelayMsMax}`);
  }
  if (backoff !== undefined && typeof backoff !== "string") {
    throw invalid("options.gateway.retries.backoff", "must be a text");
  }
  return callPolicy({ attempts, retryDelayMs, backoff, requestTimeoutMs });
}

function checked(value: unknown, where: string): AigMetadata {
  return value === undefined || value === null ? {} : checkMetadata(value, where);
}

/** Tags as Workers AI takes them; they stand in the metadata under `tags`, joined by commas. */
function tagMetadata(tags: unknown): AigMetadata {
  const list: readonly unknown[] =
    typeof tags === "string" ? tags.split(",") : Array.isArray(tags) ? tags : [undefined];
  if (list.length === 0 || tags === "") return {};
  const isValid = list.every((tag) => typeof tag === "string" && tagPattern.test(tag));
  if (!isValid || list.length > tagsMax) {
    throw invalid(
      "options.tags",
      `must be up to ${tagsMax} texts of up to 50 letters, digits or : - . / @`,
    );
  }
  return { tags: list.join(",") };
}

function isSet(value: unknown): boolean {
  return value === true || value === "true";
}

function isWhole(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0;
}

function invalid(where: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${where} ${what}.`, { parameter: where });
}
