import type { LegView } from "../store/stored-leg.ts";

/** Which legs. */
export interface LegFilter {
  /** By when they began, milliseconds since the epoch: from, inclusive. */
  readonly fromMs?: number;
  /** Exclusive. */
  readonly toMs?: number;
  /**
   * Dimension (`model`, `key`, `metadata.team`, `day`, …) and the values of which a leg must have one; `""` stands for
   * a leg that has none.
   */
  readonly where: readonly { readonly dimension: string; readonly values: readonly string[] }[];
}

/** What is asked about spend. */
export interface SpendQuestion extends LegFilter {
  /** None: the total only. */
  readonly by: readonly string[];
  /** Groups that are told, the dearest ones, or the latest ones when the first dimension is a time. */
  readonly limit: number;
}

/** Sums over legs. Amounts and counts that can grow without end are decimal text. */
export interface SpendSums {
  readonly legs: number;
  /** What the platform pays, in 10⁻⁹ US dollars. */
  readonly nanoUsd: string;
  /** What callers paid with keys of their own. */
  readonly callersNanoUsd: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cachedTokens: number;
  readonly reasoningTokens: number;
  readonly images: number;
  readonly videos: number;
  readonly characters: number;
  readonly megapixels: number;
  readonly seconds: number;
  readonly audioSeconds: number;
  readonly videoSeconds: number;
  readonly gpuSeconds: number;
  readonly instanceSeconds: number;
  readonly coldStartSeconds: number;
  readonly durationMs: number;
  readonly failedLegs: number;
  readonly canceledLegs: number;
  readonly abandonedLegs: number;
  readonly cachedLegs: number;
  /** Begun before a kill; what they cost is not known until they are settled. */
  readonly interruptedLegs: number;
  readonly retriedLegs: number;
  readonly callersKeyLegs: number;
  /** Their tokens are a guess. */
  readonly estimatedLegs: number;
  /** No price was known for something that they used. */
  readonly unpricedLegs: number;
}

export interface SpendGroup extends SpendSums {
  /** One for each dimension; null: the leg has none. */
  readonly values: readonly (string | null)[];
}

export interface SpendAnswer {
  readonly by: readonly string[];
  readonly rows: readonly SpendGroup[];
  readonly total: SpendSums;
  /** All groups, told or not. */
  readonly groups: number;
  /** Legs that have begun and not ended; they are in no sum. */
  readonly openLegs: number;
}

export interface LegPage {
  /** The one that ended last comes first. */
  readonly legs: readonly LegView[];
  /** For the next page; absent: there is none. */
  readonly next?: number;
}
