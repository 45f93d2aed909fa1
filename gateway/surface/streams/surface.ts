import { GatewayError } from "../../errors.ts";
import {
  allowMethods,
  noSuchPath,
  type Call,
  type Services,
  type Surface,
} from "../../http/call.ts";
import { lastEventId } from "../../http/last-event-id.ts";
import { sendJson } from "../../http/respond.ts";
import type { Run } from "../../prediction/run.ts";
import { holdFor } from "../../prediction/wait.ts";
import { follow } from "../../stream/follow.ts";
import { openAiError } from "../openai/errors.ts";
import { findKept } from "../stream-shapes.ts";

const countPattern = /^\d{1,9}$/;
/** How long a cancel waits for the model's own word. */
const cancelHoldMs = 1_000;

/**
 * The streams of all surfaces by the id of their run (`cf-aig-run-id`, `x-byom-prediction`): `GET /v1/streams/{id}` gives
 * one again as it was first written, without the first `from` events (or those up to `Last-Event-ID`), and goes on as it
 * comes; with `ids=true` each event has its number, so that a browser's `EventSource` comes back by itself.
 * `POST …/cancel` stops it, `DELETE` also forgets what is kept of it.
 */
export function createStreamsSurface(services: Services): Surface {
  return {
    name: "streams",
    owns: ([root, resource]) => root === "v1" && resource === "streams",
    async handle(call) {
      const [, , id, action, ...rest] = call.segments;
      if (id === undefined || rest.length > 0) throw noSuchPath(call);
      if (action === "cancel") {
        allowMethods(call, "POST");
        await cancelStream(call, services, id);
      } else if (action !== undefined) {
        throw noSuchPath(call);
      } else if (call.method === "DELETE") {
        await deleteStream(call, services, id);
      } else {
        allowMethods(call, "GET", "DELETE");
        await readStream(call, services, id);
      }
    },
    renderError: (error) => ({ status: error.status, body: openAiError(error) }),
  };
}

async function readStream(call: Call, services: Services, id: string): Promise<void> {
  const from = call.query.get("from") ?? lastEventId(call) ?? "0";
  if (!countPattern.test(from)) {
    throw new GatewayError("invalid_request", "from must be a number of events.", {
      parameter: "from",
    });
  }
  const kept = findKept(call, services, id);
  if (kept === undefined) throw noSuchStream(id);
  await follow({
    ...kept,
    response: call.response,
    framesRead: Number(from),
    isNumbered: call.query.get("ids") === "true",
    deadlines: services.deadlines,
    commitOn: "any",
    signal: call.signal,
  });
}

async function cancelStream(call: Call, services: Services, id: string): Promise<void> {
  const run = findOwn(call, services, id);
  if (run.cancel()) await holdFor(run, { holdMs: cancelHoldMs, signal: call.signal });
  sendJson(call.response, { body: { id, status: run.status } });
}

async function deleteStream(call: Call, services: Services, id: string): Promise<void> {
  const run = findOwn(call, services, id);
  if (run.cancel()) {
    const holdMs = services.deadlines.cancelMs + cancelHoldMs;
    await holdFor(run, { holdMs, signal: call.signal });
  }
  services.runner.forgetStream(id);
  sendJson(call.response, { body: { id, deleted: true } });
}

/** Whoever may read it may stop it. @throws `GatewayError` `not_found` */
function findOwn(call: Call, services: Services, id: string): Run {
  const run = services.runner.findStream(id);
  const isMine = run?.request.keyId === call.key?.id || call.key?.scopes.includes("admin") === true;
  if (run === undefined || !isMine) throw noSuchStream(id);
  return run;
}

function noSuchStream(id: string): GatewayError {
  return new GatewayError("not_found", `There is no stream ${id}, or it is not kept any more.`);
}
