import { monitorEventLoopDelay, type IntervalHistogram } from "node:perf_hooks";

import type { Registry } from "./registry.ts";

/** How often the event loop is looked at once somebody reads the metrics. */
const lagResolutionMs = 50;
const nsPerSecond = 1e9;

/** What the process takes, under the names that Prometheus' own clients use. Returns what stops the watching. */
export function collectProcessMetrics(registry: Registry): () => void {
  let lag: IntervalHistogram | undefined;
  registry.collect({
    name: "process_resident_memory_bytes",
    help: "Memory of the process",
    type: "gauge",
    read: () => [{ value: process.memoryUsage.rss() }],
  });
  registry.collect({
    name: "nodejs_heap_size_used_bytes",
    help: "Memory of JavaScript values",
    type: "gauge",
    read: () => [{ value: process.memoryUsage().heapUsed }],
  });
  registry.collect({
    name: "process_cpu_seconds_total",
    help: "User and system time",
    type: "counter",
    read: () => {
      const { user, system } = process.cpuUsage();
      return [{ value: (user + system) / 1e6 }];
    },
  });
  registry.collect({
    name: "nodejs_eventloop_lag_seconds",
    help: "How late timers are, since the metrics were read before",
    type: "gauge",
    read: () => {
      if (lag === undefined) {
        lag = monitorEventLoopDelay({ resolution: lagResolutionMs });
        lag.enable();
        return [];
      }
      const current = lag;
      const samples = [50, 99, 100].map((percentile) => ({
        labels: { quantile: String(percentile / 100) },
        value: lateness(current.percentile(percentile)),
      }));
      lag.reset();
      return samples;
    },
  });
  return () => lag?.disable();
}

/** The histogram counts the interval itself. */
function lateness(ns: number): number {
  return Math.max(0, ns / nsPerSecond - lagResolutionMs / 1_000);
}
