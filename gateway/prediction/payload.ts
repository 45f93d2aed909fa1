import type { CallPayload } from "../telemetry/call-record.ts";
import type { Outcome, Run } from "./run.ts";

/**
 * What went in and what came out, for logs. Of a call that passed through in its provider's own shape it is the bytes
 * of both sides; of a long stream only its end may be in memory still.
 */
export function payloadOf(run: Run, outcome: Outcome): CallPayload {
  const { wire, input } = run.request;
  if (wire === undefined) return { input, output: outcome.output };
  const frames: Buffer[] = [];
  for (const { kind, data } of run.log.peek(run.log.firstInMemory) ?? []) {
    if (kind === "restart") frames.length = 0;
    if (kind === "raw") frames.push(data);
  }
  // A leg in another shape gives its output whole.
  const output = frames.length === 0 ? outcome.output : Buffer.concat(frames);
  return { input: wire.body, output };
}
