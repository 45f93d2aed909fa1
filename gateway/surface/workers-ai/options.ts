import { GatewayError } from "../../errors.ts";
import { checkMetadata, readAigHeaders, type AigMetadata } from "../../http/aig-headers.ts";
import { isObject } from "../../http/body.ts";
import type { Call } from "../../http/call.ts";

/**
 * The options of `AI.run` that have an effect. The others (`gateway.id`, the cache settings, `collectLog`, `retries`,
 * `returnRawResponse`) are taken: there is one gateway, which logs every call, caches nothing and tries nothing twice.
 */
export interface RunOptions {
  /** From `cf-aig-metadata`, `options.gateway.metadata`, `options.metadata` and `tags`; the later ones win. */
  readonly metadata: AigMetadata;
  readonly queueRequest: boolean;
  readonly rejectIfBusy: boolean;
  /** Milliseconds to the first piece of the answer. */
  readonly requestTimeoutMs: number | undefined;
  /** The caller's own id, which the answer repeats. */
  readonly eventId: string | undefined;
  /** The prediction goes on for whoever comes back, however long the caller is gone. */
  readonly isDetached: boolean;
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
    eventId: typeof eventId === "string" ? eventId : undefined,
    isDetached: isSet(given["detach"] ?? call.request.headers["x-byom-detach"]),
  };
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
