import { randomUUID } from "node:crypto";

import { findModel } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import type { Outcome } from "../../prediction/run.ts";
import { findCallable, startRun, type Input } from "../../prediction/start.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { failure } from "./errors.ts";
import { readCall, type AnswerShape } from "./input.ts";
import type { RunOptions } from "./options.ts";
import { resultOf, type Ended } from "./result.ts";

/** Requests of one batch; each becomes a recorded prediction. */
const requestsMax = 100;
const referenceCharactersMax = 128;

/**
 * What a batch's id says, so that it can be asked for after a restart, with no record but its predictions':
 * the ids of the predictions begin with the first part.
 */
interface BatchFacts {
  readonly batch: string;
  readonly model: string;
  /** One per request. */
  readonly items: readonly BatchItem[];
}

interface BatchItem {
  readonly runs: number;
  readonly reference: string | null;
  /** How the answer is to be written; a chat's own words stand in its recorded input. */
  readonly kind: AnswerShape["kind"];
  readonly vectorsEach: number;
}

/** `queueRequest` with `{requests: […]}`: accepted means not lost. */
export function queueBatch(
  call: Call,
  services: Services,
  options: { readonly model: string; readonly requests: unknown; readonly options: RunOptions },
): Record<string, unknown> {
  const requests = checkRequests(options.requests);
  const model = findCallable(call, services, options.model);
  // All are read before the first one begins: a batch is accepted whole or not at all.
  const calls = requests.map(({ input }) => readCall(model.entry, input));
  const batch = randomUUID();
  calls.forEach(({ inputs }, item) => {
    inputs.forEach((input, index) => {
      startRun(call, services, {
        model,
        input,
        id: runId(batch, item, index),
        isDetached: true,
        isRecorded: true,
        metadata: options.options.metadata,
      });
    });
  });
  const items = calls.map(({ inputs, shape }, item) => ({
    reference: requests[item]?.reference ?? null,
    runs: inputs.length,
    kind: shape.kind,
    vectorsEach: shape.kind === "embeddings" ? shape.vectorsEach : 0,
  }));
  const id = batchId({ batch, model: model.entry.id, items });
  return { status: "queued", request_id: id, model: model.entry.id };
}

/**
 * `{request_id}`: the answers once all are there, until then where the batch stands.
 * @throws `GatewayError` `not_found` for an id of nobody's or of another key's batch
 */
export function pollBatch(
  call: Call,
  services: Services,
  requestId: string,
): Record<string, unknown> {
  const facts = readBatchId(requestId);
  const records = facts?.items.map(({ runs }, item) =>
    Array.from({ length: runs }, (_, index) =>
      services.runner.record(runId(facts.batch, item, index)),
    ),
  );
  const mine = records?.flat().every((record) => record !== undefined && mayRead(call, record));
  if (facts === undefined || records === undefined || mine !== true) {
    throw new GatewayError("not_found", "There is no batch with this request_id.");
  }
  const known = records as readonly (readonly PredictionRecord[])[];
  const flat = known.flat();
  if (flat.some(({ completedAt }) => completedAt === undefined)) {
    const status = flat.every((record) => record.status === "starting") ? "queued" : "running";
    return { status, request_id: requestId, model: facts.model };
  }
  const responses = facts.items.map((item, index) => ({
    id: index,
    ...answerOf({ call, services }, item, known[index] ?? []),
    external_reference: item.reference,
  }));
  return { responses, usage: usageOfAll(responses) };
}

interface Request {
  readonly input: Input;
  readonly reference: string | null;
}

function checkRequests(value: unknown): readonly Request[] {
  const isList = Array.isArray(value) && value.length > 0 && value.length <= requestsMax;
  if (!isList || !value.every(isObject)) {
    const text = `requests must be a list of 1 to ${requestsMax} inputs.`;
    throw new GatewayError("invalid_request", text, { parameter: "requests" });
  }
  return value.map(({ external_reference: reference = null, ...input }) => {
    const isValid = reference === null || typeof reference === "string";
    if (!isValid || (reference ?? "").length > referenceCharactersMax) {
      const text = `external_reference must be a text of up to ${referenceCharactersMax} characters.`;
      throw new GatewayError("invalid_request", text, { parameter: "external_reference" });
    }
    return { input, reference };
  });
}

