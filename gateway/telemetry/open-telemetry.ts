import type { CallRecord, Telemetry } from "./call-record.ts";
import { CallLogs } from "./logs/call-logs.ts";
import { CallMetrics } from "./metrics/call-metrics.ts";
import { HttpMetrics } from "./metrics/http-metrics.ts";
import { collectLogMetrics } from "./metrics/log-metrics.ts";
import { collectProcessMetrics } from "./metrics/process-metrics.ts";
import { Registry } from "./metrics/registry.ts";
import { exportDropReasons, OtlpExporter, type OtlpOptions } from "./otlp/exporter.ts";
import { newTraceId, type ServerAddress } from "./otlp/spans.ts";

export interface TelemetryOptions {
  /** The gateway's data directory. */
  readonly dataDirectory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** Keys that must not stay in a log: the providers'; default: none. */
  readonly secrets?: () => readonly string[];
  /** The collector of spans and metrics; default: none. */
  readonly otlp?: OtlpOptions;
  /** Base URL of a provider, for the spans' server address. */
  readonly baseUrlOf?: (provider: string) => string | undefined;
}

/** Logs, spans and metrics of the calls. */
export interface OpenTelemetry extends Telemetry {
  readonly logs: CallLogs;
  /** For parts of the gateway that tell something of themselves. */
  readonly registry: Registry;
  readonly metrics: { render(): string };
  readonly http: HttpMetrics;
  close(): Promise<void>;
}

/** Opens logs, spans and metrics of the calls. */
export function openTelemetry(options: TelemetryOptions): OpenTelemetry {
  const { dataDirectory, clock, secrets = () => [] } = options;
  const logs = new CallLogs({ dataDirectory, clock, secrets });
  const registry = new Registry();
  const calls = new CallMetrics(registry);
  const http = new HttpMetrics(registry);
  collectLogMetrics(registry, logs);
  const stopWatching = collectProcessMetrics(registry);
  const exporter = openExporter(options, registry);
  return {
    logs,
    registry,
    metrics: registry,
    http,
    record(call: CallRecord) {
      calls.record(call);
      const traceId = exporter === undefined ? undefined : (call.origin?.traceId ?? newTraceId());
      if (traceId !== undefined) exporter?.record(call, traceId);
      logs.record(call, traceId);
    },
    async close() {
      stopWatching();
      await Promise.all([logs.close(), exporter?.close()]);
    },
  };
}

function openExporter(options: TelemetryOptions, registry: Registry): OtlpExporter | undefined {
  const { otlp, clock, baseUrlOf = () => undefined } = options;
  if (otlp === undefined) return undefined;
  const exporter = new OtlpExporter({
    ...otlp,
    clock,
    addressOf: (provider) => readAddress(baseUrlOf(provider)),
  });
  registry.collect({
    name: "byom_spans_sent_total",
    help: "Spans that the collector has taken",
    type: "counter",
    read: () => [{ value: exporter.state.sent }],
  });
  registry.collect({
    name: "byom_spans_dropped_total",
    help: "Spans that did not reach the collector",
    type: "counter",
    read: () =>
      exportDropReasons.map((reason) => ({
        labels: { reason },
        value: exporter.state.drops[reason],
      })),
  });
  registry.collect({
    name: "byom_span_queue_calls",
    help: "Calls whose spans wait for the collector",
    type: "gauge",
    read: () => [{ value: exporter.state.queued }],
  });
  return exporter;
}

function readAddress(baseUrl: string | undefined): ServerAddress | undefined {
  if (baseUrl === undefined || !URL.canParse(baseUrl)) return undefined;
  const { hostname, port, protocol } = new URL(baseUrl);
  return { host: hostname, port: Number(port) || (protocol === "https:" ? 443 : 80) };
}
