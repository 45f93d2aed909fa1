import type { CallRecord, Telemetry } from "./call-record.ts";
import { CallLogs } from "./logs/call-logs.ts";

export interface TelemetryOptions {
  /** The gateway's data directory. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Keys that must not stay in a log: the providers'; default: none. */
  readonly secrets?: () => readonly string[];
}

/** Logs, spans and metrics of the calls. */
export interface OpenTelemetry extends Telemetry {
  readonly logs: CallLogs;
  close(): Promise<void>;
}

/** Opens logs, spans and metrics of the calls. */
export function openTelemetry(options: TelemetryOptions): OpenTelemetry {
  const { dataDirectory, clock, secrets = () => [] } = options;
  const logs = new CallLogs({ dataDirectory, clock, secrets });
  return {
    logs,
    record(call: CallRecord) {
      logs.record(call);
    },
    close: () => logs.close(),
  };
}
