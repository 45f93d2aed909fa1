import type { LeaseStart } from "./upstream/upstream.ts";
import type { PredictionStatus } from "./prediction/store.ts";
import type { GatewayErrorCode } from "./errors.ts";
import type { BreakerView } from "./route/breaker.ts";
import type { Usage } from "./usage/usage.ts";

/** What the gateway reports while it works; nothing here is needed for its function. */
export type GatewayEvent =
  | {
      readonly type: "request-end";
      readonly requestId: string;
      readonly method: string;
      readonly path: string;
      readonly surface: string;
      readonly status: number;
      readonly durationMs: number;
      readonly keyId?: string;
      readonly error?: { readonly code: GatewayErrorCode; readonly message: string };
      /** Set for `internal`: what was really thrown. */
      readonly cause?: unknown;
    }
  | {
      readonly type: "prediction-start";
      readonly predictionId: string;
      readonly model: string;
      readonly version: number;
      readonly instanceId: string;
      readonly start: LeaseStart;
    }
  | {
      readonly type: "prediction-end";
      readonly predictionId: string;
      readonly model: string;
      readonly status: PredictionStatus;
      readonly durationMs: number;
      readonly error?: string;
      readonly code?: GatewayErrorCode;
      readonly usage?: Usage;
    }
  | {
      readonly type: "prediction-recover";
      readonly predictionId: string;
      readonly model: string;
      readonly action: "run-again" | "mark-failed";
    }
  | {
      readonly type: "webhook-end";
      readonly predictionId: string;
      readonly isDelivered: boolean;
      readonly attempts: number;
      readonly error?: string;
    }
  | {
      readonly type: "budget-threshold";
      readonly budgetId: string;
      /** Values of the budget's partitions. */
      readonly partition: readonly string[];
      /** In per cent. */
      readonly threshold: number;
      readonly limitNanoUsd: number;
      readonly spentNanoUsd: number;
    }
  | {
      readonly type: "budget-alert-end";
      readonly budget: string;
      readonly attempts: number;
      /** Absent: it was delivered. */
      readonly error?: string;
    }
  | { readonly type: "budget-restore-fail"; readonly budget: string; readonly cause: unknown }
  /** An upstream is left alone for a while, tried again, or back. */
  | { readonly type: "breaker-change"; readonly upstream: BreakerView }
  | { readonly type: "webhook-fail"; readonly cause: unknown }
  /** The disk refuses the cache's answers; they are kept in memory. */
  | { readonly type: "cache-fail"; readonly cause: unknown }
  | { readonly type: "store-fail"; readonly predictionId: string; readonly cause: unknown }
  /** The disk refuses the streams' journal; so many streams go on in memory. Told once, until it takes them again. */
  | { readonly type: "journal-fail"; readonly streams: number; readonly cause: unknown }
  /** More streams than `orphanedRunsMax` run for nobody: the oldest is canceled. */
  | { readonly type: "orphan-cancel"; readonly predictionId: string; readonly model: string }
  /** A stream that the platform's end had cut was taken up: it ends after so many events. */
  | { readonly type: "stream-recover"; readonly predictionId: string; readonly events: number }
  /** The journal of legs cannot be written, or not be added up; `lost` counts the lines that were dropped so far. */
  | { readonly type: "ledger-fail"; readonly cause: unknown; readonly lost: number }
  /** All that had waited for the disk is in the journal. */
  | { readonly type: "ledger-catch-up"; readonly lost: number }
  /** Legs that a kill interrupted: what they cost is not known until they are settled. */
  | { readonly type: "ledger-interrupted"; readonly legs: number }
  /** Lines of the journal that were not whole, and ends of legs that had ended; they count nothing. */
  | { readonly type: "ledger-damage"; readonly damaged: number; readonly refused: number }
  /** The ledger has grown beyond its notice size; `DELETE /api/v1/spend?before=…` removes what is old. */
  | { readonly type: "ledger-large"; readonly bytes: number };

export type OnGatewayEvent = (event: GatewayEvent) => void;
