import { encodeInputs } from "./bytes.ts";
import { InferenceUpstreamError, readError } from "./errors.ts";
import { readEvents } from "./events.ts";
import { isUnavailable, Reconnects } from "./reconnect.ts";
import { jsonRequest, withSignal, type Transport } from "./transport.ts";
import type { ModelName, PredictionInputOf, PredictionOutputOf } from "./types.ts";

export type PredictionStatus =
  | "starting"
  | "processing"
  | "succeeded"
  | "failed"
  | "canceled"
  | "aborted";

/** An accepted call: it is kept, and goes on whoever listens. */
export interface Prediction<Output = unknown> {
  readonly id: string;
  readonly model: string;
  readonly version: string;
  readonly status: PredictionStatus;
  readonly input: Readonly<Record<string, unknown>>;
  readonly output: Output | null;
  readonly logs: string;
  readonly error: string | null;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly created_at: string;
  readonly started_at: string | null;
  readonly completed_at: string | null;
  readonly urls: { readonly get: string; readonly cancel: string; readonly stream?: string };
}

export interface CreatePrediction<Name> {
  /** A model's id, with `:VERSION` when one is pinned. */
  readonly model: Name;
  readonly input: PredictionInputOf<Name>;
  readonly webhook?: string;
  readonly webhook_events_filter?: readonly ("start" | "output" | "logs" | "completed")[];
  /** Seconds to wait for the end before answering; default: not at all. */
  readonly wait?: number;
  readonly signal?: AbortSignal;
}

export interface PredictionPage {
  readonly results: readonly Prediction[];
  /** To be given as `cursor` for the next page; absent on the last one. */
  readonly next: string | undefined;
}

interface Cancelable {
  readonly signal?: AbortSignal;
}

export interface Predictions {
  create<const Name extends ModelName>(
    options: CreatePrediction<Name>,
  ): Promise<Prediction<PredictionOutputOf<Name>>>;
  get(id: string, options?: Cancelable): Promise<Prediction>;
  cancel(id: string, options?: Cancelable): Promise<Prediction>;
  list(options?: Cancelable & { readonly cursor?: string }): Promise<PredictionPage>;
  /** Polls until it has ended, whatever its status; `pollMs` between two looks (default 500). */
  wait<Output>(
    prediction: Prediction<Output> | string,
    options?: Cancelable & { readonly pollMs?: number },
  ): Promise<Prediction<Output>>;
  /** The pieces of its output as they come; taken up again after a cut. @throws what the prediction failed with */
  stream(
    prediction: Pick<Prediction, "id" | "urls"> | string,
    options?: Cancelable,
  ): AsyncGenerator<string, void, void>;
}

const root = "/v1/predictions";
const pollDefaultMs = 500;
/** Cuts of one stream in a row, without an event between them, that are healed. */
const reconnectsMax = 5;

export function createPredictions(transport: Transport): Predictions {
  const path = (id: string): string => `${root}/${encodeURIComponent(id)}`;
  const get = async (id: string, options?: Cancelable): Promise<Prediction> =>
    (await transport.json(path(id), withSignal(options?.signal))) as Prediction;
  return {
    async create({ model, input, wait, signal, ...rest }) {
      const body = { version: model, input: await encodeInputs(input), ...rest };
      const request = jsonRequest("POST", body, signal);
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (wait !== undefined) headers["prefer"] = `wait=${Math.ceil(wait)}`;
      return (await transport.json(root, { ...request, headers })) as Prediction<never>;
    },
    get,
    async cancel(id, options) {
      const init = { method: "POST", ...withSignal(options?.signal) };
      return (await transport.json(`${path(id)}/cancel`, init)) as Prediction;
    },
    async list({ cursor, signal } = {}) {
      const { results, next } = (await transport.json(cursor ?? root, withSignal(signal))) as {
        readonly results: readonly Prediction[];
        readonly next: string | null;
      };
      return { results, next: next ?? undefined };
    },
    async wait(prediction, { pollMs = pollDefaultMs, signal } = {}) {
      const id = typeof prediction === "string" ? prediction : prediction.id;
      for (;;) {
        const found = await get(id, withSignal(signal) as Cancelable);
        if (found.status !== "starting" && found.status !== "processing") {
          return found as Prediction<never>;
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs));
        signal?.throwIfAborted();
      }
    },
    stream: (prediction, options) =>
      streamOutput(transport, {
        path: `${path(typeof prediction === "string" ? prediction : prediction.id)}/stream`,
        signal: options?.signal,
      }),
  };
}

async function* streamOutput(
  transport: Transport,
  options: { readonly path: string; readonly signal: AbortSignal | undefined },
): AsyncGenerator<string, void, void> {
  const { path, signal } = options;
  const reconnects = new Reconnects({ cutsMax: reconnectsMax, signal });
  let lastId: string | undefined;
  let pieces = 0;
  for (;;) {
    const headers: Record<string, string> = {
      accept: "text/event-stream",
      ...(lastId !== undefined && { "last-event-id": lastId }),
    };
    let response: Response;
    try {
      response = await transport.send(path, { headers, ...withSignal(signal) });
    } catch (cause) {
      if (signal?.aborted === true || pieces === 0) throw cause;
      await reconnects.afterRefusal(pieces, cause);
      continue;
    }
    if (!response.ok || response.body === null) {
      const error = await readError(response);
      if (pieces === 0 || !isUnavailable(response.status)) throw error;
      await reconnects.afterRefusal(pieces, error);
      continue;
    }
    let cause: unknown;
    try {
      for await (const event of readEvents(response.body)) {
        lastId = event.id ?? lastId;
        reconnects.progress();
        if (event.name === "done") return;
        if (event.name === "error") throw predictionError(event.data);
        if (event.name !== "output") continue;
        pieces += 1;
        yield event.data;
      }
    } catch (error) {
      if (error instanceof InferenceUpstreamError || signal?.aborted === true) throw error;
      cause = error;
    }
    await reconnects.afterCut(pieces, cause);
  }
}

function predictionError(data: string): InferenceUpstreamError {
  let message = data;
  try {
    const { detail } = JSON.parse(data) as { readonly detail?: unknown };
    if (typeof detail === "string") message = detail;
  } catch {
    // Words instead of JSON are the message.
  }
  return new InferenceUpstreamError(message, { status: 200 });
}
