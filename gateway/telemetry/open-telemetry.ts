import type { Telemetry } from "./call-record.ts";

export interface TelemetryOptions {
  /** The gateway's data directory. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** Logs, spans and metrics of the calls. */
export function openTelemetry(_options: TelemetryOptions): Telemetry & { close(): Promise<void> } {
  return { record: () => undefined, close: () => Promise.resolve() };
}
