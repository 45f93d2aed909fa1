import type { GatewayError } from "../../../errors.ts";
import { scanFields, type Fields } from "../../../http/scan-json.ts";
import type { KeyIdentity } from "../../../keys/keys.ts";
import type { Run } from "../../../prediction/run.ts";
import type { FrameRenderer } from "../../../stream/follow.ts";
import { openAiError } from "../errors.ts";

const wished: ReadonlySet<string> = new Set([
  "store",
  "background",
  "previous_response_id",
  "conversation",
  "prompt",
]);

/** An item of an earlier answer by its id alone, and ids as this gateway gives them. */
const itemReference = Buffer.from('"item_reference"');
const ownItem = /"(?:msg|rs|fc|fco)_[a-z2-7]{26}_(?:in)?\d+"/;
const itemPrefixes = ["msg", "rs", "fc", "fco"].map((prefix) => Buffer.from(`"${prefix}_`));

/**
 * Whether a request can go to a provider of the same shape as it is: nothing of it is to be kept (`store: false`), and
 * it goes on from nothing that only this gateway knows. All others are translated, so that what is stored, runs in the
 * background or goes on with an earlier answer is the same whoever serves the model.
 */
export function mayPass(body: Buffer): boolean {
  const fields = scanFields(body, wished);
  if (fields === undefined || valueOf(body, fields, "store") !== "false") return false;
  const background = valueOf(body, fields, "background");
  if (background !== undefined && background !== "false" && background !== "null") return false;
  for (const name of ["previous_response_id", "conversation", "prompt"]) {
    if ((valueOf(body, fields, name) ?? "null") !== "null") return false;
  }
  return !namesKeptItem(body);
}

function valueOf(body: Buffer, fields: Fields, name: string): string | undefined {
  const span = fields.get(name);
  return span === undefined ? undefined : body.toString("latin1", span.start, span.end);
}

function namesKeptItem(body: Buffer): boolean {
  if (body.includes(itemReference)) return true;
  if (!itemPrefixes.some((prefix) => body.includes(prefix))) return false;
  return ownItem.test(body.toString("latin1"));
}

/** A stream that broke off, as the Responses API says it; `position` is the number of events before. */
export function failureEvent(failure: GatewayError, position: number): string {
  const { code, message, param } = openAiError(failure).error;
  const event = { type: "error", code, message, param, sequence_number: position };
  return `event: error\ndata: ${JSON.stringify(event)}\n\n`;
}

/** Ids of streams that are remembered; each is two short texts. */
const passedMax = 10_000;

/** Streams that pass through under an id of their provider's, so that a reader who was cut off can come back by it. */
export class PassedResponses {
  readonly #runs = new Map<
    string,
    { readonly runId: string; readonly keyId: string | undefined }
  >();

  /** Notes the id that the stream's first event gives. */
  note(run: Run, key: KeyIdentity | undefined): void {
    const look = (): void => {
      const first = run.log.peek(0)?.[0];
      if (first === undefined && !run.log.isEnded) return;
      unsubscribe();
      const id = first?.kind === "raw" ? responseId(first.data) : undefined;
      if (id !== undefined) this.#remember(id, { runId: run.id, keyId: key?.id });
    };
    const unsubscribe = run.log.subscribe(look);
    look();
  }

  /** The run behind a response's id, if this key may read it. */
  find(id: string, key: KeyIdentity | undefined): string | undefined {
    const known = this.#runs.get(id);
    if (known === undefined) return undefined;
    const mayRead = known.keyId === key?.id || key?.scopes.includes("admin") === true;
    return mayRead ? known.runId : undefined;
  }

  #remember(
    id: string,
    facts: { readonly runId: string; readonly keyId: string | undefined },
  ): void {
    this.#runs.delete(id);
    this.#runs.set(id, facts);
    for (const oldest of this.#runs.keys()) {
      if (this.#runs.size <= passedMax) return;
      this.#runs.delete(oldest);
    }
  }
}

/** The first `"id":"resp_…"` of a frame is the response's. */
function responseId(frame: Buffer): string | undefined {
  return /"id"\s*:\s*"(resp_[\w-]{1,200})"/.exec(frame.toString("latin1"))?.[1];
}

/** The events of a stream after the one with this `sequence_number`; all of them when there is none. */
export function passedFrames(run: Run, after: number | undefined): FrameRenderer {
  return {
    render: (event) => {
      if (event.kind !== "raw") {
        const failure = run.outcome?.failure;
        return failure === undefined ? undefined : failureEvent(failure, event.index);
      }
      return after !== undefined && sequenceOf(event.data) <= after ? undefined : event.data;
    },
  };
}

/** -1 for an event without a number, which belongs to the stream's beginning. */
function sequenceOf(frame: Buffer): number {
  const found = /"sequence_number"\s*:\s*(\d{1,9})/.exec(frame.toString("latin1"));
  return found?.[1] === undefined ? -1 : Number(found[1]);
}
