import { seriesMax } from "../limits.ts";

export type Labels = Readonly<Record<string, string>>;

/** One value that changes. */
export interface Cell {
  add(amount: number): void;
  readonly value: number;
}

/** How values are spread over bounds. */
export interface Spread {
  observe(value: number): void;
}

export interface Sample {
  readonly labels?: Labels;
  readonly value: number;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly render: () => readonly string[];
}

/** A metric by its labels, of which there is a bounded number. */
export interface Metric<Series> {
  /** In the order of the metric's label names. */
  with(...values: readonly string[]): Series;
}

/** Metrics in memory, and their text for Prometheus (exposition format 0.0.4). */
export class Registry {
  readonly #families: Family[] = [];
  /** Labels that came after a metric was full. */
  #overflows = 0;

  constructor() {
    this.collect({
      name: "byom_metrics_overflow_total",
      help: "Label sets counted under other because a metric was full",
      type: "counter",
      read: () => [{ value: this.#overflows }],
    });
  }

  counter(name: string, help: string, labelNames: readonly string[]): Metric<Cell> {
    const series = this.#series(labelNames, () => new CountingCell());
    this.#families.push({
      name,
      help,
      type: "counter",
      render: () =>
        series.entries().map(([labels, cell]) => `${name}${labels} ${number(cell.value)}`),
    });
    return series;
  }

  /** `bounds` in rising order, without infinity. */
  histogram(
    name: string,
    help: string,
    options: { readonly labelNames: readonly string[]; readonly bounds: readonly number[] },
  ): Metric<Spread> {
    const { labelNames, bounds } = options;
    const series = this.#series(labelNames, () => new Buckets(bounds));
    this.#families.push({
      name,
      help,
      type: "histogram",
      render: () => series.entries().flatMap(([labels, spread]) => spread.render(name, labels)),
    });
    return series;
  }

  /** Values that are looked up when somebody asks. */
  collect(metric: {
    readonly name: string;
    readonly help: string;
    readonly type: "counter" | "gauge";
    readonly read: () => readonly Sample[];
  }): void {
    const { name, help, type, read } = metric;
    this.#families.push({
      name,
      help,
      type,
      render: () =>
        read()
          .slice(0, seriesMax)
          .map(({ labels = {}, value }) => {
            const text = renderLabels(Object.keys(labels), Object.values(labels));
            return `${name}${text} ${number(value)}`;
          }),
    });
  }

  render(): string {
    const lines = this.#families.flatMap(({ name, help, type, render }) => {
      const samples = render();
      if (samples.length === 0) return [];
      return [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`, ...samples];
    });
    return `${lines.join("\n")}\n`;
  }

  #series<Series>(labelNames: readonly string[], make: () => Series): SeriesMap<Series> {
    return new SeriesMap(labelNames, make, () => {
      this.#overflows += 1;
    });
  }
}

class SeriesMap<Series> implements Metric<Series> {
  readonly #labelNames: readonly string[];
  readonly #make: () => Series;
  readonly #onOverflow: () => void;
  readonly #series = new Map<string, { readonly labels: string; readonly series: Series }>();

  constructor(labelNames: readonly string[], make: () => Series, onOverflow: () => void) {
    this.#labelNames = labelNames;
    this.#make = make;
    this.#onOverflow = onOverflow;
  }

  with(...values: readonly string[]): Series {
    const key = values.join("\0");
    const known = this.#series.get(key);
    if (known !== undefined) return known.series;
    const others = values.map(() => "other");
    if (this.#series.size >= seriesMax - 1 && key !== others.join("\0")) {
      this.#onOverflow();
      return this.with(...others);
    }
    const made = { labels: renderLabels(this.#labelNames, values), series: this.#make() };
    this.#series.set(key, made);
    return made.series;
  }

  entries(): readonly (readonly [labels: string, series: Series])[] {
    return [...this.#series.values()].map(({ labels, series }) => [labels, series]);
  }
}

class CountingCell implements Cell {
  value = 0;

  add(amount: number): void {
    this.value += amount;
  }
}

class Buckets implements Spread {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = bounds.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count += 1;
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at !== -1) this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  render(name: string, labels: string): readonly string[] {
    const others = labels === "" ? "" : `${labels.slice(1, -1)},`;
    let below = 0;
    const buckets = this.#bounds.map((bound, index) => {
      below += this.#counts[index] ?? 0;
      return `${name}_bucket{${others}le="${bound}"} ${below}`;
    });
    return [
      ...buckets,
      `${name}_bucket{${others}le="+Inf"} ${this.#count}`,
      `${name}_sum${labels} ${number(this.#sum)}`,
      `${name}_count${labels} ${this.#count}`,
    ];
  }
}

function renderLabels(names: readonly string[], values: readonly string[]): string {
  if (names.length === 0) return "";
  return `{${names.map((name, index) => `${name}="${escapeValue(values[index] ?? "")}"`).join(",")}}`;
}

/** A label is no place for a document. */
const labelCharactersMax = 200;

function escapeValue(value: string): string {
  return value
    .slice(0, labelCharactersMax)
    .replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"')
    .replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
  return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "+Inf" : "-Inf";
}