interface Reader {
  readonly call: Call;
  readonly services: Services;
}

function answerOf(
  reader: Reader,
  item: BatchItem,
  records: readonly PredictionRecord[],
): Record<string, unknown> {
  try {
    const [first, ...others] = records.map((record) => endedOf(reader, record));
    if (first === undefined) throw new GatewayError("internal", "A request without a prediction.");
    const result = resultOf(shapeOf(item, first), [first, ...others]);
    const value =
      result.kind === "json"
        ? result.value
        : { file: `data:${result.contentType};base64,${result.bytes.toString("base64")}` };
    return { result: value, success: true };
  } catch (error) {
    const { errors } = failure(GatewayError.from(error));
    return { result: null, success: false, errors };
  }
}

function shapeOf({ kind, vectorsEach }: BatchItem, { run }: Ended): AnswerShape {
  if (kind === "chat") return { kind, request: run.request.input };
  return kind === "embeddings" ? { kind, vectorsEach } : { kind };
}

/** A stored prediction as what answers are written from. @throws its failure */
function endedOf({ call, services }: Reader, record: PredictionRecord): Ended {
  if (record.status !== "succeeded") {
    throw new GatewayError("prediction_failed", record.error ?? "The prediction was canceled.");
  }
  const { entry } = findModel(services.catalog, record.model);
  const outcome: Outcome = {
    status: "succeeded",
    output: services.files.attach(record.output ?? null, call.baseUrl),
    logs: record.logs,
    metrics: record.metrics,
  };
  const request = { entry, input: record.input, isDetached: true, isRecorded: true };
  return { run: { id: record.id, entry, request, createdAt: record.createdAt }, outcome };
}

function usageOfAll(responses: readonly object[]): Record<string, number> {
  const sum = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  for (const response of responses) {
    const result = "result" in response ? response.result : undefined;
    const usage = isObject(result) ? result["usage"] : undefined;
    if (!isObject(usage)) continue;
    for (const name of ["prompt_tokens", "completion_tokens", "total_tokens"] as const) {
      sum[name] += Number(usage[name] ?? 0);
    }
  }
  return sum;
}

function mayRead(call: Call, record: PredictionRecord): boolean {
  return record.keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
}

function runId(batch: string, item: number, index: number): string {
  return `${batch}.${item}.${index}`;
}

function batchId({ batch, model, items }: BatchFacts): string {
  const facts = JSON.stringify([
    model,
    items.map(({ runs, reference, kind, vectorsEach }) => [runs, reference, kind, vectorsEach]),
  ]);
  return `${batch}.${Buffer.from(facts).toString("base64url")}`;
}

function readBatchId(id: string): BatchFacts | undefined {
  const [batch = "", facts = ""] = id.split(".");
  try {
    const [model, items] = JSON.parse(Buffer.from(facts, "base64url").toString("utf8")) as [
      unknown,
      unknown,
    ];
    if (typeof model !== "string" || !Array.isArray(items)) return undefined;
    if (items.length === 0 || items.length > requestsMax) return undefined;
    return { batch, model, items: items.map(readItem) };
  } catch {
    return undefined;
  }
}

function readItem(value: unknown): BatchItem {
  const [runs, reference, kind, vectors] = Array.isArray(value) ? (value as unknown[]) : [];
  if (typeof runs !== "number" || !(runs >= 1 && runs <= runsPerRequestMax) || !isKind(kind)) {
    throw new RangeError("no batch item");
  }
  return {
    runs,
    reference: typeof reference === "string" ? reference : null,
    kind,
    vectorsEach: typeof vectors === "number" ? vectors : 0,
  };
}

function isKind(value: unknown): value is AnswerShape["kind"] {
  return ["chat", "embeddings", "transcript", "plain"].includes(String(value));
}

/** As many texts as one embeddings call may hold. */
const runsPerRequestMax = 2_048;
