import { dropReasons, type CallLogs } from "../logs/call-logs.ts";
import type { Registry } from "./registry.ts";

/** How the log does: what waits, what was lost, how large it is. */
export function collectLogMetrics(registry: Registry, logs: CallLogs): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    registry.collect({ name, help, type: "gauge", read: () => [{ value: read() }] });
  };
  gauge(
    "byom_log_queue_entries",
    "Entries that wait to be written",
    () => logs.state.queuedEntries,
  );
  gauge("byom_log_queue_bytes", "The same in bytes", () => logs.state.queuedBytes);
  gauge("byom_log_entries", "Entries in the log, as last counted", () => logs.state.entries);
  gauge("byom_log_bytes", "Size of the log, as last measured", () => logs.state.usedBytes);
  gauge("byom_log_tail_readers", "Readers of the live tail", () => logs.tail.readers);
  const counter = (name: string, help: string, read: () => number): void => {
    registry.collect({ name, help, type: "counter", read: () => [{ value: read() }] });
  };
  counter("byom_log_written_total", "Entries that were written", () => logs.state.written);
  counter(
    "byom_log_redaction_timeouts_total",
    "Texts that were left out because an expression took too long",
    () => logs.state.redactionTimeouts,
  );
  counter(
    "byom_log_tail_missed_total",
    "Entries that slow readers of the tail did not get",
    () => logs.tail.missed,
  );
  registry.collect({
    name: "byom_log_dropped_total",
    help: "Entries, or payloads, that did not come into the log",
    type: "counter",
    read: () => {
      const { drops } = logs.state;
      return dropReasons.map((reason) => ({ labels: { reason }, value: drops[reason] }));
    },
  });
}
