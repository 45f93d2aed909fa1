import type { GatewayError } from "../errors.ts";
import type { LegBegin, LegEnd } from "../route/leg.ts";

/** One line of a bill. */
export interface CostLine {
  /** As in the catalog's prices: `input-token`, `output-token`, `image`, `second`, `gpu-second`, `cold-start-second`, … */
  readonly unit: string;
  readonly quantity: number;
  /** 10⁻⁹ US dollars, rounded half up once per line. */
  readonly nanoUsd: number;
}

/** What one leg costs. */
export interface LegCost {
  /** The sum of the lines; a safe integer. */
  readonly nanoUsd: number;
  readonly lines: readonly CostLine[];
  /** The quantities are a guess (no usage was reported). */
  readonly isEstimated: boolean;
  /** False: no price is known for something that was used. */
  readonly isPriced: boolean;
}

export const noCost: LegCost = { nanoUsd: 0, lines: [], isEstimated: false, isPriced: true };

/** Who asks for what, before anything is sent. */
export interface SpendFacts {
  readonly model: string;
  readonly keyId?: string;
  readonly route?: string;
  readonly metadata: Readonly<Record<string, string | number | boolean>>;
}

/** The same, with where it would be sent. */
export interface LegFacts extends SpendFacts {
  readonly provider: string;
  readonly isCallersKey: boolean;
}

/**
 * The money of the calls: budgets, and the ledger of every leg. Nothing here waits for a database: what must be durable
 * is appended to a journal, and added up elsewhere.
 */
export interface Accounts {
  /**
   * Called once per call, before its first leg.
   * @throws `GatewayError` `budget_exceeded` naming the budget, its limit and when it opens again
   */
  admit(facts: SpendFacts): void;
  /** Why no leg may begin there: a budget of the provider, or of the model that a route leads to, is used up. */
  refusalOf(facts: LegFacts): GatewayError | undefined;
  /**
   * On disk when this returns, so that a leg that was paid is known after a kill.
   * @throws `GatewayError` `budget_exceeded`, as `refusalOf` says it; the leg has not begun then
   */
  begin(leg: LegBegin): void;
  /** Counts a leg that has ended; called exactly once for each that has begun. */
  end(leg: LegBegin, end: LegEnd): LegCost;
}
