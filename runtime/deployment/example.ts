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
  const { origin, dispatcher, timeoutMs } = input;
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const response = await request(`${origin}/predictions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: input.input }),
      dispatcher,
      signal: AbortSignal.any([input.signal, deadline]),
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    });
    const prediction = predictionSchema.parse(await response.body.json());
    if (prediction.status === "succeeded") return prediction.output;
    throw new Error(
      prediction.error ??
        `status ${response.statusCode}: ${JSON.stringify(prediction.detail ?? prediction.status)}`,
    );
  } catch (error) {
    if (deadline.aborted && !input.signal.aborted) {
      throw new Error(`no answer after ${timeoutMs / 1000} s`, { cause: error });
    }
    throw error;
  }
}
