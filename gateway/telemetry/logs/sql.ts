import type { Condition, LogField, Operator, Value } from "./condition.ts";

/** A condition over the table `calls`, with its parameters. */
export interface Where {
  readonly sql: string;
  readonly parameters: readonly (string | number | null)[];
}

const columns: Readonly<Record<LogField, string>> = {
  id: "id",
  requestId: "request_id",
  eventId: "event_id",
  traceId: "trace_id",
  createdAt: "began_at",
  durationMs: "duration_ms",
  firstOutputMs: "first_output_ms",
  requestedModel: "requested_model",
  model: "model",
  task: "task",
  provider: "provider",
  route: "route",
  keyId: "key_id",
  surface: "surface",
  status: "status",
  statusCode: "status_code",
  code: "code",
  isCached: "is_cached",
  isStreamed: "is_streamed",
  nanoUsd: "nano_usd",
  tokensIn: "tokens_in",
  tokensOut: "tokens_out",
  tokens: "(coalesce(tokens_in, 0) + coalesce(tokens_out, 0))",
  feedback: "feedback",
  score: "score",
};

/** The column that a field is ordered by. */
export function columnOf(field: LogField): string {
  return columns[field];
}

/** All conditions together; nothing of what a caller gave is in the text. */
export function renderWhere(conditions: readonly Condition[]): Where {
  const parts = conditions.map(renderCondition);
  return {
    sql: parts.length === 0 ? "1" : parts.map(({ sql }) => `(${sql})`).join(" AND "),
    parameters: parts.flatMap(({ parameters }) => parameters),
  };
}

function renderCondition(condition: Condition): Where {
  if (condition.kind === "text") {
    return {
      sql: "seq IN (SELECT rowid FROM words WHERE words MATCH ?)",
      parameters: [condition.words.map(quoteWord).join(" ")],
    };
  }
  if (condition.kind === "metadata") return renderMetadata(condition);
  const { field, operator, values } = condition;
  const column = columns[field];
  const isNegative = operator === "neq";
  const parts = values.map((value) =>
    renderComparison(column, isNegative ? "eq" : operator, value),
  );
  const any = parts.length === 0 ? "0" : parts.map(({ sql }) => sql).join(" OR ");
  return {
    // A missing value is none of those that are excluded.
    sql: isNegative ? `NOT coalesce(${any}, 0)` : any,
    parameters: parts.flatMap(({ parameters }) => parameters),
  };
}

function renderMetadata(condition: Extract<Condition, { kind: "metadata" }>): Where {
  const { keys, values, operator } = condition;
  const parts = [
    ...(keys.length === 0 ? [] : [`key IN (${keys.map(() => "?").join(", ")})`]),
    ...(values.length === 0
      ? []
      : [
          operator === "contains"
            ? `(${values.map(() => "instr(value, ?) > 0").join(" OR ")})`
            : `value IN (${values.map(() => "?").join(", ")})`,
        ]),
  ];
  const where = parts.length === 0 ? "1" : parts.join(" AND ");
  return {
    sql: `seq ${operator === "neq" ? "NOT IN" : "IN"} (SELECT seq FROM call_metadata WHERE ${where})`,
    parameters: [...keys, ...values],
  };
}

const signs = { lt: "<", gt: ">", gte: ">=", lte: "<=" } as const;

function renderComparison(column: string, operator: Operator, value: Value): Where {
  const parameter = typeof value === "boolean" ? Number(value) : value;
  if (parameter === null) return { sql: `${column} IS NULL`, parameters: [] };
  if (operator === "contains") {
    return { sql: `instr(${column}, ?) > 0`, parameters: [String(parameter)] };
  }
  if (operator === "like") {
    const pattern = String(parameter);
    if (!pattern.endsWith("*")) return { sql: `${column} = ?`, parameters: [pattern] };
    const prefix = pattern.slice(0, -1);
    // The greatest code point comes after whatever begins so.
    return {
      sql: `(${column} >= ? AND ${column} < ?)`,
      parameters: [prefix, `${prefix}\u{10ffff}`],
    };
  }
  if (operator === "eq" || operator === "neq") {
    return { sql: `${column} = ?`, parameters: [parameter] };
  }
  return { sql: `${column} ${signs[operator]} ?`, parameters: [parameter] };
}

/** A word for FTS5, as a prefix; quoted, so that nothing in it is an operator. */
function quoteWord(word: string): string {
  return `"${word.replaceAll('"', '""')}"*`;
}
