/** One sample of a metric. */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: readonly Sample[];
}

const namePattern = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;
const samplePattern =
  /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|NaN|[+-]Inf)$/;
const labelPattern = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|$)/gy;

/** A strict reader of Prometheus' text format 0.0.4; throws at whatever the format does not allow. */
export function parseMetrics(text: string): ReadonlyMap<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end");
  const families = new Map<string, { type: string; help: string; samples: Sample[] }>();
  let current: { name: string; type: string; help: string; samples: Sample[] } | undefined;
  let help: { name: string; text: string } | undefined;
  for (const line of text.slice(0, -1).split("\n")) {
    const [, kind, name = "", rest = ""] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? [];
    if (kind === "HELP") {
      help = { name, text: rest };
    } else if (kind === "TYPE") {
      if (!namePattern.test(name)) throw new Error(`bad name: ${line}`);
      if (families.has(name)) throw new Error(`twice: ${name}`);
      if (help?.name !== name) throw new Error(`no help: ${name}`);
      current = { name, type: rest, help: help.text, samples: [] };
      families.set(name, current);
    } else {
      if (current === undefined) throw new Error(`a sample of nothing: ${line}`);
      current.samples.push(parseSample(line, current));
    }
  }
  for (const [name, family] of families) checkFamily(name, family);
  return families;
}

function parseSample(line: string, { name: family, type }: { name: string; type: string }): Sample {
  const [, name = "", labelText = "", value = ""] = samplePattern.exec(line) ?? [];
  const suffixes = type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
  if (!suffixes.some((suffix) => name === family + suffix))
    throw new Error(`not of ${family}: ${line}`);
  const labels: Record<string, string> = {};
  let end = 0;
  for (const match of labelText.matchAll(labelPattern)) {
    const [whole, label = "", text = ""] = match;
    if (label in labels) throw new Error(`label twice: ${line}`);
    labels[label] = text.replaceAll(/\\(.)/g, (_, one: string) => (one === "n" ? "\n" : one));
    end = match.index + whole.length;
  }
  if (end !== labelText.length) throw new Error(`bad labels: ${line}`);
  return { name, labels, value: value.endsWith("Inf") ? Infinity : Number(value) };
}

function checkFamily(name: string, { type, samples }: Family): void {
  if (!["counter", "gauge", "histogram"].includes(type)) throw new Error(`bad type of ${name}`);
  if (type === "counter" && !name.endsWith("_total"))
    throw new Error(`counter without _total: ${name}`);
  const keys = samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
  if (new Set(keys).size !== keys.length) throw new Error(`a series twice in ${name}`);
  if (type !== "histogram") return;
  const counts = samples.filter((sample) => sample.name === `${name}_count`);
  for (const { labels, value } of counts) {
    const buckets = samples.filter(
      (sample) =>
        sample.name === `${name}_bucket` &&
        Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
    );
    const values = buckets.map((bucket) => bucket.value);
    if (values.some((one, index) => one < (values[index - 1] ?? 0)))
      throw new Error(`falls: ${name}`);
    const last = buckets.at(-1);
    if (last?.labels["le"] !== "+Inf" || last.value !== value) throw new Error(`no +Inf: ${name}`);
  }
}
