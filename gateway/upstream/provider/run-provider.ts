import { setTimeout as delay } from "node:timers/promises";

import { GatewayError } from "../../errors.ts";
import type { Deadlines } from "../../limits.ts";
import type { LegRun } from "../../prediction/leg-run.ts";
import type { Pools } from "../pools.ts";
import type { FetchFile } from "./fetch-file.ts";
import { createProviderHttp } from "./http.ts";
import type { Provider } from "./providers.ts";

/**
 * Runs a prediction on a third party: what its adapter emits goes into the run's log as the events of a Cog model, so
 * that every surface, a reconnect and a webhook read both alike.
 */
export async function runOnProvider(options: {
  readonly leg: LegRun;
  readonly provider: Provider;
  /** As the provider names it. */
  readonly model: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly pools: Pools;
  readonly deadlines: Deadlines;
  readonly fetchFile: FetchFile;
}): Promise<void> {
  const { leg, provider, model, input, pools, deadlines, fetchFile } = options;
  const { entry } = leg.candidate;
  const key = leg.run.request.providerKey ?? provider.key;
  const legId = leg.leg.begin.id;
  const canceled = new AbortController();
  const total = AbortSignal.timeout(deadlines.totalMs);
  const signal = AbortSignal.any([leg.signal, canceled.signal, total]);
  const startedAt = performance.now();
  leg.markSent(() => canceled.abort(new GatewayError("canceled", "The prediction was canceled.")));
  let index = 0;
  try {
    const result = await provider.adapter.run({
      model,
      task: entry.task,
      requestFormats: entry.requestFormats,
      input,
      isStreaming: entry.isStreaming,
      http: createProviderHttp({
        provider,
        key,
        pools,
        deadlines,
        signal,
        fetchFile,
        legId,
        connectMs: leg.policy.deadlines.connectMs,
      }),
      emit: (chunk) => {
        leg.take("output", json({ chunk, index }));
        index += 1;
      },
      log: (line) => leg.take("log", json({ data: `${line}\n` })),
      pause: (ms) => delay(ms, undefined, { signal }),
      signal,
    });
    if (index === 0) leg.take("output", json({ chunk: result.output, index }));
    const seconds = (performance.now() - startedAt) / 1000;
    const metrics = { predict_time: seconds, ...result.metrics };
    leg.take("completed", json({ status: "succeeded", output: result.output, metrics }));
  } catch (error) {
    if (canceled.signal.aborted) throw canceled.signal.reason;
    if (total.aborted) {
      const text = `${provider.name} took longer than ${deadlines.totalMs} ms.`;
      throw new GatewayError("upstream_timeout", text, { cause: error });
    }
    throw error;
  }
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
