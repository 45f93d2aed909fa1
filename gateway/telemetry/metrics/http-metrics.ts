import type { Cell, Metric, Registry } from "./registry.ts";

/** Counts requests of every kind, those that never become a call among them. */
export class HttpMetrics {
  readonly #requests: Metric<Cell>;
  readonly #inFlight: Metric<Cell>;

  constructor(registry: Registry) {
    this.#requests = registry.counter("byom_http_requests_total", "Requests that were answered", [
      "surface",
      "status",
    ]);
    const inFlight = new Map<string, Cell & { value: number }>();
    this.#inFlight = {
      with(surface = "") {
        const known = inFlight.get(surface);
        if (known !== undefined) return known;
        const cell = {
          value: 0,
          add(amount: number) {
            cell.value += amount;
          },
        };
        inFlight.set(surface, cell);
        return cell;
      },
    };
    registry.collect({
      name: "byom_http_requests_in_flight",
      help: "Requests that are being answered",
      type: "gauge",
      read: () => [...inFlight].map(([surface, { value }]) => ({ labels: { surface }, value })),
    });
  }

  /** A request begins; the result is to be called with the status at its end. */
  begin(surface: string): (status: number) => void {
    const inFlight = this.#inFlight.with(surface);
    inFlight.add(1);
    return (status) => {
      inFlight.add(-1);
      this.#requests.with(surface, String(status)).add(1);
    };
  }
}
