/** What a budget looks at in a leg. */
export interface SpendFactsOfLeg {
  readonly model: string;
  readonly provider: string;
  readonly keyId?: string;
  readonly route?: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** `filter`: only legs with one of the values count; `partition`: one budget for each value that occurs. */
export type Selection =
  | { readonly mode: "filter"; readonly values: readonly string[] }
  | { readonly mode: "partition" };

/** Which legs a budget counts; what is left out is not looked at. A leg that lacks what is selected is not counted. */
export interface BudgetScope {
  /** Ids of API keys. */
  readonly key?: Selection;
  readonly model?: Selection;
  readonly provider?: Selection;
  /** `dynamic/NAME`. */
  readonly route?: Selection;
  readonly metadata?: Readonly<Record<string, Selection>>;
}

export const namedWindows = ["hour", "day", "week", "month"] as const;
/** A number is seconds. */
export type BudgetWindow = (typeof namedWindows)[number] | number;

/** A limit on what calls may cost in a time. */
export interface Budget {
  readonly id: string;
  readonly limitNanoUsd: number;
  readonly window: BudgetWindow;
  /** `fixed`: counts from zero at each beginning of the window, in UTC; `sliding`: the time up to now. */
  readonly technique: "fixed" | "sliding";
  readonly enabled: boolean;
  readonly scope: BudgetScope;
  readonly alerts: BudgetAlerts;
  /** ISO 8601. */
  readonly createdAt: string;
}

export interface BudgetAlerts {
  /** In per cent of the limit. */
  readonly thresholds: readonly number[];
  /** Gets a signed message for each threshold that is reached. */
  readonly url?: string;
}

/** The dimensions of a scope with what they select, in the order in which their values are told. */
export function selectionsOf(
  scope: BudgetScope,
): readonly (readonly [dimension: string, selection: Selection])[] {
  const { metadata = {}, ...named } = scope;
  return [
    ...Object.entries(named),
    ...Object.entries(metadata).map(([key, selection]) => [`metadata.${key}`, selection] as const),
  ];
}

/** The value of a leg in a dimension of `selectionsOf`; undefined when it has none. */
export function valueOf(facts: Partial<SpendFactsOfLeg>, dimension: string): string | undefined {
  if (dimension.startsWith(metadataPrefix)) {
    const value = facts.metadata?.[dimension.slice(metadataPrefix.length)];
    return value === undefined ? undefined : String(value);
  }
  switch (dimension) {
    case "key":
      return facts.keyId;
    case "model":
      return facts.model;
    case "provider":
      return facts.provider;
    case "route":
      return facts.route;
    default:
      return undefined;
  }
}
const metadataPrefix = "metadata.";

/**
 * The values of the scope's partitions in a leg, in the order of `selectionsOf`; undefined when the budget does not
 * count it.
 */
export function partitionOf(
  scope: BudgetScope,
  facts: Partial<SpendFactsOfLeg>,
): readonly string[] | undefined {
  const partition: string[] = [];
  for (const [dimension, selection] of selectionsOf(scope)) {
    const value = valueOf(facts, dimension);
    if (value === undefined) return undefined;
    if (selection.mode === "partition") partition.push(value);
    else if (!selection.values.includes(value)) return undefined;
  }
  return partition;
}
