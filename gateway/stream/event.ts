/**
 * The events of coglet's stream; `error` is also the gateway's own word for a stream that broke, `raw` is an event of a
 * third party's stream (or its whole answer) as it came. `restart` and `handover` are said by the gateway when another
 * upstream takes over a stream that broke off: after `restart` the answer begins anew and what came before is void,
 * after `handover` it goes on where it broke off. Their data is `{"leg": N, "provider", "model", "reason"}`.
 */
export type EventKind =
  | "start"
  | "output"
  | "log"
  | "metric"
  | "completed"
  | "error"
  | "raw"
  | "restart"
  | "handover";

/** One event of a prediction, as bytes: `data` is the JSON text that the instance sent. */
export interface StreamEvent {
  /** Position in the prediction's log, from 0. */
  readonly index: number;
  readonly kind: EventKind;
  readonly data: Buffer;
}

const kinds: ReadonlySet<string> = new Set<EventKind>([
  "start",
  "output",
  "log",
  "metric",
  "completed",
  "error",
]);

export function isEventKind(text: string): text is EventKind {
  return kinds.has(text);
}

const chunkStart = Buffer.from('{"chunk":');
const indexStart = Buffer.from(',"index":');

/**
 * The JSON text of an output event's chunk. coglet writes `{"chunk":…,"index":N}`, so the value is cut out of the
 * bytes; anything written otherwise is parsed.
 */
export function chunkJson(data: Buffer): Buffer {
  const end = chunkEnd(data);
  if (end !== -1) return data.subarray(chunkStart.length, end);
  const parsed = JSON.parse(data.toString("utf8")) as { readonly chunk?: unknown };
  return Buffer.from(JSON.stringify(parsed.chunk ?? null));
}

/** Throws for the data of an output event that is not JSON; the usual form is told by its frame alone. */
export function checkChunk(data: Buffer): void {
  if (chunkEnd(data) === -1) JSON.parse(data.toString("utf8"));
}

/** Where the chunk ends in coglet's form; -1 for any other. */
function chunkEnd(data: Buffer): number {
  if (data.compare(chunkStart, 0, chunkStart.length, 0, chunkStart.length) !== 0) return -1;
  const end = data.lastIndexOf(indexStart);
  return end > chunkStart.length && isIndexTail(data, end + indexStart.length) ? end : -1;
}

/** Digits up to the closing brace. */
function isIndexTail(data: Buffer, from: number): boolean {
  if (from >= data.length - 1 || data[data.length - 1] !== 0x7d) return false;
  for (let index = from; index < data.length - 1; index += 1) {
    const byte = data[index] ?? 0;
    if (byte < 0x30 || byte > 0x39) return false;
  }
  return true;
}
