/** A version of a model: what pays for one need not pay for another. */
export interface PayoffSubject {
  readonly modelId: string;
  readonly version: number;
}

/** How long a version took from nothing to ready, per way of starting; kept over restarts of the platform. */
export interface StartTiming {
  readonly mode: "cold" | "restored";
  /** From the request of the start to the moment at which a caller may use it, without the image's pull. */
  readonly ms: number;
  /** ISO 8601. */
  readonly at: string;
  /** Of a restored start: what it was restored from. */
  readonly snapshotId?: string;
  /**
   * Another start was under way meanwhile: the two shared the processors, so it says nothing about one by itself. It
   * counts as a use of the snapshot, not as a measurement.
   */
  readonly isShared?: boolean;
}

/** Whether a version's snapshot is worth its disk: measured on this host, never assumed. */
export type PayoffVerdict =
  /** One of the two ways was not measured yet, or the two are too close for so few measurements. */
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
  /** A start from nothing begins; two at once are not measurements of one. */
  begin(subject: PayoffSubject): StartWatch;
  record(subject: PayoffSubject, timing: StartTiming): void;
  verdict(subject: PayoffSubject): PayoffVerdict;
  /** A new snapshot: restores of an earlier one say nothing about it. */
  captured(subject: PayoffSubject, snapshotId: string): void;
  /** Measures anew, after an operator asked for a snapshot. */
  forget(subject: PayoffSubject): void;
}

/** One start that is under way. */
export interface StartWatch {
  /** With its time when it succeeded and says something about its way; once. */
  end(time?: StartTime): void;
}

/** Without a snapshot's ID a restored start was made to be measured, and saved nobody anything. */
export type StartTime = Pick<StartTiming, "mode" | "ms" | "snapshotId">;

/** What decides, apart from where it is kept. Newest first. */
export interface PayoffTimings {
  readonly cold: readonly Pick<StartTiming, "ms" | "at">[];
  readonly restored: readonly Pick<StartTiming, "ms" | "at">[];
  readonly restores: number;
  readonly savedMs: number;
}

/** Starts of one way that count; the newest. Enough for a median that one odd start does not move. */
export const timingsKept = 5;
/** Fewer restores never switch a snapshot off. */
const restoresToDecide = 3;
/** With fewer than {@link timingsKept} restores they must be slower by this share of a cold start: the rest is noise. */
const marginShare = 0.05;
/**
 * A restore is tried again this long after those that spoke against it, in days: the host's disk, load and memory
 * change. Cold starts do not age, for they go on being measured while restores are off.
 */
const restoresValidDays = 14;
const dayMs = 24 * 60 * 60_000;

/**
 * Medians against each other. A restore that is not faster switches restores off: when three are slower by more than
 * noise, or the median of five is no less than that of the cold starts.
 */
export function judge(timings: PayoffTimings, nowMs: number): PayoffVerdict {
  const coldMs = median(timings.cold.map(({ ms }) => ms));
  const restoredMs = median(timings.restored.map(({ ms }) => ms));
  if (coldMs === undefined || restoredMs === undefined) {
    return {
      verdict: "unknown",
      ...(coldMs === undefined ? {} : { coldMs }),
      ...(restoredMs === undefined ? {} : { restoredMs }),
    };
  }
  if (restoredMs < coldMs) {
    const { restores, savedMs } = timings;
    return { verdict: "pays", coldMs, restoredMs, restores, savedMs };
  }
  const since = nowMs - restoresValidDays * dayMs;
  const valid = timings.restored.filter(({ at }) => Date.parse(at) >= since).length;
  const isClear = restoredMs > coldMs * (1 + marginShare);
  if (valid < (isClear ? restoresToDecide : timingsKept)) {
    return { verdict: "unknown", coldMs, restoredMs };
  }
  const reason = `a restore is not faster here: ${seconds(restoredMs)} against ${seconds(coldMs)} cold`;
  return { verdict: "does-not-pay", coldMs, restoredMs, reason };
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? undefined : (lower + upper) / 2;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}
