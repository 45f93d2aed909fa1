import type { ChatDelta, ChatReader, ChatResult } from "../../../chat/reader.ts";
import type { GatewayError } from "../../../errors.ts";
import type { Outcome } from "../../../prediction/run.ts";
import type { StreamEvent } from "../../../stream/event.ts";
import type { TakeOverNotice } from "../../take-over-frames.ts";
import { responseBody } from "./body.ts";
import { idPrefixes, type Item } from "./items.ts";
import type { ResponseEnd, StoredResponse } from "./store.ts";

/** One event of a response's stream, `sequence_number` and all. */
export type ResponseEvent = Item & { readonly type: string; readonly sequence_number: number };

interface OpenItem {
  readonly index: number;
  readonly id: string;
  readonly kind: "message" | "reasoning" | "function_call";
  /** Of a call. */
  readonly callId: string;
  readonly name: string;
  /** Text, or the arguments of a call. */
  text: string;
}

/**
 * Makes of a run's chat answer the events of a response, in OpenAI's order, and of the events its end. The same run
 * always gives the same events, so that a reader who comes back can go on after the last one that it has.
 */
export class ResponseEvents {
  readonly #response: StoredResponse;
  #reader: ChatReader;
  readonly #output: Item[] = [];
  readonly #calls = new Map<number, OpenItem>();
  #open: OpenItem | undefined;
  #items = 0;
  #sequence = 0;
  #hasStarted: boolean;

  constructor(response: StoredResponse, reader: ChatReader) {
    this.#response = response;
    this.#reader = reader;
    this.#hasStarted = !response.facts.isBackground;
  }

  /** Before anything has happened; one in the background waits at first. */
  opening(): readonly ResponseEvent[] {
    const isQueued = !this.#hasStarted;
    const state = isQueued ? "queued" : "in_progress";
    const response = responseBody(this.#response, state);
    return [
      this.#event("response.created", { response }),
      this.#event(isQueued ? "response.queued" : "response.in_progress", { response }),
    ];
  }

  /** Of one event of the run that is not its last. */
  take(event: StreamEvent): readonly ResponseEvent[] {
    return [...this.#start(), ...this.#reader.read(event).flatMap((delta) => this.#take(delta))];
  }

  /**
   * Another upstream takes over. With a new reader the answer begins anew: what was said is closed as incomplete, and
   * the response at the end does not have it.
   */
  turn(notice: TakeOverNotice, anew: ChatReader | undefined): readonly ResponseEvent[] {
    const events: ResponseEvent[] = [];
    if (anew !== undefined) {
      events.push(...this.#closeText("incomplete"), ...this.#closeCalls());
      this.#calls.clear();
      this.#output.length = 0;
      this.#reader = anew;
    }
    // The one type that OpenAI's client takes and steps over; it throws at those that it does not know.
    events.push(this.#event("keepalive", { byom: notice }));
    return events;
  }

  /** Of the run's end; the last event has the whole response. */
  finish(
    outcome: Outcome,
    completedAt: number,
  ): { readonly events: readonly ResponseEvent[]; readonly end: ResponseEnd } {
    if (outcome.failure !== undefined) return this.#fail(outcome, outcome.failure, completedAt);
    const { deltas, result } = this.#reader.finish(outcome);
    const events = [...this.#start(), ...deltas.flatMap((delta) => this.#take(delta))];
    const reason = incompleteReason(result);
    const isLastCut = reason !== null && this.#calls.size === 0;
    events.push(...this.#closeText(isLastCut ? "incomplete" : "completed"), ...this.#closeCalls());
    return this.#end(events, {
      status: reason === null ? "completed" : "incomplete",
      output: this.#output.filter((item) => item !== undefined),
      error: null,
      incompleteReason: reason,
      usage: usageBody(result),
      completedAt,
    });
  }

  /** What had come until then stays, as incomplete items. */
  #fail(
    outcome: Outcome,
    failure: GatewayError,
    completedAt: number,
  ): { readonly events: readonly ResponseEvent[]; readonly end: ResponseEnd } {
    const open = [...(this.#open === undefined ? [] : [this.#open]), ...this.#calls.values()];
    for (const item of open) this.#output[item.index] = itemBody(item, "incomplete");
    const isCanceled = outcome.status === "canceled";
    return this.#end([], {
      status: isCanceled ? "cancelled" : "failed",
      output: this.#output.filter((item) => item !== undefined),
      error: isCanceled ? null : errorBody(failure),
      incompleteReason: null,
      usage: null,
      completedAt,
    });
  }

  #end(
    events: readonly ResponseEvent[],
    facts: Omit<ResponseEnd, "lastSequence">,
  ): { readonly events: readonly ResponseEvent[]; readonly end: ResponseEnd } {
    const end: ResponseEnd = { ...facts, lastSequence: this.#sequence };
    const response = responseBody({ ...this.#response, end });
    return { events: [...events, this.#event(lastEventType[end.status], { response })], end };
  }

  /** The first thing that the model says shows that it waits no more. */
  #start(): readonly ResponseEvent[] {
    if (this.#hasStarted) return [];
    this.#hasStarted = true;
    const response = responseBody(this.#response, "in_progress");
    return [this.#event("response.in_progress", { response })];
  }

  #take(delta: ChatDelta): readonly ResponseEvent[] {
    if (delta.type === "tool_call") return this.#takeCall(delta);
    // The space between a text and the calls after it is no message of its own.
    if (this.#open === undefined && this.#calls.size > 0 && delta.text.trim() === "") return [];
    const kind = delta.type === "text" ? "message" : "reasoning";
    const events: ResponseEvent[] = [];
    if (this.#open?.kind !== kind) {
      events.push(...this.#closeText("completed"));
      this.#open = this.#newItem(kind, { callId: "", name: "" });
      const part = partBody(kind, "");
      events.push(
        this.#added(this.#open),
        this.#event("response.content_part.added", { ...place(this.#open), part }),
      );
    }
    const open = this.#open;
    open.text += delta.text;
    const facts = { ...place(open), delta: delta.text };
    events.push(
      kind === "message"
        ? this.#event("response.output_text.delta", { ...facts, logprobs: [] })
        : this.#event("response.reasoning_text.delta", facts),
    );
    return events;
  }

  #takeCall(delta: Extract<ChatDelta, { type: "tool_call" }>): readonly ResponseEvent[] {
    const events: ResponseEvent[] = [];
    let call = this.#calls.get(delta.index);
    if (call === undefined) {
      events.push(...this.#closeText("completed"));
      call = this.#newItem("function_call", { callId: delta.id ?? "", name: delta.name ?? "" });
      this.#calls.set(delta.index, call);
      events.push(this.#added(call));
    }
    if (delta.arguments === "") return events;
    call.text += delta.arguments;
    const { item_id: itemId, output_index: index } = place(call);
    events.push(
      this.#event("response.function_call_arguments.delta", {
        item_id: itemId,
        output_index: index,
        delta: delta.arguments,
      }),
    );
    return events;
  }

  #closeText(status: "completed" | "incomplete"): readonly ResponseEvent[] {
    const open = this.#open;
    if (open === undefined) return [];
    this.#open = undefined;
    const { kind, text } = open;
    const facts = { ...place(open), text };
    const done =
      kind === "message"
        ? this.#event("response.output_text.done", { ...facts, logprobs: [] })
        : this.#event("response.reasoning_text.done", facts);
    const part = partBody(kind, text);
    return [
      done,
      this.#event("response.content_part.done", { ...place(open), part }),
      this.#done(open, status),
    ];
  }

  /** At the end: pieces of several calls may come by turns. */
  #closeCalls(): readonly ResponseEvent[] {
    return [...this.#calls.values()].flatMap((call) => [
      this.#event("response.function_call_arguments.done", {
        item_id: call.id,
        output_index: call.index,
        name: call.name,
        arguments: call.text,
      }),
      this.#done(call, "completed"),
    ]);
  }

  #newItem(
    kind: OpenItem["kind"],
    call: { readonly callId: string; readonly name: string },
  ): OpenItem {
    const index = this.#items;
    this.#items += 1;
    const id = `${idPrefixes[kind]}_${this.#response.predictionId}_${index}`;
    return { index, id, kind, ...call, text: "" };
  }

  #added(item: OpenItem): ResponseEvent {
    return this.#event("response.output_item.added", {
      output_index: item.index,
      item: emptyBody(item),
    });
  }

