/** How long a version took from nothing to ready, per way of starting; kept over restarts of the platform. */
export interface StartTiming {
  readonly mode: "cold" | "restored";
  readonly ms: number;
  /** ISO 8601. */
  readonly at: string;
}

/** Whether a version's snapshot is worth its disk: measured on this host, never assumed. */
export type PayoffVerdict =
  /** One of the two ways was not measured yet. */
  | { readonly verdict: "unknown"; readonly coldMs?: number; readonly restoredMs?: number }
  | {
      readonly verdict: "pays";
      readonly coldMs: number;
      readonly restoredMs: number;
      /** Over all restores so far, against the cold start that each replaced. */
      readonly restores: number;
      readonly savedMs: number;
    }
  /** Switched off for this version on this host until a start measures otherwise or an operator asks for it. */
  | {
      readonly verdict: "does-not-pay";
      readonly coldMs: number;
      readonly restoredMs: number;
      readonly reason: string;
    };

/** The record of starts. Methods are synchronous and cheap (SQLite, one row a start). */
export interface Payoff {
  record(subject: { modelId: string; version: number }, timing: StartTiming): void;
  verdict(subject: { modelId: string; version: number }): PayoffVerdict;
  /** Measures anew, after an operator asked for a snapshot. */
  forget(subject: { modelId: string; version: number }): void;
}
