import type { CustomCost, LegBegin } from "../../../route/leg.ts";
import type { LegNames, Metadata } from "../journal/record.ts";
import type { CostLineTuple, Outcome } from "../outcome.ts";
import { noName, type MetadataKeys, type Names } from "./names.ts";

/** Dimensions of a leg that are words, in the order in which a stored leg has them. */
export const wordDimensions = [
  "model",
  "version",
  "provider",
  "upstream_model",
  "key",
  "route",
  "state",
  "code",
  "start",
  "instance",
  "payer",
  "retry",
] as const;
export type WordDimension = (typeof wordDimensions)[number];

/** A leg with its words by number: what a row of the ledger holds. */
export interface StoredLeg {
  readonly seq: number;
  readonly id: string;
  readonly callId: string;
  readonly index: number;
  readonly beganAtMs: number;
  /** One for each of `wordDimensions`; 0 where there is none. */
  readonly words: readonly number[];
  /** Key, value, key, value, …; a value that is no string has a negative number, and its JSON as text. */
  readonly metadata: readonly number[];
  readonly facts: LegFacts;
}

type LegFacts = Omit<Outcome, "state" | "version" | "code" | "start" | "instanceId"> & {
  /** Of names that have no columns. */
  readonly moreMetadata?: Metadata;
  readonly customCost?: CustomCost;
};

/** A leg that has begun, as the ledger keeps it until it ends. */
export interface OpenLeg {
  readonly id: string;
  readonly callId: string;
  readonly index: number;
  readonly beganAtMs: number;
  readonly names: LegNames;
  readonly metadata: Metadata;
  readonly customCost?: CustomCost;
}

interface Dictionaries {
  readonly names: Names;
  readonly metadataKeys: MetadataKeys;
}

export function storeLeg(
  options: { readonly seq: number; readonly begun: OpenLeg; readonly outcome: Outcome },
  { names, metadataKeys }: Dictionaries,
): StoredLeg {
  const { seq, begun, outcome } = options;
  const { state, version: served, code, start, instanceId, ...rest } = outcome;
  const [model, pinned, provider, upstreamModel, keyId, route, isCallersKey] = begun.names;
  const word = (text: string | null | undefined): number =>
    text === null || text === undefined ? noName : names.intern(text);
  const metadata: number[] = [];
  let more: Record<string, Metadata[string]> | undefined;
  for (const [name, value] of Object.entries(begun.metadata)) {
    const key = metadataKeys.intern(name);
    if (key === undefined) (more ??= {})[name] = value;
    else metadata.push(key, names.intern(String(value)) * (typeof value === "string" ? 1 : -1));
  }
  return {
    seq,
    id: begun.id,
    callId: begun.callId,
    index: begun.index,
    beganAtMs: begun.beganAtMs,
    words: [
      word(model),
      word(String(served ?? pinned)),
      word(provider),
      word(upstreamModel),
      word(keyId),
      word(route),
      word(state),
      word(code),
      word(start),
      word(instanceId),
      word(isCallersKey === 1 ? "caller" : "platform"),
      word(begun.index > 0 ? "again" : "first"),
    ],
    metadata,
    facts: {
      ...rest,
      ...(more !== undefined && { moreMetadata: more }),
      ...(begun.customCost !== undefined && { customCost: begun.customCost }),
    },
  };
}

/** The part of a stored leg that has no column of its own in the table. */
export function encodeRecord({ callId, index, words, metadata, facts }: StoredLeg): string {
  return JSON.stringify([callId, index, words, metadata, facts]);
}

export function decodeRow(row: Readonly<Record<string, unknown>>): StoredLeg {
  const [callId, index, words, metadata, facts] = JSON.parse(String(row["record"])) as [
    string,
    number,
    number[],
    number[],
    LegFacts,
  ];
  return {
    seq: Number(row["seq"]),
    id: String(row["id"]),
    beganAtMs: Number(row["began_at"]),
    callId,
    index,
    words,
    metadata,
    facts,
  };
}

