import type { CatalogEntry } from "../catalog/entry.ts";
import { conversationBytes } from "../chat/conversation.ts";
import { GatewayError, type GatewayErrorCode } from "../errors.ts";
import type { Journal } from "../stream/journal.ts";
import type { KeptStream } from "../stream/kept-stream.ts";
import type { StreamShape } from "../stream/shape.ts";
import type { Outcome, Run, RunRequest } from "./run.ts";

/** What the journal knows of a run beside its events: all that a shape reads when it writes them again. */
interface OpenFacts {
  readonly entry: CatalogEntry;
  readonly createdAt: string;
  readonly shape: StreamShape;
  /** Bytes of what was said; the input itself is not kept. */
  readonly inputBytes: number;
  readonly keyId?: string;
  readonly version?: number;
  readonly requestedModel?: string;
  readonly isRecorded: boolean;
  readonly isDetached: boolean;
  readonly metadata?: Readonly<Record<string, string | number | boolean>>;
}

interface EndFacts {
  /** The model whose output it is in the end, where another one took over. */
  readonly answering?: CatalogEntry;
  readonly status: Outcome["status"];
  readonly completedAt: string;
  readonly failure?: {
    readonly code: GatewayErrorCode;
    readonly message: string;
    readonly hint?: string;
    readonly parameter?: string;
  };
}

/** JSON for the stream's `open` record. */
export function openFacts(run: Run, shape: StreamShape): string {
  const { keyId, version, requestedModel, isRecorded, isDetached, metadata, input } = run.request;
  const facts: Omit<OpenFacts, "entry"> = {
    createdAt: run.createdAt,
    shape,
    inputBytes: run.request.inputBytes ?? conversationBytes(input),
    isRecorded,
    isDetached,
    ...(keyId !== undefined && { keyId }),
    ...(version !== undefined && { version }),
    ...(requestedModel !== undefined && { requestedModel }),
    ...(metadata !== undefined && { metadata }),
  };
  return `{"entry":${entryJson(run.entry)},${JSON.stringify(facts).slice(1)}`;
}

/** JSON for the stream's `end` record. */
export function endFacts(
  run: Pick<Run, "entry" | "answering"> | undefined,
  { status, failure }: Pick<Outcome, "status" | "failure">,
  completedAt: string,
): string {
  const facts: EndFacts = {
    status,
    completedAt,
    ...(failure !== undefined && {
      failure: {
        code: failure.code,
        message: failure.message,
        ...(failure.hint !== undefined && { hint: failure.hint }),
        ...(failure.parameter !== undefined && { parameter: failure.parameter }),
      },
    }),
  };
  const json = JSON.stringify(facts);
  if (run === undefined || run.answering === run.entry) return json;
  return `{"answering":${entryJson(run.answering)},${json.slice(1)}`;
}

export interface Revived {
  readonly request: RunRequest;
  readonly shape: StreamShape;
  readonly outcome: Outcome;
  readonly completedAt: string;
  readonly answering: CatalogEntry | undefined;
}

/** A run that has ended, as the journal tells it. @throws what the disk says, and `GatewayError` for what is gone */
export function readKept(journal: Journal, stream: KeptStream): Revived {
  const facts = journal.factsOf(stream);
  const { shape, ...request } = facts.opened as OpenFacts;
  const { status, completedAt, failure, answering } = facts.ended as EndFacts;
  return {
    shape,
    answering,
    completedAt,
    request: { ...request, input: {} },
    outcome: {
      status,
      ...lastWord(journal, stream),
      ...(failure !== undefined && {
        failure: new GatewayError(failure.code, failure.message, failure),
      }),
    },
  };
}

/** What the `completed` event says; nothing of a stream that has none. */
function lastWord(
  journal: Journal,
  stream: KeptStream,
): Pick<Outcome, "output" | "logs" | "metrics"> {
  const count = stream.events.length;
  const last = count === 0 ? undefined : journal.readNow(stream, count - 1);
  if (last?.kind !== "completed") return { output: null, logs: "", metrics: {} };
  const { output, logs, metrics } = JSON.parse(last.data.toString("utf8")) as Partial<Outcome>;
  return { output: output ?? null, logs: logs ?? "", metrics: metrics ?? {} };
}

/** Ends what a former process could not end; returns how many events each of them had. */
export function interruptKept(
  journal: Journal,
  now: string,
): readonly { readonly id: string; readonly events: number }[] {
  return journal.unended().map((stream) => {
    const events = stream.events.length;
    const text = `The platform stopped during this stream: it ends here, after ${events} events of the model.`;
    const failure = new GatewayError("shutting_down", text);
    journal.interrupt(stream, {
      data: Buffer.from(JSON.stringify({ error: text, code: failure.code, events })),
      facts: endFacts(undefined, { status: "failed", failure }, now),
    });
    return { id: stream.id, events };
  });
}

/** Its caller wanted it to be kept for less than the gateway's own time. */
export function isPastItsTime(
  { completedAt, request }: Pick<Run, "completedAt" | "request">,
  now: number,
): boolean {
  const { streamTtlMs } = request;
  if (streamTtlMs === undefined || completedAt === undefined) return false;
  return now - Date.parse(completedAt) >= streamTtlMs;
}

const entries = new WeakMap<CatalogEntry, string>();

/** What of an entry a shape may read. */
function entryJson(entry: CatalogEntry): string {
  const known = entries.get(entry);
  if (known !== undefined) return known;
  const {
    description: _description,
    example: _example,
    prices: _prices,
    facts: _facts,
    ...rest
  } = entry;
  const json = JSON.stringify({ ...rest, description: "", inputSchema: {} });
  entries.set(entry, json);
  return json;
}