  #done(item: OpenItem, status: "completed" | "incomplete"): ResponseEvent {
    const body = itemBody(item, status);
    this.#output[item.index] = body;
    return this.#event("response.output_item.done", { output_index: item.index, item: body });
  }

  #event(type: string, facts: Item): ResponseEvent {
    const event = { type, sequence_number: this.#sequence, ...facts };
    this.#sequence += 1;
    return event;
  }
}

/** A response that was canceled was cut short; OpenAI documents no event of its own for that. */
export const lastEventType: Readonly<Record<ResponseEnd["status"], string>> = {
  completed: "response.completed",
  incomplete: "response.incomplete",
  failed: "response.failed",
  cancelled: "response.incomplete",
};

function place(item: OpenItem): {
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: number;
} {
  return { item_id: item.id, output_index: item.index, content_index: 0 };
}

function partBody(kind: OpenItem["kind"], text: string): Item {
  return kind === "message"
    ? { type: "output_text", text, annotations: [], logprobs: [] }
    : { type: "reasoning_text", text };
}

/** An item as it begins: its contents follow. */
function emptyBody(item: OpenItem): Item {
  const { id, kind, callId, name } = item;
  const status = "in_progress";
  if (kind === "function_call") {
    return { id, type: kind, status, call_id: callId, name, arguments: "" };
  }
  return kind === "message"
    ? { id, type: kind, status, role: "assistant", content: [] }
    : { id, type: kind, status, summary: [], content: [] };
}

function itemBody(item: OpenItem, status: "completed" | "incomplete"): Item {
  const begun = { ...emptyBody(item), status };
  return item.kind === "function_call"
    ? { ...begun, arguments: item.text }
    : { ...begun, content: [partBody(item.kind, item.text)] };
}

function incompleteReason({ finishReason }: ChatResult): ResponseEnd["incompleteReason"] {
  if (finishReason === "length") return "max_output_tokens";
  return finishReason === "content_filter" ? "content_filter" : null;
}

function usageBody({ usage }: ChatResult): Item {
  return {
    input_tokens: usage.inputTokens,
    input_tokens_details: { cached_tokens: usage.cachedTokens ?? 0 },
    output_tokens: usage.outputTokens,
    output_tokens_details: { reasoning_tokens: usage.reasoningTokens ?? 0 },
    total_tokens: usage.inputTokens + usage.outputTokens,
    ...(usage.isEstimated ? { estimated: true } : {}),
  };
}

/** OpenAI has few codes for a response that failed; the message says the rest. */
function errorBody(failure: GatewayError): { readonly code: string; readonly message: string } {
  const codes: Readonly<Record<string, string>> = {
    rate_limited: "rate_limit_exceeded",
    invalid_input: "invalid_prompt",
    invalid_request: "invalid_prompt",
  };
  const details = failure.problems.map(({ input, message }) => `${input} ${message}`).join("; ");
  return {
    code: codes[failure.code] ?? "server_error",
    message: details === "" ? failure.message : `${failure.message} ${details}.`,
  };
}
