import { setTimeout as delay } from "node:timers/promises";

import { request, type Dispatcher } from "undici";
import { z } from "zod";

import type { JsonObject } from "./version.ts";

/** Coglet answers a failed prediction with 200 as well; the status in the body decides. */
const predictionSchema = z.object({
  status: z.string().optional(),
  output: z.unknown().optional(),
  error: z.string().nullish(),
  detail: z.unknown().optional(),
});

/** Runs one prediction on an instance. Rejects, with the model's own words, unless it succeeds. */
export async function runExample(input: {
  readonly origin: string;
  readonly input: JsonObject;
  readonly timeoutMs: number;
  readonly dispatcher: Dispatcher;
  readonly signal: AbortSignal;
}): Promise<unknown> {
  const { timeoutMs } = input;
  const deadline = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([input.signal, deadline]);
  try {
    for (;;) {
      const { statusCode, prediction } = await predict({ ...input, signal });
      if (statusCode === slotBusy) {
        await delay(slotPollMs, undefined, { signal });
        continue;
      }
      if (prediction.status === "succeeded") return prediction.output;
      const detail = JSON.stringify(prediction.detail ?? prediction.status);
      throw new Error(prediction.error ?? `status ${statusCode}: ${detail}`);
    }
  } catch (error) {
    if (deadline.aborted && !input.signal.aborted) {
      throw new Error(`no answer after ${timeoutMs / 1000} s`, { cause: error });
    }
    throw error;
  }
}

/** Coglet answers a prediction a moment before it frees its slot: the next one may find none. */
const slotBusy = 409;
const slotPollMs = 5;

async function predict(input: Parameters<typeof runExample>[0]): Promise<{
  readonly statusCode: number;
  readonly prediction: z.output<typeof predictionSchema>;
}> {
  const { origin, dispatcher, signal, timeoutMs } = input;
  const response = await request(`${origin}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: input.input }),
    dispatcher,
    signal,
    // A connection kept open to a container keeps it from being captured.
    reset: true,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  });
  const prediction = predictionSchema.parse(await response.body.json());
  return { statusCode: response.statusCode, prediction };
}
