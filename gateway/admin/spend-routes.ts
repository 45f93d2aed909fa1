import { z } from "zod";

import { GatewayError } from "../errors.ts";
import type { Call } from "../http/call.ts";
import { legsDefault, legsMax, rowsDefault, rowsMax, settleMax } from "../usage/ledger/limits.ts";
import { timeDimensions } from "../usage/ledger/query/dimension.ts";
import type { LegFilter, SpendAnswer, SpendQuestion } from "../usage/ledger/query/question.ts";
import { settledLegSchema, type SettledLeg } from "../usage/ledger/settle.ts";
import { wordDimensions } from "../usage/ledger/store/stored-leg.ts";
import { formatUsd } from "../usage/money.ts";
import { readAdminBody } from "./body.ts";
import type { AdminCall, AdminRoute } from "./route.ts";
import { readFilter, readCount, readDimensions, readTime } from "./spend-query.ts";
import { spendCsv } from "./spend-csv.ts";

const filterQuery = {
  from: "Only legs that began at or after this time (ISO 8601, or a day such as 2026-11-23, in UTC)",
  to: "Only legs that began before this time",
  "filter[DIMENSION]":
    "Only legs with this value, such as filter[model]=acme/chat or filter[metadata.team]=search; given more than once, any of them; empty: legs that have none",
} as const;

const settleBody: z.ZodType<{ readonly legs: readonly SettledLeg[] }> = z.strictObject({
  legs: z.array(settledLegSchema).max(settleMax),
});
const mib = 1024 * 1024;

export const spendRoutes: readonly AdminRoute[] = [
  {
    method: "GET",
    path: "/spend",
    summary: "What was spent, split by up to two dimensions; a key that may only call sees its own",
    scopes: ["admin", "call"],
    query: {
      by: `Dimensions, separated by commas: ${[...wordDimensions, ...timeDimensions].join(", ")}, or metadata.NAME; none: the total`,
      ...filterQuery,
      limit: `Rows at most (default ${rowsDefault}, at most ${rowsMax}): the dearest, or the latest when split by time`,
      format: "json (default) or csv",
    },
    handle: getSpend,
  },
  {
    method: "GET",
    path: "/spend/legs",
    summary: "Single legs, the one that ended last first",
    scopes: ["admin", "call"],
    query: {
      ...filterQuery,
      limit: `Legs at most (default ${legsDefault}, at most ${legsMax})`,
      before: "`next` of the page before",
    },
    handle: getLegs,
  },
  {
    method: "GET",
    path: "/spend/dimensions",
    summary: "By what spend can be split",
    scopes: ["admin", "call"],
    handle: async ({ call, services }) => ({
      dimensions: [...wordDimensions, ...timeDimensions],
      metadata: await services.accounts.ledger.metadataNames({ signal: call.signal }),
    }),
  },
  {
    method: "POST",
    path: "/spend/settle",
    summary:
      "Says what interrupted legs cost, by the list of their upstream; said again, it changes nothing",
    scopes: ["admin"],
    body: settleBody,
    async handle({ call, services }) {
      const { legs } = await readAdminBody(call.request, settleBody, { bytesMax: 16 * mib });
      const { ledger, costOf } = services.accounts;
      return await ledger.settle(legs, { costOf, signal: call.signal });
    },
  },
  {
    method: "DELETE",
    path: "/spend",
    summary: "Removes the legs that began before a time; nothing is ever removed otherwise",
    scopes: ["admin"],
    query: { before: "ISO 8601, or a day such as 2026-01-01, in UTC; required" },
    handle: removeLegs,
  },
];

async function getSpend({ call, services }: AdminCall): Promise<unknown> {
  const question: SpendQuestion = {
    ...ownFilter(call, readFilter(call.query)),
    by: readDimensions(call.query.get("by")),
    limit: readCount(call.query, "limit", { default: rowsDefault, max: rowsMax }),
  };
  const format = call.query.get("format") ?? "json";
  if (format !== "json" && format !== "csv") {
    throw new GatewayError("invalid_request", `format: ${format} is neither json nor csv.`, {
      parameter: "format",
    });
  }
  const answer = await services.accounts.ledger.spend(question, { signal: call.signal });
  if (format === "json") return spendBody(answer, question);
  const text = spendCsv(answer);
  call.response
    .writeHead(200, {
      "content-type": "text/csv; charset=utf-8",
      "content-length": Buffer.byteLength(text),
      "cache-control": "no-store",
    })
    .end(text);
  return undefined;
}

function spendBody(answer: SpendAnswer, { fromMs, toMs, where }: SpendQuestion): unknown {
  const { rows, total, groups, openLegs, by } = answer;
  return {
    by,
    ...(fromMs !== undefined && { from: new Date(fromMs).toISOString() }),
    ...(toMs !== undefined && { to: new Date(toMs).toISOString() }),
    filter: Object.fromEntries(where.map(({ dimension, values }) => [dimension, values])),
    rows: rows.map(({ values, ...sums }) => ({
      ...Object.fromEntries(by.map((name, index) => [name, values[index] ?? null])),
      usd: formatUsd(BigInt(sums.nanoUsd)),
      ...sums,
    })),
    total: { usd: formatUsd(BigInt(total.nanoUsd)), ...total },
    groups,
    openLegs,
  };
}

async function getLegs({ call, services }: AdminCall): Promise<unknown> {
  const before = call.query.get("before");
  const { legs, next } = await services.accounts.ledger.legs(
    {
      ...ownFilter(call, readFilter(call.query)),
      limit: readCount(call.query, "limit", { default: legsDefault, max: legsMax }),
      ...(before !== null && { before: readCount(call.query, "before", { default: 0 }) }),
    },
    { signal: call.signal },
  );
  return { legs, ...(next !== undefined && { next }) };
}

async function removeLegs({ call, services }: AdminCall): Promise<unknown> {
  const before = readTime(call.query, "before");
  if (before === undefined) {
    throw new GatewayError("invalid_request", "before: say from when on legs are kept.", {
      parameter: "before",
      hint: "DELETE /api/v1/spend?before=2026-01-01",
    });
  }
  const removed = await services.accounts.ledger.removeBefore(before, { signal: call.signal });
  return { removed, before: new Date(before).toISOString() };
}

/** A key that may only call sees what it spent itself. */
function ownFilter({ key }: Call, filter: LegFilter): LegFilter {
  if (key === undefined || key.scopes.includes("admin")) return filter;
  const others = filter.where
    .filter(({ dimension }) => dimension === "key")
    .flatMap(({ values }) => values)
    .filter((value) => value !== key.id);
  if (others.length > 0) {
    throw new GatewayError("forbidden", `The API key ${key.name} sees only what it spent itself.`, {
      parameter: "filter[key]",
      hint: "A key with the scope `admin` sees everything.",
    });
  }
  const where = filter.where.filter(({ dimension }) => dimension !== "key");
  return { ...filter, where: [...where, { dimension: "key", values: [key.id] }] };
}
