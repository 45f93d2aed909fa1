import { GatewayError } from "../errors.ts";
import { dimensionsMax } from "../usage/ledger/limits.ts";
import { isDimension } from "../usage/ledger/query/dimension.ts";
import type { LegFilter } from "../usage/ledger/query/question.ts";

/** What the query of a URL says about which legs are meant. @throws GatewayError `invalid_request` */
export function readFilter(query: URLSearchParams): LegFilter {
  const fromMs = readTime(query, "from");
  const toMs = readTime(query, "to");
  const where = new Map<string, string[]>();
  for (const [name, value] of query) {
    const dimension = /^filter\[(.+)\]$/.exec(name)?.[1];
    if (dimension === undefined) continue;
    assertDimension(dimension, name);
    where.set(dimension, [...(where.get(dimension) ?? []), value]);
  }
  return {
    where: [...where].map(([dimension, values]) => ({ dimension, values })),
    ...(fromMs !== undefined && { fromMs }),
    ...(toMs !== undefined && { toMs }),
  };
}

/** @throws GatewayError `invalid_request` */
export function readDimensions(text: string | null): readonly string[] {
  const names = text === null || text === "" ? [] : text.split(",").map((name) => name.trim());
  for (const name of names) assertDimension(name, "by");
  if (names.length > dimensionsMax || new Set(names).size !== names.length) {
    throw new GatewayError(
      "invalid_request",
      `by: at most ${dimensionsMax} different dimensions at once.`,
      { parameter: "by", hint: "Filter by the others: filter[model]=acme/chat." },
    );
  }
  return names;
}

function assertDimension(name: string, parameter: string): void {
  if (isDimension(name)) return;
  throw new GatewayError("invalid_request", `${parameter}: spend has no dimension ${name}.`, {
    parameter,
    hint: "GET /api/v1/spend/dimensions lists them; the caller's own keys are metadata.NAME.",
  });
}

/** Milliseconds since the epoch. @throws GatewayError `invalid_request` */
export function readTime(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === "") return undefined;
  const ms = /^\d{4}-\d{2}(-\d{2})?(T.*)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return ms;
  throw new GatewayError("invalid_request", `${name}: ${text} is no time.`, {
    parameter: name,
    hint: `${name}=2026-11-23 or ${name}=2026-11-23T12:00:00Z`,
  });
}

/** @throws GatewayError `invalid_request` */
export function readCount(
  query: URLSearchParams,
  name: string,
  bounds: { readonly default: number; readonly max?: number },
): number {
  const text = query.get(name);
  if (text === null || text === "") return bounds.default;
  const { max = Number.MAX_SAFE_INTEGER } = bounds;
  const count = /^\d{1,16}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= max) return count;
  const most = bounds.max === undefined ? "" : `, at most ${max}`;
  throw new GatewayError("invalid_request", `${name}: ${text} is no whole number from 1${most}.`, {
    parameter: name,
  });
}
