import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

import type { FoundModel } from "../catalog/find.ts";
import { GatewayError } from "../errors.ts";
import { readAigHeaders } from "../http/aig-headers.ts";
import type { Call } from "../http/call.ts";
import type { CachePolicy } from "../route/policy.ts";
import type { WireRequest } from "../upstream/provider/wire-request.ts";
import { canonicalBody, canonicalJson } from "./canonical.ts";
import {
  cacheCanonicalBytesMax,
  cacheKeyCharactersMax,
  cacheTtlDefaultS,
  cacheTtlMaxS,
  cacheTtlMinS,
} from "./limits.ts";

/** What a caller says about the cache: `cf-aig-cache-ttl`, `-cache-key`, `-skip-cache`, or the binding's options. */
export interface CacheWish {
  /** Seconds; 0: not at all. */
  readonly ttlS?: number;
  /** Stands for the input. */
  readonly key?: string;
  /** Neither read nor written, nor joined. */
  readonly isSkipped?: boolean;
}

/** That a call may be answered by a stored answer, and which one. */
export interface CacheAsk {
  /** 64 hex digits. */
  readonly key: string;
  /** The catalog's id. */
  readonly model: string;
  /** How long its answer may stand for others. */
  readonly ttlMs: number;
}

/** `HIT`: a stored answer; `JOINED`: that of a call under way; `MISS`: its own, which may be stored. */
export interface Cached {
  readonly status: "HIT" | "JOINED" | "MISS";
  /** Since it was stored. */
  readonly ageMs?: number;
}

export interface AskFacts {
  readonly model: FoundModel;
  /** What the model gets: an input that fits its schema, or a request in its provider's own shape. */
  readonly content:
    | {
        readonly input: Readonly<Record<string, unknown>>;
        readonly context: Readonly<Record<string, unknown>> | undefined;
      }
    | { readonly wire: WireRequest };
  /** What the surface read; over the headers. */
  readonly wish?: CacheWish | undefined;
  /** What the route or the model says; the caller's wish comes first. */
  readonly policy?: CachePolicy | undefined;
}

/**
 * Whether and as what a call is cached; undefined for most: nothing is cached unless the caller or a policy says so.
 *
 * An answer is found again by the model's id and image, the input (for a request in a provider's shape its body; the
 * order of keys and white space do not count up to a MiB), and who may see it: keys with different lists of models, or
 * with provider keys of their own, do not share unless the policy says so. A caller's `cf-aig-cache-key` stands for
 * the input only. Inputs that were mapped are the same for a stream and for a whole answer, and for every surface, so
 * those share; bodies in a provider's shape say themselves whether they ask for a stream.
 * @throws `GatewayError` `invalid_request` for a time or a key out of bounds
 */
export function askCache(call: Call, facts: AskFacts): CacheAsk | undefined {
  const { policy, model } = facts;
  const wish = { ...readWish(call.request.headers), ...facts.wish };
  if (wish.isSkipped === true) return undefined;
  const ttlS = ttlOf(wish, policy);
  if (ttlS === undefined) return undefined;
  if (wish.key !== undefined && wish.key.length > cacheKeyCharactersMax) {
    throw invalid("cf-aig-cache-key", `is longer than ${cacheKeyCharactersMax} characters`);
  }
  const hash = createHash("sha256");
  const { entry, version } = model;
  hash.update(
    JSON.stringify(["1", entry.id, entry.digest, version ?? null, scopeOf(call, policy)]),
  );
  addContent(hash, facts.content, wish.key);
  const key = hash.digest("hex");
  return { key: withOrdinal(call, key), model: entry.id, ttlMs: ttlS * 1000 };
}

/** Undefined members are left out, so that they do not hide a header. */
export function cacheWish(given: {
  readonly ttlS: number | undefined;
  readonly key: string | undefined;
  readonly isSkipped: boolean | undefined;
}): CacheWish {
  const { ttlS, key, isSkipped } = given;
  return {
    ...(ttlS !== undefined && { ttlS }),
    ...(key !== undefined && { key }),
    ...(isSkipped !== undefined && { isSkipped }),
  };
}

function readWish(headers: IncomingHttpHeaders): CacheWish {
  const isSaid =
    headers["cf-aig-cache-ttl"] !== undefined ||
    headers["cf-aig-cache-key"] !== undefined ||
    headers["cf-aig-skip-cache"] !== undefined;
  if (!isSaid) return {};
  const { cacheTtl, cacheKey, skipCache } = readAigHeaders(headers);
  return cacheWish({ ttlS: cacheTtl, key: cacheKey, isSkipped: skipCache });
}

function ttlOf({ ttlS, key }: CacheWish, policy: CachePolicy | undefined): number | undefined {
  const asked = ttlS ?? policy?.ttlS ?? (key === undefined ? undefined : cacheTtlDefaultS);
  if (asked === undefined || asked === 0) return undefined;
  if (asked < cacheTtlMinS || asked > cacheTtlMaxS) {
    throw invalid("cf-aig-cache-ttl", `must be 0 or ${cacheTtlMinS} to ${cacheTtlMaxS} seconds`);
  }
  return asked;
}

/** Whose answers these are. */
function scopeOf(call: Call, policy: CachePolicy | undefined): unknown {
  if (policy?.isShared === true) return "shared";
  return [call.key?.models?.toSorted() ?? null, call.providerKey ?? null];
}

function addContent(
  hash: ReturnType<typeof createHash>,
  content: AskFacts["content"],
  given: string | undefined,
): void {
  if ("input" in content) {
    const { input, context } = content;
    hash.update(given === undefined ? canonicalJson(["input", input, context]) : `key\n${given}`);
    return;
  }
  const { format, isStreamed, hidesUsage, headers, body } = content.wire;
  // Another shape, or a stream in the place of a whole answer, is no answer at all.
  hash.update(canonicalJson(["wire", format, isStreamed, hidesUsage, headers]));
  if (given !== undefined) {
    hash.update(`key\n${given}`);
    return;
  }
  const canonical = body.length > cacheCanonicalBytesMax ? undefined : canonicalBody(body);
  hash.update(canonical ?? body);
}

const askedBefore = new WeakMap<Call, Map<string, number>>();

/** Two choices of one call (`n: 2`) are two answers, although they are asked for alike. */
function withOrdinal(call: Call, key: string): string {
  const counts = askedBefore.get(call) ?? new Map<string, number>();
  askedBefore.set(call, counts);
  const before = counts.get(key) ?? 0;
  counts.set(key, before + 1);
  return before === 0 ? key : createHash("sha256").update(`${key}#${before}`).digest("hex");
}

function invalid(where: string, what: string): GatewayError {
  return new GatewayError("invalid_request", `${where} ${what}.`, { parameter: where });
}
