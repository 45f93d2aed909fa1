import { formatTable } from "../output.ts";

/** What a dry run of a route answers. */
export interface TryReport {
  readonly route: string;
  readonly version: number;
  readonly inputBytes: number;
  readonly legs: readonly {
    readonly node: string;
    readonly model: string;
    readonly provider: string;
    readonly upstreamModel: string;
    readonly breaker: string;
    readonly state?: string;
  }[];
  readonly decisions: readonly {
    readonly node: string;
    readonly kind: string;
    readonly way: string;
    readonly by?: unknown;
  }[];
  readonly skipped: readonly { readonly node: string; readonly message: string }[];
  readonly limits: readonly {
    readonly limit: string;
    readonly standings: readonly {
      readonly measure: string;
      readonly limit: number;
      readonly remaining: number;
    }[];
  }[];
  readonly refusal?: { readonly code: string; readonly message: string };
}

/** The models in their order, then what decided it. */
export function formatTry(report: TryReport): string {
  const legs = report.legs.map(({ model, provider, upstreamModel, breaker, state }, index) => [
    `${index + 1}.`,
    model,
    `${upstreamModel} at ${provider}`,
    breaker === "closed" ? (state ?? "") : `left alone (${breaker})`,
  ]);
  const decided = report.decisions
    .filter(({ kind }) => kind !== "model")
    .map(({ node, way, by }) => [node, way, by === undefined ? "" : JSON.stringify(by)]);
  const skipped = report.skipped.map(({ node, message }) => [node, "passed over", message]);
  const limits = report.limits.flatMap(({ limit, standings }) =>
    standings.map(({ measure, remaining, limit: all }) => [
      limit,
      `${Math.floor(remaining)} of ${all} ${measure} left`,
    ]),
  );
  const head = `${report.route}, version ${report.version}, ${report.inputBytes} bytes`;
  const refusal = report.refusal === undefined ? [] : [`refused: ${report.refusal.message}`];
  return [
    head,
    ...refusal,
    ...[legs, [...decided, ...skipped], limits].flatMap((rows) =>
      rows.length === 0 ? [] : [formatTable(rows)],
    ),
  ].join("\n");
}
