import type { Dispatcher } from "undici";

import type { Clock } from "../clock.ts";
import type { ContainerState, Engine } from "../engine/engine.ts";
import { isServing, readHealth, type Health } from "./health.ts";

/** A model without heavy imports is ready 400 ms after its start: a coarse poll would be felt. */
const pollMs = 4;
/** After this long a few milliseconds do not matter any more, but the host's cores do. */
const eagerPollingMs = 3000;
const patientPollMs = 50;
/** An exit is noticed this fast without an Engine call per poll. */
const inspectEveryMs = 250;

/** How the wait for READY ended. `timeout` and aborts are the caller's signal. */
export type Readiness =
  | { readonly isReady: true; readonly origin: string }
  | {
      readonly isReady: false;
      readonly reason: string;
      readonly setupLogs?: string;
    };

/** Polls a started container until it serves, fails, or is gone. Rejects with the signal's reason. */
export async function waitUntilReady(input: {
  readonly engine: Engine;
  readonly containerId: string;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}): Promise<Readiness> {
  const { engine, containerId, dispatcher, clock, signal } = input;
  const startedAt = clock.monotonicMs();
  let state: ContainerState | undefined;
  let inspectedAt = Number.NEGATIVE_INFINITY;
  while (true) {
    signal.throwIfAborted();
    const now = clock.monotonicMs();
    if (state?.address === undefined || now - inspectedAt >= inspectEveryMs) {
      state = await engine.inspect(containerId, { signal });
      inspectedAt = now;
      const end = endOf(state);
      if (end !== undefined) return { isReady: false, reason: end };
    }
    if (state?.address !== undefined) {
      const origin = `http://${state.address}`;
      const health = await readHealth(origin, { dispatcher, signal });
      if (isServing(health)) return { isReady: true, origin };
      const failure = failureOf(health);
      if (failure !== undefined) {
        const { setupLogs } = health;
        return {
          isReady: false,
          reason: failure,
          ...(setupLogs === undefined ? {} : { setupLogs }),
        };
      }
    }
    await clock.delay(now - startedAt < eagerPollingMs ? pollMs : patientPollMs, signal);
  }
}

function endOf(state: ContainerState | undefined): string | undefined {
  if (state === undefined) return "its container is gone";
  if (state.status === "exited" || state.status === "dead") {
    return `its container exited with code ${state.exitCode ?? "unknown"}`;
  }
  return undefined;
}

/** A started coglet never comes back from these by itself. */
function failureOf(health: Health): string | undefined {
  const detail = health.message === undefined ? "" : `: ${health.message}`;
  switch (health.status) {
    case "SETUP_FAILED":
      return `setup() failed${describeSetup(health.setupLogs)}`;
    case "DEFUNCT":
      return `its worker is defunct${detail}`;
    case "UNHEALTHY":
      return `it reports itself unhealthy${detail}`;
    default:
      return undefined;
  }
}

/** coglet reports a failed setup() as the exception, behind each of its layers' prefixes; the last line says it all. */
function describeSetup(setupLogs: string | undefined): string {
  const line = setupLogs?.trimEnd().split("\n").at(-1) ?? "";
  const reason = line.replace(/^.*setup failed: /i, "").slice(0, setupReasonMax);
  return reason === "" ? "" : `: ${reason}`;
}

/** Characters of an exception's text that fit into a message; the log lines have the rest. */
const setupReasonMax = 300;
