import { estimatedTokens } from "../../usage/usage.ts";

/** What is known of a call when its route is chosen. */
export interface CallFacts {
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
  readonly key?: { readonly id: string; readonly name: string };
  /** Of the request; names in lower case. Credentials among them are never looked at. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of the request's body; absent: not known beforehand (a chunked body that nobody has read). */
  readonly inputBytes?: number;
  /** The request's JSON, made when a condition asks for it. */
  readonly body?: () => Readonly<Record<string, unknown>> | undefined;
  /** `openai`, `anthropic`, `replicate`, … */
  readonly surface?: string;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Headers that carry a secret: a condition on one would let a route's author find it out. */
const secretHeaders: ReadonlySet<string> = new Set([
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-api-key",
  "cf-aig-authorization",
  "x-byom-provider-key",
]);

const plainFields: ReadonlySet<string> = new Set([
  "key.id",
  "key.name",
  "input.bytes",
  "input.tokens",
  "surface",
  "time.hour",
  "time.weekday",
  "time.date",
]);

const weekdays = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

/** Why a name is no field of a call; undefined for one that is. */
export function fieldProblem(name: string): string | undefined {
  if (plainFields.has(name)) return undefined;
  const [folder = "", rest = ""] = splitOnce(name);
  if (rest !== "" && (folder === "metadata" || folder === "body")) return undefined;
  if (rest !== "" && folder === "headers") {
    if (!secretHeaders.has(rest.toLowerCase())) return undefined;
    return `${name} carries a secret and is not looked at`;
  }
  const known = ["metadata.NAME", "headers.NAME", "body.NAME", ...plainFields].join(", ");
  return `${name} is no field of a call; there are ${known}`;
}

/** A field's value; undefined when the call has none. */
export function fieldOf(facts: CallFacts, name: string): unknown {
  const [folder = "", rest = ""] = splitOnce(name);
  if (folder === "metadata") return own(facts.metadata, rest);
  if (folder === "headers") return headerOf(facts, rest);
  if (folder === "body") return bodyField(facts.body?.(), rest);
  const date = new Date(facts.nowMs);
  const plain: Readonly<Record<string, unknown>> = {
    "key.id": facts.key?.id,
    "key.name": facts.key?.name,
    "input.bytes": facts.inputBytes,
    "input.tokens": facts.inputBytes === undefined ? undefined : estimatedTokens(facts.inputBytes),
    surface: facts.surface,
    "time.hour": date.getUTCHours(),
    "time.weekday": weekdays[date.getUTCDay()],
    "time.date": date.toISOString().slice(0, 10),
  };
  return own(plain, name);
}

function headerOf(facts: CallFacts, name: string): string | undefined {
  const lower = name.toLowerCase();
  if (secretHeaders.has(lower)) return undefined;
  const value = own(facts.headers, lower);
  return typeof value === "string" ? value : undefined;
}

/** `body.tools.0.type`: objects and lists alike. */
function bodyField(body: unknown, path: string): unknown {
  let value = body;
  for (const part of path.split(".")) {
    if (typeof value !== "object" || value === null) return undefined;
    value = own(value as Readonly<Record<string, unknown>>, part);
  }
  return value;
}

/** Never a property of `Object.prototype`. */
function own<Value>(values: Readonly<Record<string, Value>>, name: string): Value | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined;
}

function splitOnce(name: string): readonly string[] {
  const dotAt = name.indexOf(".");
  return dotAt === -1 ? [name] : [name.slice(0, dotAt), name.slice(dotAt + 1)];
}