/** A leg as the API tells it; no provider's key and no payload is in it. */
export interface LegView {
  readonly leg: string;
  readonly call: string;
  readonly index: number;
  /** ISO 8601. */
  readonly beganAt: string;
  readonly model: string;
  readonly version: number;
  readonly provider: string;
  readonly upstreamModel: string;
  readonly key?: string;
  readonly route?: string;
  readonly state: string;
  readonly isCallersKey: boolean;
  readonly isRetry: boolean;
  readonly isEstimated: boolean;
  readonly isPriced: boolean;
  /** Decimal, as every amount in JSON: a sum may not fit a number. */
  readonly nanoUsd: string;
  readonly lines: readonly { unit: string; quantity: number; nanoUsd: string }[];
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  readonly durationMs: number;
  readonly firstOutputMs?: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly start?: string;
  readonly startMs?: number;
  readonly instance?: string;
  readonly code?: string;
  readonly error?: string;
  readonly status?: number;
  readonly metadata: Metadata;
}

export function viewLeg(leg: StoredLeg, dictionaries: Dictionaries): LegView {
  const { names } = dictionaries;
  const { facts } = leg;
  const word = (dimension: WordDimension): string | undefined =>
    names.text(leg.words[wordDimensions.indexOf(dimension)] ?? noName);
  const [inputTokens, outputTokens, cachedTokens, reasoningTokens] = facts.tokens ?? [0, 0, 0, 0];
  const optional = {
    key: word("key"),
    route: word("route"),
    firstOutputMs: facts.firstOutputMs,
    start: word("start"),
    startMs: facts.startMs,
    instance: word("instance"),
    code: word("code"),
    error: facts.error,
    status: facts.status,
  };
  return {
    leg: leg.id,
    call: leg.callId,
    index: leg.index,
    beganAt: new Date(leg.beganAtMs).toISOString(),
    model: word("model") ?? "",
    version: Number(word("version")),
    provider: word("provider") ?? "",
    upstreamModel: word("upstream_model") ?? "",
    state: word("state") ?? "",
    isCallersKey: word("payer") === "caller",
    isRetry: leg.index > 0,
    isEstimated: facts.isEstimated === true,
    isPriced: facts.isUnpriced !== true,
    nanoUsd: String(facts.nanoUsd),
    lines: (facts.lines ?? []).map(viewLine),
    inputTokens,
    outputTokens,
    cachedTokens,
    reasoningTokens,
    durationMs: facts.durationMs,
    metrics: facts.metrics ?? {},
    metadata: metadataOf(leg, dictionaries),
    ...(Object.fromEntries(
      Object.entries(optional).filter(([, value]) => value !== undefined),
    ) as Partial<LegView>),
  };
}

function viewLine([unit, quantity, nanoUsd]: CostLineTuple): LegView["lines"][number] {
  return { unit, quantity, nanoUsd: String(nanoUsd) };
}

export function metadataOf(leg: StoredLeg, { names, metadataKeys }: Dictionaries): Metadata {
  const metadata: Record<string, Metadata[string]> = { ...leg.facts.moreMetadata };
  for (let index = 0; index + 1 < leg.metadata.length; index += 2) {
    const value = leg.metadata[index + 1] ?? noName;
    const text = names.text(Math.abs(value)) ?? "";
    const name = metadataKeys.name(leg.metadata[index] ?? noName) ?? "";
    metadata[name] = value < 0 ? (JSON.parse(text) as Metadata[string]) : text;
  }
  return metadata;
}

/** The leg as it began, for who computes what it cost. */
export function beginOf(leg: StoredLeg, dictionaries: Dictionaries): LegBegin {
  const view = viewLeg(leg, dictionaries);
  return {
    id: leg.id,
    callId: leg.callId,
    index: leg.index,
    beganAtMs: leg.beganAtMs,
    model: view.model,
    version: view.version,
    provider: view.provider,
    upstreamModel: view.upstreamModel,
    metadata: view.metadata,
    isCallersKey: view.isCallersKey,
    ...(view.key !== undefined && { keyId: view.key }),
    ...(view.route !== undefined && { route: view.route }),
    ...(leg.facts.customCost !== undefined && { customCost: leg.facts.customCost }),
  };
}
