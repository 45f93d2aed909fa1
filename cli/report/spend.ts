import { formatTable } from "../output.ts";

/** As `GET /api/v1/spend` gives them. */
export interface SpendSums {
  readonly legs: number;
  readonly nanoUsd: string;
  readonly callersNanoUsd: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly images: number;
  readonly videos: number;
  readonly characters: number;
  readonly megapixels: number;
  readonly seconds: number;
  readonly audioSeconds: number;
  readonly videoSeconds: number;
  readonly gpuSeconds: number;
  readonly instanceSeconds: number;
  readonly coldStartSeconds: number;
  readonly failedLegs: number;
  readonly interruptedLegs: number;
  readonly estimatedLegs: number;
  readonly unpricedLegs: number;
}

export interface SpendReport {
  readonly by: readonly string[];
  readonly rows: readonly (SpendSums & Readonly<Record<string, unknown>>)[];
  readonly total: SpendSums;
  readonly groups: number;
  readonly openLegs: number;
}

/** Shown where it is not 0 throughout. */
const units = [
  ["input tokens", "inputTokens"],
  ["output tokens", "outputTokens"],
  ["images", "images"],
  ["videos", "videos"],
  ["characters", "characters"],
  ["megapixels", "megapixels"],
  ["seconds", "seconds"],
  ["audio s", "audioSeconds"],
  ["video s", "videoSeconds"],
  ["GPU s", "gpuSeconds"],
  ["instance s", "instanceSeconds"],
  ["cold start s", "coldStartSeconds"],
] as const;

const nanoDecimals = 9;
/** A hundredth of a cent: what people compare. */
const shownDecimals = 4;

/** Dollars with so many digits after the point, rounded half up, so that a column of them is aligned. */
export function formatDollars(nanoUsd: string, decimals: number = shownDecimals): string {
  const unit = 10n ** BigInt(nanoDecimals - decimals);
  const rounded = (BigInt(nanoUsd) + unit / 2n) / unit;
  if (rounded === 0n && BigInt(nanoUsd) > 0n) return `<${formatDollars(String(unit), decimals)}`;
  const digits = String(rounded).padStart(decimals + 1, "0");
  return `$${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`;
}

/** A table with a line for each row, and the total below. */
export function renderSpend(
  report: SpendReport,
  options: { readonly isExact: boolean; readonly nameOf?: (key: string) => string | undefined },
): string {
  const { by, rows, total } = report;
  const decimals = options.isExact ? nanoDecimals : shownDecimals;
  const shown = units.filter(([, name]) => total[name] > 0);
  const numbers = (sums: SpendSums): string[] => [
    formatDollars(sums.nanoUsd, decimals),
    String(sums.legs),
    ...shown.map(([, name]) => formatNumber(sums[name])),
  ];
  const names = (row: SpendReport["rows"][number]): string[] =>
    by.map((dimension) => nameOf(row[dimension], dimension, options.nameOf));
  const totalNames = by.map((_, index) => (index === 0 ? "total" : ""));
  const lines = [
    [...by, "spent", "legs", ...shown.map(([title]) => title), ""],
    ...rows.map((row) => [...names(row), ...numbers(row), marksOf(row)]),
    [...(by.length === 0 ? ["total"] : totalNames), ...numbers(total), marksOf(total)],
  ];
  if (by.length === 0) lines[0]?.unshift("");
  const table = formatTable(alignRight(lines, Math.max(1, by.length)));
  return [table, ...remarksOf(report, decimals)].join("\n");
}

function nameOf(
  value: unknown,
  dimension: string,
  keyName: ((key: string) => string | undefined) | undefined,
): string {
  if (typeof value !== "string" || value === "") return "(none)";
  const name = dimension === "key" ? keyName?.(value) : undefined;
  return name === undefined ? value : `${name} (${value})`;
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

/** What keeps a sum from being the whole truth. */
function marksOf({ interruptedLegs, estimatedLegs, unpricedLegs }: SpendSums): string {
  // An interrupted leg has no price either.
  const unpriced = unpricedLegs - interruptedLegs;
  return [
    ...(interruptedLegs > 0 ? [`${interruptedLegs} interrupted`] : []),
    ...(estimatedLegs > 0 ? [`${estimatedLegs} estimated`] : []),
    ...(unpriced > 0 ? [`${unpriced} without a price`] : []),
  ].join(", ");
}

function remarksOf({ rows, total, groups, openLegs }: SpendReport, decimals: number): string[] {
  const remarks = [];
  if (groups > rows.length) {
    remarks.push(`${rows.length} of ${groups} are shown; --limit N shows more`);
  }
  if (total.interruptedLegs > 0) {
    remarks.push(
      `${total.interruptedLegs} legs were interrupted by a kill: what they cost is not known; \`byom spend --legs --where state=interrupted\` lists them, \`byom spend settle FILE\` says what they cost`,
    );
  }
  if (total.callersNanoUsd !== "0") {
    remarks.push(
      `callers paid ${formatDollars(total.callersNanoUsd, decimals)} more with provider keys of their own`,
    );
  }
  if (openLegs > 0) remarks.push(`${openLegs} legs still run and are not counted yet`);
  return remarks.length === 0 ? [] : ["", ...remarks];
}

/** All columns but the first ones and the last are numbers. */
function alignRight(lines: readonly (readonly string[])[], names: number): string[][] {
  const widths: number[] = [];
  for (const line of lines) {
    line.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  }
  return lines.map((line) =>
    line.map((cell, column) =>
      column < names || column === line.length - 1 ? cell : cell.padStart(widths[column] ?? 0),
    ),
  );
}

/** As `GET /api/v1/spend/legs` gives them. */
export interface LegsReport {
  readonly legs: readonly {
    readonly leg: string;
    readonly beganAt: string;
    readonly model: string;
    readonly provider: string;
    readonly state: string;
    readonly nanoUsd: string;
    readonly inputTokens: number;
    readonly outputTokens: number;
    readonly isEstimated: boolean;
    readonly isPriced: boolean;
    readonly isRetry: boolean;
    readonly isCallersKey: boolean;
    readonly code?: string;
  }[];
  readonly next?: number;
}

/** One leg a line, the one that ended last first. */
export function renderLegs(
  { legs, next }: LegsReport,
  { isExact }: { readonly isExact: boolean },
): string {
  const rows = legs.map((leg) => [
    `${leg.beganAt.slice(0, 19)}Z`,
    leg.leg,
    leg.model,
    leg.provider,
    leg.code === undefined ? leg.state : `${leg.state}: ${leg.code}`,
    leg.state === "interrupted"
      ? "unknown"
      : formatDollars(leg.nanoUsd, isExact ? nanoDecimals : shownDecimals),
    `${leg.inputTokens}+${leg.outputTokens}`,
    [
      ...(leg.isRetry ? ["again"] : []),
      ...(leg.isEstimated ? ["estimated"] : []),
      ...(leg.isPriced || leg.state === "interrupted" ? [] : ["without a price"]),
      ...(leg.isCallersKey ? ["caller's key"] : []),
    ].join(", "),
  ]);
  const lines = [["began", "leg", "model", "provider", "state", "spent", "tokens", ""], ...rows];
  const more = next === undefined ? [] : ["", `older ones: --before ${next}`];
  return [formatTable(lines), ...more].join("\n");
}
