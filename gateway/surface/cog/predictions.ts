import { GatewayError } from "../../errors.ts";
import type { FoundModel } from "../../catalog/find.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { checkInput } from "../../prediction/input.ts";
import type { Run } from "../../prediction/run.ts";
import { waitForCaller } from "../../prediction/wait.ts";
import type { StreamEvent } from "../../stream/event.ts";
import { follow, type FrameRenderer } from "../../stream/follow.ts";

/** A caller's own id appears in headers and URLs. */
const idPattern = /^[\w.:-]{1,128}$/;

/** `POST /predictions` and, with an id, the idempotent `PUT /predictions/{id}`. */
export async function createPrediction(
  call: Call,
  services: Services,
  options: { readonly found: FoundModel; readonly id?: string },
): Promise<void> {
  const { entry } = options.found;
  const body = await readJsonObject(call.request);
  const id = predictionId(body["id"], options.id);
  const isStreamed = (call.request.headers.accept ?? "").includes("text/event-stream");
  if (isStreamed && !entry.isStreaming) {
    throw new GatewayError("not_acceptable", `${entry.id} does not stream its output.`);
  }
  const isAsync = call.request.headers.prefer === "respond-async";
  const running = id === undefined ? undefined : runOf(services, id, entry.id);
  const isJoined =
    running !== undefined && running.outcome === undefined && options.id !== undefined;
  const run = isJoined
    ? running
    : start(call, services, { found: options.found, body, id, isAsync });
  if (isStreamed) {
    await follow({
      run,
      response: call.response,
      renderer: nativeFrames(run),
      deadlines: services.deadlines,
      commitOn: "any",
      signal: call.signal,
    });
  } else if (isJoined) {
    const { input, logs, output } = run.record();
    const snapshot = { id: run.id, status: run.status, input, logs, output: output ?? null };
    sendJson(call.response, { status: 202, body: snapshot, headers: startHeaders(run) });
  } else if (isAsync) {
    sendJson(call.response, { status: 202, body: { id: run.id, status: "starting" } });
  } else {
    await answer(call, run);
  }
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
  },
): Run {
  const { entry, version } = options.found;
  const { input = {}, context, webhook } = options.body;
  if (!isObject(input)) {
    throw new GatewayError("unsupported_parameter", "must be an object", { parameter: "input" });
  }
  if (webhook !== undefined && webhook !== null) {
    throw new GatewayError("unsupported_parameter", "webhooks are not supported", {
      parameter: "webhook",
    });
  }
  checkInput(entry, input);
  return services.runner.start({
    entry,
    input,
    isDetached: options.isAsync,
    isRecorded: options.isAsync,
    ...(version === undefined ? {} : { version }),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(isObject(context) ? { context } : {}),
    ...(call.key === undefined ? {} : { keyId: call.key.id }),
  });
}

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
  if (inPath !== undefined && inBody !== undefined && inBody !== inPath) {
    throw new GatewayError("unsupported_parameter", "must equal the id in the path", {
      parameter: "id",
    });
  }
  const id = inPath ?? inBody;
  if (id === undefined || id === null) return undefined;
  if (typeof id === "string" && idPattern.test(id)) return id;
  throw new GatewayError(
    "unsupported_parameter",
    "must be up to 128 letters, digits, dots, colons, dashes and underscores",
    { parameter: "id" },
  );
}

/** The run with this id if it is this model's. */
function runOf(services: Services, id: string, modelId: string): Run | undefined {
  const run = services.runner.find(id);
  return run?.entry.id === modelId ? run : undefined;
}
