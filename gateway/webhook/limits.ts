import {
  webhookAttemptMs,
  webhookAttemptsMax,
  webhookIntervalMs,
  webhookRetryDelayMaxMs,
  webhookRetryDelayMs,
  webhooksInFlightMax,
  webhooksPerOriginMax,
} from "../limits.ts";

/** Bounds of deliveries; what each is for stands with the named limits. */
export interface WebhookLimits {
  readonly attemptMs: number;
  readonly attemptsMax: number;
  readonly retryDelayMs: number;
  readonly retryDelayMaxMs: number;
  readonly intervalMs: number;
  readonly perOriginMax: number;
  readonly inFlightMax: number;
}

export const webhookLimits: WebhookLimits = {
  attemptMs: webhookAttemptMs,
  attemptsMax: webhookAttemptsMax,
  retryDelayMs: webhookRetryDelayMs,
  retryDelayMaxMs: webhookRetryDelayMaxMs,
  intervalMs: webhookIntervalMs,
  perOriginMax: webhooksPerOriginMax,
  inFlightMax: webhooksInFlightMax,
};
