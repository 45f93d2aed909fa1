import { canceledError, GatewayError } from "../errors.ts";
import { recordLogsBytesMax } from "../limits.ts";
import type { Outcome } from "./run.ts";

/** The outcome that a `completed` event tells; `logs` are those that came before. @throws for what is not JSON */
export function completedOutcome(data: Buffer, printed: string): Outcome {
  const answer = JSON.parse(data.toString("utf8")) as {
    readonly status?: string;
    readonly output?: unknown;
    readonly error?: unknown;
    readonly logs?: unknown;
    readonly metrics?: Readonly<Record<string, unknown>>;
  };
  const logs = typeof answer.logs === "string" && answer.logs !== "" ? answer.logs : printed;
  const facts = {
    output: answer.output ?? null,
    logs: logs.slice(-recordLogsBytesMax),
    metrics: answer.metrics ?? {},
  };
  if (answer.status === "succeeded") return { status: "succeeded", ...facts };
  if (answer.status === "canceled") {
    return { status: "canceled", failure: canceledError(), ...facts };
  }
  const message = typeof answer.error === "string" ? answer.error : "The prediction failed.";
  return { status: "failed", failure: new GatewayError("prediction_failed", message), ...facts };
}

/** The failure that an `error` event tells. @throws for what is not JSON */
export function toldFailure(data: Buffer): GatewayError {
  const { error } = JSON.parse(data.toString("utf8")) as { readonly error?: unknown };
  const message = typeof error === "string" ? error : "The model's stream reported an error.";
  return new GatewayError("upstream_failed", message);
}

export function statusOf(failure: GatewayError): "canceled" | "failed" {
  return failure.code === "canceled" ? "canceled" : "failed";
}
