import { z } from "zod";

import { webhookUrlCharactersMax } from "../../limits.ts";
import { nanoPerUsd, formatUsd, parseUsd } from "../money.ts";
import {
  namedWindows,
  type Budget,
  type BudgetAlerts,
  type BudgetScope,
  type BudgetWindow,
  type Selection,
} from "./budget.ts";

/** A name that stands in a path and in a message. */
export const budgetIdPattern: RegExp = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Values of one selection; a longer list is what a partition is for. */
const valuesMax = 1_000;
const dimensionsMax = 16;
const valueCharactersMax = 500;
const windowSecondsMin = 60;
const windowSecondsMax = 366 * 24 * 3_600;
/** More than a user's whole money, but less than what would not be counted exactly. */
const limitUsdMax = 1_000_000;
const thresholdsMax = 10;
const defaultThresholds: readonly number[] = [50, 80, 100];

const selection: z.ZodType<Selection> = z.discriminatedUnion("mode", [
  z.strictObject({
    mode: z.literal("filter"),
    values: z.array(z.string().min(1).max(valueCharactersMax)).min(1).max(valuesMax),
  }),
  z.strictObject({ mode: z.literal("partition") }),
]);

const limit: z.ZodType<number, number | string> = z
  .union([z.number().nonnegative(), z.string()])
  .transform((value, context) => {
    const nano = parseUsd(String(value));
    if (nano !== undefined && nano <= limitUsdMax * nanoPerUsd) return nano;
    context.addIssue({
      code: "custom",
      message: `a decimal number of US dollars up to ${limitUsdMax}, such as 12.50`,
    });
    return z.NEVER;
  });

/** A budget as it is asked for, checked. */
export interface Rule extends BudgetScope {
  readonly id?: string;
  /** Nano-dollars. */
  readonly limit: number;
  readonly window: BudgetWindow;
  readonly technique: "fixed" | "sliding";
  readonly enabled: boolean;
  readonly alerts?: Partial<BudgetAlerts>;
}

/**
 * One budget as the API takes it: a spend rule of Cloudflare's AI Gateway (`limit`, `limitType`, `window` in seconds,
 * `technique`, `model`, `provider`, `metadata`), with `key`, `route`, named windows and alerts beside it.
 */
export const ruleSchema: z.ZodType<Rule> = z.strictObject({
  id: z.string().regex(budgetIdPattern, "letters, digits, dots, dashes").exactOptional(),
  limit,
  limitType: z.literal("cost").exactOptional(),
  window: z.union([z.enum(namedWindows), z.int().min(windowSecondsMin).max(windowSecondsMax)]),
  technique: z.enum(["fixed", "sliding"]).default("fixed"),
  enabled: z.boolean().default(true),
  key: selection.exactOptional(),
  model: selection.exactOptional(),
  provider: selection.exactOptional(),
  route: selection.exactOptional(),
  metadata: z
    .record(z.string().min(1).max(valueCharactersMax), selection)
    .refine((value) => Object.keys(value).length <= dimensionsMax, `up to ${dimensionsMax} keys`)
    .exactOptional(),
  alerts: z
    .strictObject({
      thresholds: z.array(z.int().min(1).max(1_000)).max(thresholdsMax).exactOptional(),
      url: z.string().min(1).max(webhookUrlCharactersMax).exactOptional(),
    })
    .exactOptional(),
});

/** A rule, or all of a Cloudflare gateway's: `{"enabled": true, "rules": [...]}`. */
export const rulesSchema: z.ZodType<
  Rule | { readonly enabled?: boolean; readonly rules: readonly Rule[] }
> = z.union([
  z.strictObject({ enabled: z.boolean().exactOptional(), rules: z.array(ruleSchema).max(1_000) }),
  ruleSchema,
]);

export function budgetOf(
  rule: Rule,
  identity: { readonly id: string; readonly createdAt: string },
): Budget {
  const { key, model, provider, route, metadata, alerts, window, technique, enabled } = rule;
  const thresholds = alerts?.thresholds ?? defaultThresholds;
  return {
    ...identity,
    limitNanoUsd: rule.limit,
    window,
    technique,
    enabled,
    scope: {
      ...(key !== undefined && { key }),
      ...(model !== undefined && { model }),
      ...(provider !== undefined && { provider }),
      ...(route !== undefined && { route }),
      ...(metadata !== undefined && { metadata }),
    },
    alerts: {
      thresholds: [...new Set(thresholds)].toSorted((a, b) => a - b),
      ...(alerts?.url !== undefined && { url: alerts.url }),
    },
  };
}

/** A budget as the API shows it; sent back, it is the same budget. */
export interface RuleView extends BudgetScope {
  readonly id: string;
  /** Decimal US dollars. */
  readonly limit: string;
  readonly limitType: "cost";
  readonly window: BudgetWindow;
  readonly technique: "fixed" | "sliding";
  readonly enabled: boolean;
  readonly alerts: Budget["alerts"];
  readonly createdAt: string;
}

export function viewRule(budget: Budget): RuleView {
  const { id, limitNanoUsd, window, technique, enabled, scope, alerts, createdAt } = budget;
  return {
    id,
    limit: formatUsd(limitNanoUsd),
    limitType: "cost",
    window,
    technique,
    enabled,
    ...scope,
    alerts,
    createdAt,
  };
}
