import type { Pool } from "undici";

/** A cancel is answered at once; an instance that does not is cut by the caller anyway. */
const cancelTimeoutMs = 2_000;

/**
 * Asks an instance to cancel a prediction; its own answer then ends with `canceled`.
 * Returns false when the instance does not know it or cannot be asked.
 */
export async function cancelPrediction(options: {
  readonly pool: Pool;
  readonly predictionId: string;
}): Promise<boolean> {
  try {
    const { statusCode, body } = await options.pool.request({
      path: `/predictions/${encodeURIComponent(options.predictionId)}/cancel`,
      method: "POST",
      headersTimeout: cancelTimeoutMs,
      bodyTimeout: cancelTimeoutMs,
    });
    await body.dump();
    return statusCode === 200;
  } catch {
    return false;
  }
}
