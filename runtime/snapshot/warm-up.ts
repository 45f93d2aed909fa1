import { setTimeout as delay } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import { request } from "undici";
import { z } from "zod";

import { SnapshotError } from "../errors.ts";
import type { WarmUp } from "./snapshot.ts";

const predictionSchema = z.object({
  status: z.string(),
  output: z.unknown().optional(),
  error: z.string().nullish(),
});

/** A snapshot of an answer larger than this would be mostly answer; then only success is compared. */
const outputLengthMax = 1 << 20;

/**
 * Runs the example twice and remembers the answer when both agreed: then a restored instance must give it too.
 * @throws SnapshotError `snapshot_warm_up_failed`
 */
export async function recordWarmUp(
  address: string,
  input: WarmUp["input"],
  signal: AbortSignal,
): Promise<WarmUp> {
  const first = await predict(address, input, signal);
  const second = await predict(address, input, signal);
  const isDeterministic =
    isDeepStrictEqual(first, second) && JSON.stringify(first ?? null).length <= outputLengthMax;
  return isDeterministic ? { input, output: first } : { input };
}

/** Replays the example. @throws SnapshotError when it fails or answers something else than before the capture. */
export async function replayWarmUp(
  address: string,
  warmUp: WarmUp,
  signal: AbortSignal,
): Promise<void> {
  const output = await predict(address, warmUp.input, signal);
  if (!("output" in warmUp) || isDeepStrictEqual(output, warmUp.output)) return;
  throw new SnapshotError(
    "snapshot_warm_up_failed",
    "the restored instance answers the example differently than before the capture",
    { hint: "if the model's answers vary from day to day, give byom.yaml another example" },
  );
}

/** One prediction on a connection of its own: a connection that is kept alive would be in the dump. */
async function predict(
  address: string,
  input: WarmUp["input"],
  signal: AbortSignal,
): Promise<unknown> {
  const response = await request(`http://${address}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input }),
    reset: true,
    headersTimeout: 0,
    bodyTimeout: 0,
    signal,
  });
  const answer = predictionSchema.safeParse(await response.body.json().catch(() => undefined));
  await waitUntilIdle(address, signal);
  if (answer.data?.status === "succeeded") return answer.data.output;
  const reason = answer.data?.error ?? `HTTP ${response.statusCode}`;
  throw new SnapshotError("snapshot_warm_up_failed", `the example fails: ${reason}`);
}

/** coglet answers a moment before it frees the slot: the next prediction would be refused for lack of one. */
async function waitUntilIdle(address: string, signal: AbortSignal): Promise<void> {
  while (true) {
    const response = await request(`http://${address}/health-check`, { reset: true, signal });
    const health = healthSchema.safeParse(await response.body.json().catch(() => undefined));
    if (health.data?.status !== "BUSY") return;
    await delay(idlePollMs, undefined, { signal });
  }
}

const healthSchema = z.object({ status: z.string() });
const idlePollMs = 2;
