/** OTLP's JSON as its protocol buffers give it: opentelemetry-proto 1.9, `trace.proto`, `metrics.proto`, `common.proto`. */
export type AttributeValue = string | number | boolean | undefined;

export interface KeyValue {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly boolValue: boolean }
    /** 64 bits are a text in JSON. */
    | { readonly intValue: string }
    | { readonly doubleValue: number };
}

export interface Span {
  /** Hexadecimal, not base64: the one exception of OTLP's JSON. */
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: typeof spanKind.server | typeof spanKind.client;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly KeyValue[];
  readonly status: { readonly code?: number; readonly message?: string };
}

export const spanKind = { server: 2, client: 3 } as const;
export const statusError = 2;

export function attributesOf(values: Readonly<Record<string, AttributeValue>>): KeyValue[] {
  return Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [{ key, value: anyValue(value) }],
  );
}

function anyValue(value: Exclude<AttributeValue, undefined>): KeyValue["value"] {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
}

/** Whole milliseconds since the epoch, and a time after that, as nanoseconds: a double holds both, but not their sum. */
export function unixNano(ms: number, afterMs = 0): string {
  return String(BigInt(Math.round(ms)) * 1_000_000n + BigInt(Math.round(afterMs * 1e6)));
}
