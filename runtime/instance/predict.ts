import { setTimeout as delay } from "node:timers/promises";

import { request, type Dispatcher } from "undici";
import { z } from "zod";

import type { JsonObject } from "../deployment/version.ts";

/** Coglet answers a failed prediction with 200 as well; the status in the body decides. */
const predictionSchema = z.object({
  status: z.string().optional(),
  output: z.unknown().optional(),
  error: z.string().nullish(),
  detail: z.unknown().optional(),
});

export interface PredictInput {
  /** Such as `http://172.17.0.3:5000`. */
  readonly origin: string;
  readonly input: JsonObject;
  /** Default: as long as the signal allows. */
  readonly timeoutMs?: number;
  /** Default: undici's own. */
  readonly dispatcher?: Dispatcher;
  readonly signal: AbortSignal;
}

/**
 * Runs one prediction on an instance that nobody else calls yet, and waits for its slot when the one before it still
 * holds it. Rejects, with the model's own words, unless it succeeds.
 */
export async function predict(input: PredictInput): Promise<unknown> {
  const { timeoutMs } = input;
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = deadline === undefined ? input.signal : AbortSignal.any([input.signal, deadline]);
  try {
    for (;;) {
      const { statusCode, prediction } = await predictOnce({ ...input, signal });
      if (statusCode === slotBusy) {
        await delay(slotPollMs, undefined, { signal });
        continue;
      }
      if (prediction.status === "succeeded") return prediction.output;
      const detail = JSON.stringify(prediction.detail ?? prediction.status ?? "no prediction");
      throw new Error(prediction.error ?? `HTTP ${statusCode}: ${detail}`);
    }
  } catch (error) {
    if (deadline?.aborted === true && !input.signal.aborted) {
      throw new Error(`no answer after ${(timeoutMs ?? 0) / 1000} s`, { cause: error });
    }
    throw error;
  }
}

/** Coglet answers a prediction a moment before it frees its slot: the next one may find none. */
const slotBusy = 409;
const slotPollMs = 5;

async function predictOnce(input: PredictInput): Promise<{
  readonly statusCode: number;
  readonly prediction: z.output<typeof predictionSchema>;
}> {
  const { origin, dispatcher, signal, timeoutMs = 0 } = input;
  const response = await request(`${origin}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: input.input }),
    ...(dispatcher === undefined ? {} : { dispatcher }),
    signal,
    // A connection kept open to a container keeps it from being captured.
    reset: true,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const answer = predictionSchema.safeParse(await response.body.json().catch(() => undefined));
  return { statusCode: response.statusCode, prediction: answer.data ?? {} };
}
