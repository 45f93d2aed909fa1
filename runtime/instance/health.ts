import { request, type Dispatcher } from "undici";

/** What coglet's `GET /health-check` says; `UNREACHABLE` when nothing answers there. */
export interface Health {
  readonly status:
    | "UNREACHABLE"
    | "UNKNOWN"
    | "STARTING"
    | "READY"
    | "BUSY"
    | "SETUP_FAILED"
    | "DEFUNCT"
    | "UNHEALTHY";
  /** Output of setup(), when coglet has it. */
  readonly setupLogs?: string;
  /** What the model's own healthcheck() complained about. */
  readonly message?: string;
}

/** A user's healthcheck() may take 10 s (coglet's own bound); without one the answer comes at once. */
const healthTimeoutMs = 12_000;

const statuses: readonly string[] = [
  "UNKNOWN",
  "STARTING",
  "READY",
  "BUSY",
  "SETUP_FAILED",
  "DEFUNCT",
  "UNHEALTHY",
];

/** Asks an instance how it is. Rejects only with the signal's reason: whatever else goes wrong is `UNREACHABLE`. */
export async function readHealth(
  origin: string,
  options: { dispatcher: Dispatcher; signal: AbortSignal },
): Promise<Health> {
  const { dispatcher, signal } = options;
  try {
    const response = await request(`${origin}/health-check`, {
      dispatcher,
      // A connection kept open to a container keeps it from being captured.
      reset: true,
      signal: AbortSignal.any([signal, AbortSignal.timeout(healthTimeoutMs)]),
    });
    return parseHealth(await response.body.json());
  } catch (error) {
    signal.throwIfAborted();
    return { status: "UNREACHABLE", message: error instanceof Error ? error.message : "" };
  }
}

/** It can take predictions, now or as soon as a slot is free. */
export function isServing(health: Health): boolean {
  return health.status === "READY" || health.status === "BUSY";
}

function parseHealth(body: unknown): Health {
  if (typeof body !== "object" || body === null) return { status: "UNKNOWN" };
  const { status, setup, user_healthcheck_error: message } = body as Record<string, unknown>;
  const logs = (setup as { logs?: unknown } | null | undefined)?.logs;
  return {
    status:
      typeof status === "string" && statuses.includes(status)
        ? (status as Health["status"])
        : "UNKNOWN",
    ...(typeof logs === "string" ? { setupLogs: logs } : {}),
    ...(typeof message === "string" ? { message } : {}),
  };
}
