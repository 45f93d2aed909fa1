/** An entry of `GET /api/v1/catalog/models` as far as the commands print it. */
export interface ModelLine {
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly task: string;
  readonly origin: string;
  readonly aliases: readonly string[];
  readonly version: number;
  readonly hardware: string;
  readonly requestFormats: readonly string[];
  readonly contextLength?: number;
  readonly maxOutputTokens?: number;
  readonly capabilities?: readonly string[];
  readonly prices?: readonly PriceLine[];
  readonly upstreams: readonly {
    readonly kind: string;
    readonly provider?: string;
    readonly model: string;
    readonly isConfigured: boolean;
  }[];
  readonly isCallable: boolean;
  readonly health?: { readonly state: string };
  readonly starts: Readonly<
    Record<string, { readonly count: number; readonly medianMs: number; readonly lastMs: number }>
  >;
  readonly facts?: { readonly source: string; readonly asOf: string };
}

export interface PriceLine {
  readonly unit: string;
  readonly per: number;
  readonly usd: string;
  readonly source?: string;
  readonly asOf?: string;
}

/** One line of `byom models list`: id, who serves it and how it stands, task, price. */
export function modelRow(model: ModelLine): readonly string[] {
  return [model.id, standing(model), model.task, formatPrices(model.prices ?? [])];
}

function standing({ origin, version, health, isCallable, upstreams }: ModelLine): string {
  if (origin === "own") return [`v${version}`, health?.state ?? ""].join(" ").trim();
  const [first] = upstreams;
  return `${first?.provider ?? ""}${isCallable ? "" : " (needs a key)"}`;
}

/** `$0.15 / $0.60 per M tokens`, `$0.04 per image`; nothing when there is none. */
export function formatPrices(prices: readonly PriceLine[]): string {
  const tokens = ["input-token", "output-token"].flatMap(
    (unit) => prices.find((price) => price.unit === unit) ?? [],
  );
  const [input, output] = tokens;
  const inMillions = tokens.length === 2 && tokens.every(({ per }) => per === 1_000_000);
  const pair =
    inMillions && input !== undefined && output !== undefined
      ? [`$${input.usd} / $${output.usd} per M tokens`]
      : tokens.map(formatPrice);
  const others = prices.filter(({ unit }) => !unit.endsWith("token")).map(formatPrice);
  return [...pair, ...others].join(", ");
}

export function formatPrice({ unit, per, usd }: PriceLine): string {
  const amounts: Readonly<Record<number, string>> = { 1: "", 1_000: "1k ", 1_000_000: "M " };
  const plural = per === 1 ? "" : "s";
  return `$${usd} per ${amounts[per] ?? `${per} `}${unit.replaceAll("-", " ")}${plural}`;
}

/** `byom models show`. */
export function describeModel(model: ModelLine): readonly (readonly [string, string])[] {
  const starts = Object.entries(model.starts).map(
    ([mode, { medianMs, count }]) => `${mode} ${medianMs} ms (median of ${count})`,
  );
  const upstreams = model.upstreams.map(
    ({ provider = "this platform", model: name, isConfigured }) =>
      `${provider}: ${name}${isConfigured ? "" : " (needs a key)"}`,
  );
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["id", model.id],
    ["name", model.name],
    ["description", model.description],
    ["task", model.task],
    ["from", model.origin],
    ["also", model.aliases.join(", ")],
    ["version", model.origin === "own" ? `v${model.version} on ${model.hardware}` : undefined],
    ["state", model.health?.state],
    ["starts", starts.join(", ")],
    ["served by", upstreams.join("; then ")],
    ["calls", model.requestFormats.join(", ")],
    ["can", (model.capabilities ?? []).join(", ")],
    ["context", tokens(model.contextLength)],
    ["output at most", tokens(model.maxOutputTokens)],
    ["price", (model.prices ?? []).map(formatPrice).join(", ")],
    ["as of", model.facts && `${model.facts.asOf} (${model.facts.source})`],
  ];
  return rows.flatMap(([label, value]) =>
    value === undefined || value === "" ? [] : [[label, value] as const],
  );
}

function tokens(count: number | undefined): string | undefined {
  return count === undefined ? undefined : `${count} tokens`;
}
