import { setTimeout as delay } from "node:timers/promises";

import { request } from "undici";
import { z } from "zod";

import { SnapshotError } from "../errors.ts";
import { predict } from "../instance/predict.ts";
import { answersAgree } from "./answers.ts";
import type { WarmUp } from "./snapshot.ts";

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
  const first = await runOnce(address, input, signal);
  const second = await runOnce(address, input, signal);
  const isDeterministic =
    answersAgree(first, second) && JSON.stringify(first ?? null).length <= outputLengthMax;
  return isDeterministic ? { input, output: first } : { input };
}

/** Replays the example. @throws SnapshotError when it fails or answers something else than before the capture. */
export async function replayWarmUp(
  address: string,
  warmUp: WarmUp,
  signal: AbortSignal,
): Promise<void> {
  const output = await runOnce(address, warmUp.input, signal);
  if (!("output" in warmUp) || answersAgree(output, warmUp.output)) return;
  throw new SnapshotError(
    "snapshot_warm_up_failed",
    "the restored instance answers the example differently than before the capture",
    { hint: "if the model's answers vary from day to day, give byom.yaml another example" },
  );
}

/** One prediction, and nothing of it left in the instance: neither an open connection nor a taken slot. */
async function runOnce(
  address: string,
  input: WarmUp["input"],
  signal: AbortSignal,
): Promise<unknown> {
  try {
    return await predict({ origin: `http://${address}`, input, signal });
  } catch (error) {
    signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new SnapshotError("snapshot_warm_up_failed", `the example fails: ${reason}`);
  } finally {
    await waitUntilIdle(address, signal);
  }
}

/** coglet answers a moment before it frees the slot: a dump in between would hold it forever. */
export async function waitUntilIdle(address: string, signal: AbortSignal): Promise<void> {
  while (true) {
    const response = await request(`http://${address}/health-check`, { reset: true, signal });
    const health = healthSchema.safeParse(await response.body.json().catch(() => undefined));
    if (health.data?.status !== "BUSY") return;
    await delay(idlePollMs, undefined, { signal });
  }
}

const healthSchema = z.object({ status: z.string() });
const idlePollMs = 2;
