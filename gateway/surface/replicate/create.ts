import { isDeepStrictEqual } from "node:util";

import type { FoundModel } from "../../catalog/find.ts";
import { GatewayError } from "../../errors.ts";
import { isObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import type { Run } from "../../prediction/run.ts";
import { startRun, type Input } from "../../prediction/start.ts";
import type { PredictionRecord } from "../../prediction/store.ts";
import { holdFor } from "../../prediction/wait.ts";
import { readWebhook } from "../../webhook/request.ts";
import { cancelAfterMs } from "./duration.ts";
import { replicateShape } from "./stream.ts";
import { predictionBody } from "./prediction.ts";
import { holdMs } from "./prefer.ts";

export interface CreateOptions {
  readonly found: FoundModel;
  readonly body: Readonly<Record<string, unknown>>;
  /** The caller's own id. */
  readonly id?: string;
  /** The deployment by whose name it was called. */
  readonly deployment?: string;
}

/** Accepts a prediction, holds the line as long as the caller asked, and answers with it. */
export async function create(
  call: Call,
  services: Services,
  options: CreateOptions,
): Promise<void> {
  const { found, body, id, deployment } = options;
  const webhook = readWebhook(body, {
    format: "replicate",
    baseUrl: call.baseUrl,
    allow: services.allowedHosts,
  });
  const afterMs = cancelAfterMs(call.request.headers["cancel-after"]);
  const run = startRun(call, services, {
    model: found,
    input: inputOf(body),
    isDetached: true,
    isRecorded: true,
    ...(id === undefined ? {} : { id }),
    ...(deployment === undefined ? {} : { deployment }),
    ...(webhook === undefined ? {} : { webhook }),
    ...(afterMs === undefined
      ? {}
      : { deadline: new Date(services.clock() + afterMs).toISOString() }),
  });
  // Its stream's URL goes out with the answer: it must work whatever happens until it is asked for.
  if (found.entry.isStreaming) {
    run.keep({ name: replicateShape.name, facts: { baseUrl: call.baseUrl } });
  }
  await answerWith(call, services, { run, status: 201 });
}

/**
 * `PUT /v1/predictions/{id}`: the same request twice is one prediction, before and after a restart.
 * @throws `GatewayError` `conflict` when the id is another request's
 */
export async function createOnce(
  call: Call,
  services: Services,
  options: CreateOptions & { readonly id: string },
): Promise<void> {
  const { found, body, id } = options;
  const known = services.runner.record(id);
  if (known === undefined) {
    await create(call, services, options);
    return;
  }
  const isSame =
    known.model === found.entry.id &&
    known.pinnedVersion === found.version &&
    isDeepStrictEqual(known.input, inputOf(body));
  if (!isSame) {
    throw new GatewayError("conflict", `The id ${id} belongs to another prediction.`, {
      parameter: "id",
    });
  }
  const run = services.runner.find(id);
  if (run === undefined) sendJson(call.response, { body: render(call, services, known) });
  else await answerWith(call, services, { run, status: 200 });
}

/** A record in the caller's words. */
export function render(
  call: Call,
  services: Services,
  record: PredictionRecord,
): Record<string, unknown> {
  const { streamTokens, files, catalog } = services;
  return predictionBody({ record, baseUrl: call.baseUrl, streamTokens, files, catalog });
}

async function answerWith(
  call: Call,
  services: Services,
  { run, status }: { readonly run: Run; readonly status: number },
): Promise<void> {
  const waitMs = holdMs(call.request.headers.prefer);
  const outcome =
    waitMs === 0 ? undefined : await holdFor(run, { holdMs: waitMs, signal: call.signal });
  if (call.signal.aborted) return;
  const record = run.record();
  // A client that waits takes any status but `starting` for the end.
  const isOver = outcome !== undefined || run.outcome !== undefined;
  const shown: PredictionRecord = isOver ? record : { ...record, status: "starting" };
  sendJson(call.response, {
    status,
    body: render(call, services, shown),
    headers: startHeaders(run),
  });
}

function inputOf(body: Readonly<Record<string, unknown>>): Input {
  const input = body["input"] ?? {};
  if (isObject(input)) return input;
  throw new GatewayError("invalid_request", "input must be an object.", { parameter: "input" });
}
