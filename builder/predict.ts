import type { IncomingHttpHeaders } from "node:http";
import { request } from "undici";
import type { Dispatcher } from "undici";
import { z } from "zod";
import { PredictionRequestError } from "./docker/errors.ts";

/** How a prediction ended; one that failed or was canceled is an answer, not an error. */
export interface LocalPrediction {
  readonly status: "succeeded" | "failed" | "canceled";
  readonly output?: unknown;
  readonly error?: string | undefined;
  readonly logs: string;
  /** Seconds in `predict_time`, and what the model records itself. */
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** What a streaming model says before it is done. */
export type PredictionEvent =
  | { readonly type: "output"; readonly chunk: unknown }
  | { readonly type: "log"; readonly text: string };

const predictionSchema = z.object({
  status: z.enum(["succeeded", "failed", "canceled"]),
  output: z.unknown().optional(),
  error: z.string().nullish(),
  logs: z.string().nullish(),
  metrics: z.record(z.string(), z.unknown()).nullish(),
});

/**
 * Runs one prediction and tells what it streams as it comes. Models without `@cog.streaming` answer in one piece.
 * An abort closes the connection, upon which coglet cancels the prediction.
 * @throws PredictionRequestError for inputs that do not fit, a busy model or a broken connection.
 */
export async function predict(options: {
  /** What `/predictions` follows: a container's origin, or a model's URL at a gateway. */
  origin: string;
  input: Readonly<Record<string, unknown>>;
  /** Sent with the request, such as a key. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** Called once, before the first event. */
  onHeaders?: ((headers: IncomingHttpHeaders) => void) | undefined;
  onEvent?: ((event: PredictionEvent) => void) | undefined;
  signal?: AbortSignal | undefined;
}): Promise<LocalPrediction> {
  const { signal } = options;
  try {
    const streamed = await post({ ...options, accept: "text/event-stream" });
    // 406: the model does not stream. Nothing has run yet.
    if (streamed.statusCode !== 406) return await readAnswer(streamed, options);
    await streamed.body.dump();
    return await readAnswer(await post({ ...options, accept: "application/json" }), options);
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof PredictionRequestError) throw error;
    const problem = error instanceof Error ? error.message : String(error);
    throw new PredictionRequestError({ problem, cause: error });
  }
}

async function readAnswer(
  answer: Dispatcher.ResponseData,
  options: Pick<Parameters<typeof predict>[0], "onEvent" | "onHeaders">,
): Promise<LocalPrediction> {
  if (answer.statusCode === 200) options.onHeaders?.(answer.headers);
  if (!isEventStream(answer)) return await readWhole(answer);
  return await readEvents({ ...options, body: answer.body });
}

async function post(options: {
  origin: string;
  input: Readonly<Record<string, unknown>>;
  headers?: Readonly<Record<string, string>> | undefined;
  accept: string;
  signal?: AbortSignal | undefined;
}): Promise<Dispatcher.ResponseData> {
  return await request(`${options.origin}/predictions`, {
    method: "POST",
    headers: {
      ...options.headers,
      "content-type": "application/json",
      accept: options.accept,
    },
    body: JSON.stringify({ input: options.input }),
    // A prediction takes as long as it takes.
    headersTimeout: 0,
    bodyTimeout: 0,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
}

function isEventStream({ statusCode, headers }: Dispatcher.ResponseData): boolean {
  return statusCode === 200 && String(headers["content-type"]).startsWith("text/event-stream");
}

async function readWhole(answer: Dispatcher.ResponseData): Promise<LocalPrediction> {
  const body = await answer.body.text();
  if (answer.statusCode !== 200)
    throw new PredictionRequestError({
      problem: describeRefusal(body),
      statusCode: answer.statusCode,
    });
  return toPrediction(JSON.parse(body));
}

function toPrediction(value: unknown, streamed?: readonly unknown[]): LocalPrediction {
  const { status, output, error, logs, metrics } = predictionSchema.parse(value);
  return {
    status,
    output: output ?? streamed,
    ...(error === null || error === undefined ? {} : { error }),
    logs: logs ?? "",
    metrics: metrics ?? {},
  };
}

const refusalSchema = z.object({
  detail: z.union([
    z.string(),
    z.array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string() })),
  ]),
});

/** `{"detail": [{"loc": ["body", "input", "name"], "msg": "Field required"}]}` as one line each. */
function describeRefusal(body: string): string {
  const parsed = refusalSchema.safeParse(tryParse(body));
  if (!parsed.success) return body.slice(0, 2_000);
  const { detail } = parsed.data;
  if (typeof detail === "string") return detail;
  return detail.map(({ loc, msg }) => `${loc.slice(2).join(".")}: ${msg}`).join("; ");
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const outputSchema = z.object({ chunk: z.unknown() });
const logSchema = z.object({ data: z.string() });
const errorSchema = z.object({ error: z.string() });

/** Server-sent events of coglet: start, output, log, metric, completed, error. */
async function readEvents(options: {
  body: AsyncIterable<Uint8Array>;
  onEvent?: ((event: PredictionEvent) => void) | undefined;
}): Promise<LocalPrediction> {
  const chunks: unknown[] = [];
  for await (const { event, data } of parseEvents(options.body)) {
    if (event === "output") {
      const { chunk } = outputSchema.parse(data);
      chunks.push(chunk);
      options.onEvent?.({ type: "output", chunk });
    } else if (event === "log") {
      options.onEvent?.({ type: "log", text: logSchema.parse(data).data });
    } else if (event === "completed") {
      return toPrediction(data, chunks);
    } else if (event === "error") {
      throw new PredictionRequestError({ problem: errorSchema.parse(data).error });
    }
  }
  throw new PredictionRequestError({ problem: "the stream ended before the prediction did" });
}

/** WHATWG HTML, "Parsing an event stream", as far as coglet uses it: one `data` line per event, in JSON. */
async function* parseEvents(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<{ event: string; data: unknown }> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const piece of body) {
    const blocks = `${rest}${decoder.decode(piece, { stream: true })}`.split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split(/\r?\n/);
      const event = fieldOf(lines, "event");
      const data = fieldOf(lines, "data");
      if (event !== undefined && data !== undefined) yield { event, data: JSON.parse(data) };
    }
  }
}

function fieldOf(lines: readonly string[], name: string): string | undefined {
  const found = lines.filter((line) => line.startsWith(`${name}:`));
  if (found.length === 0) return undefined;
  return found.map((line) => line.slice(name.length + 1).replace(/^ /, "")).join("\n");
}
