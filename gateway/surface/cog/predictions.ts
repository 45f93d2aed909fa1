import { GatewayError } from "../../errors.ts";
import type { FoundModel } from "../../catalog/find.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { checkCallerId } from "../../prediction/caller-id.ts";
import type { Run } from "../../prediction/run.ts";
import { startRun } from "../../prediction/start.ts";
import type { PredictionRecord, WebhookRequest } from "../../prediction/store.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import type { StreamEvent } from "../../stream/event.ts";
import { follow, type FrameRenderer } from "../../stream/follow.ts";
import { inShape, type ShapeRenderer } from "../../stream/shape.ts";
import { readWebhook } from "../../webhook/request.ts";
import { cogPrediction } from "./prediction.ts";

/** `POST /predictions` and, with an id, the idempotent `PUT /predictions/{id}`. */
export async function createPrediction(
  call: Call,
  services: Services,
  options: { readonly found: FoundModel; readonly id?: string },
): Promise<void> {
  const { found } = options;
  const { entry } = found;
  const body = await readJsonObject(call.request);
  const id = predictionId(body["id"], options.id);
  const isStreamed = (call.request.headers.accept ?? "").includes("text/event-stream");
  if (isStreamed && !entry.isStreaming) {
    throw new GatewayError("not_acceptable", `${entry.id} does not stream its output.`);
  }
  const joined = options.id === undefined ? undefined : runOf(services, options.id, entry.id);
  const isRunning = joined !== undefined && joined.outcome === undefined;
  if (joined !== undefined && (isRunning || (isStreamed && joined.request.isRecorded))) {
    await join(call, services, { run: joined, isStreamed });
    return;
  }
  const known = options.id === undefined ? undefined : recordOf(services, options.id, entry.id);
  if (known?.completedAt !== undefined) {
    // Recorded, so it ran once and its answer is still known, also after a restart.
    sendJson(call.response, { body: cogPrediction(known, services.files, call.baseUrl) });
    return;
  }
  const isAsync = isAsyncAsked(call.request.headers.prefer);
  const run = start(call, services, { found, body, id, isAsync, isStreamed });
  if (isStreamed) await stream(call, services, run);
  else if (isAsync) {
    sendJson(call.response, { status: 202, body: { id: run.id, status: "starting" } });
  } else await answer(call, run);
}

/** A repeated PUT does not run twice: it joins the stream, or is told how far the first one is. */
async function join(
  call: Call,
  services: Services,
  { run, isStreamed }: { readonly run: Run; readonly isStreamed: boolean },
): Promise<void> {
  if (isStreamed) {
    await stream(call, services, run);
    return;
  }
  const { input, logs, output } = run.record();
  const snapshot = { id: run.id, status: run.status, input, logs, output: output ?? null };
  sendJson(call.response, { status: 202, body: snapshot, headers: startHeaders(run) });
}

async function stream(call: Call, services: Services, run: Run): Promise<void> {
  await follow({
    run,
    response: call.response,
    ...inShape(cogShape, { run, facts: {}, services }),
    deadlines: services.deadlines,
    commitOn: "any",
    signal: call.signal,
  });
}

/** RFC 7240: one of several preferences, in any case. */
function isAsyncAsked(header: string | readonly string[] | undefined): boolean {
  const preferences = String(header ?? "").split(",");
  return preferences.some((preference) => preference.trim().toLowerCase() === "respond-async");
}

/** `POST /predictions/{id}/cancel`: 200 `{}`, or 404 `{}` when it does not run. */
export function cancelPrediction(
  call: Call,
  services: Services,
  options: { readonly found: FoundModel; readonly id: string },
): void {
  const run = runOf(services, options.id, options.found.entry.id);
  sendJson(call.response, { status: run?.cancel() === true ? 200 : 404, body: {} });
}

/** The model's own answer, byte for byte; a failed prediction is a 200 as coglet has it. */
async function answer(call: Call, run: Run): Promise<void> {
  const outcome = await waitForCaller(run, call.signal);
  const last = run.log.last;
  if (last?.kind === "completed") {
    sendJson(call.response, { body: last.data, headers: startHeaders(run) });
    return;
  }
  throw outcome.failure ?? new GatewayError("internal", "The prediction ended without an answer.");
}

function start(
  call: Call,
  services: Services,
  options: {
    readonly found: FoundModel;
    readonly body: Readonly<Record<string, unknown>>;
    readonly id: string | undefined;
    readonly isAsync: boolean;
    readonly isStreamed: boolean;
  },
): Run {
  const { found, body, id, isAsync } = options;
  const { input = {}, context } = body;
  if (!isObject(input)) {
    throw new GatewayError("unsupported_parameter", "must be an object", { parameter: "input" });
  }
  const webhook = readCogWebhook(call, services, body);
  // A webhook is owed, whatever becomes of the caller or the platform.
  const isRecorded = isAsync || webhook !== undefined;
  return startRun(call, services, {
    model: found,
    input,
    isDetached: isRecorded,
    isRecorded,
    isWhole: !options.isStreamed,
    ...(id === undefined ? {} : { id }),
    ...(isObject(context) ? { context } : {}),
    ...(webhook === undefined ? {} : { webhook }),
  });
}

/** A refused one is a 422 that names the field, as coglet refuses a body. */
function readCogWebhook(
  call: Call,
  services: Services,
  body: Readonly<Record<string, unknown>>,
): WebhookRequest | undefined {
  const { baseUrl } = call;
  try {
    return readWebhook(body, { format: "cog", baseUrl, allow: services.allowedHosts });
  } catch (error) {
    const { message, parameter = "webhook" } = GatewayError.from(error);
    throw new GatewayError("unsupported_parameter", message, { parameter, cause: error });
  }
}

/** Cog's stream as it can be written again. */
export const cogShape: ShapeRenderer<unknown> = { name: "cog", create: nativeFrames };

/** coglet's events as they are. */
function nativeFrames(run: Run): FrameRenderer {
  return {
    render: (event: StreamEvent) => {
      if (event.kind === "error" && run.outcome?.failure?.code === "canceled") {
        const canceled = { id: run.id, status: "canceled", output: null };
        return `event: completed\ndata: ${JSON.stringify(canceled)}\n\n`;
      }
      const head = Buffer.from(`event: ${event.kind}\ndata: `);
      return Buffer.concat([head, event.data, Buffer.from("\n\n")]);
    },
  };
}

function predictionId(inBody: unknown, inPath: string | undefined): string | undefined {
  if (inPath !== undefined && inBody !== undefined && inBody !== null && inBody !== inPath) {
    throw new GatewayError("unsupported_parameter", "must equal the id in the path", {
      parameter: "id",
    });
  }
  const id = inPath ?? inBody;
  return id === undefined || id === null ? undefined : checkCallerId(id);
}

/** The run with this id if it is this model's. */
function runOf(services: Services, id: string, modelId: string): Run | undefined {
  const run = services.runner.find(id);
  return run?.entry.id === modelId ? run : undefined;
}

/** The record with this id if it is this model's. */
function recordOf(services: Services, id: string, modelId: string): PredictionRecord | undefined {
  const record = services.predictions.get(id);
  return record?.model === modelId ? record : undefined;
}
