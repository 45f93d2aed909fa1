import type { FoundModel } from "../catalog/find.ts";
import type { Call, Services } from "../http/call.ts";
import { checkInput } from "../prediction/input.ts";
import type { Outcome, Run } from "../prediction/run.ts";
import { startRun, type Input } from "../prediction/start.ts";
import { waitForCaller } from "../prediction/wait.ts";

/** Predictions of one call that run at once: enough to fill an instance, too few to starve other callers. */
const concurrencyMax = 4;

export interface Answered {
  readonly run: Run;
  readonly outcome: Outcome;
}

/**
 * Runs one prediction per input and returns their outcomes in that order. When one fails the others are canceled.
 * @throws `GatewayError`, the first failure
 */
export async function runAll(
  call: Call,
  services: Services,
  options: { readonly model: FoundModel; readonly inputs: readonly Input[] },
): Promise<readonly Answered[]> {
  const { model, inputs } = options;
  // All of them before the first one wakes anything.
  for (const input of inputs) checkInput(model.entry, input);
  const answers: Answered[] = [];
  const running = new Set<Run>();
  let next = 0;
  let hasFailed = false;
  const work = async (): Promise<void> => {
    while (next < inputs.length && !hasFailed) {
      const index = next;
      next += 1;
      const run = startRun(call, services, {
        model,
        input: inputs[index] ?? {},
        isWhole: true,
      });
      running.add(run);
      const outcome = await waitForCaller(run, call.signal);
      running.delete(run);
      if (outcome.failure !== undefined) throw outcome.failure;
      answers[index] = { run, outcome };
    }
  };
  try {
    const workers = Math.min(concurrencyMax, inputs.length);
    await Promise.all(Array.from({ length: workers }, () => work()));
  } catch (error) {
    hasFailed = true;
    for (const run of running) run.cancel();
    throw error;
  }
  return answers;
}
