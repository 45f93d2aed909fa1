import type { Catalog, CatalogEntry } from "../../../catalog/entry.ts";
import { createChatReader } from "../../../chat/create-reader.ts";
import type { ChatReader } from "../../../chat/reader.ts";
import { GatewayError } from "../../../errors.ts";
import type { KeyIdentity } from "../../../keys/keys.ts";
import type { Outcome, Run } from "../../../prediction/run.ts";
import type { PredictionRunner } from "../../../prediction/runner.ts";
import type { PredictionRecord, PredictionStore } from "../../../prediction/store.ts";
import { isTakeOver, readNotice } from "../../take-over-frames.ts";
import { ResponseEvents } from "./events.ts";
import { predictionOfItem, type FindItem, type Item } from "./items.ts";
import { PassedResponses } from "./passed.ts";
import { responseChat } from "./request.ts";
import type { ResponseEnd, ResponseStore, StoredResponse } from "./store.ts";

export interface KeeperOptions {
  readonly store: ResponseStore;
  readonly runner: PredictionRunner;
  readonly predictions: PredictionStore;
  readonly catalog: Catalog;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** The disk refused; the answer is given nevertheless. */
  readonly onStoreFail: (predictionId: string, cause: unknown) => void;
}

/** Turns of one conversation; each is one look into the store. */
const turnsMax = 1000;

interface Running {
  readonly response: StoredResponse;
  /** Resolves with the response and its end, once it is kept. */
  readonly ended: Promise<StoredResponse>;
}

/** The responses that run and those that are kept, in one view. */
export class ResponseKeeper {
  /** Those that are not kept, but whose streams can be read again while their runs are known. */
  readonly passed: PassedResponses = new PassedResponses();
  readonly #options: KeeperOptions;
  readonly #running = new Map<string, Running>();

  constructor(options: KeeperOptions) {
    this.#options = options;
  }

  /** Keeps one that begins now, before its caller hears of it. */
  accept(response: StoredResponse): void {
    this.#options.store.put(response, { isDurable: true });
  }

  /** Follows a run to its end and keeps what came of it. Failures of calls whose caller got a status are not kept. */
  track(
    response: StoredResponse,
    run: Run,
    options: { readonly keepsFailure: boolean },
  ): Promise<StoredResponse> {
    const { id } = response;
    const ended = run.finished.then(async (outcome) => {
      const end = await responseEnd(response, run).catch((cause: unknown) =>
        failedEnd(GatewayError.from(cause).message, seconds(run.completedAt)),
      );
      const whole = { ...response, end };
      const isDeleted = this.#running.get(id)?.response !== response;
      this.#running.delete(id);
      // What had not begun when the platform stops is run again by the next one.
      const isLeft = outcome.failure?.code === "shutting_down" && !run.isSent;
      const isWanted = outcome.failure === undefined || options.keepsFailure;
      if (isWanted && !isLeft && !isDeleted) this.#put(whole);
      return whole;
    });
    this.#running.set(id, { response, ended });
    return ended;
  }

  /**
   * A response that this key may read, with its end when it has ended.
   * @throws `GatewayError` `not_found`
   */
  async get(id: string, key: KeyIdentity | undefined): Promise<StoredResponse> {
    const response = await this.#find(id);
    if (response !== undefined && mayRead(key, response)) return response;
    throw new GatewayError("not_found", `There is no response ${id}.`, {
      hint: "Responses are kept for 30 days unless they were made with store: false.",
    });
  }

  /** Whether it is under way in this process. */
  isRunning(id: string): boolean {
    return this.#running.has(id);
  }

  /** Forgets a response; one that runs is to be canceled by the caller. */
  delete(id: string): void {
    this.#running.delete(id);
    this.#options.store.delete(id);
  }

  /**
   * All items of the conversation that ends with a response, its own output aside, the oldest first.
   * @throws `GatewayError` `invalid_request` naming `previous_response_id` when an earlier turn is gone
   */
  async conversation(last: StoredResponse, key: KeyIdentity | undefined): Promise<readonly Item[]> {
    const turns: (readonly Item[])[] = [last.input];
    let previousId = last.facts.previousResponseId;
    while (previousId !== null) {
      if (turns.length >= turnsMax) throw brokenAt(previousId, `is ${turnsMax} turns ago`);
      const turn = await this.#find(previousId);
      if (turn === undefined || !mayRead(key, turn))
        throw brokenAt(previousId, "is not stored here");
      turns.push([...turn.input, ...(turn.end?.output ?? [])]);
      previousId = turn.facts.previousResponseId;
    }
    return turns.toReversed().flat();
  }

  /** Finds items of earlier responses, for a request that only names them. */
  itemFinder(key: KeyIdentity | undefined): FindItem {
    return (itemId) => {
      const predictionId = predictionOfItem(itemId);
      if (predictionId === undefined) return undefined;
      const response = this.#options.store.get(`resp_${predictionId}`);
      if (response === undefined || !mayRead(key, response)) return undefined;
      const items = [...response.input, ...(response.end?.output ?? [])];
      return items.find(({ id }) => id === itemId);
    };
  }

  /** Takes up what a former process left: to be called once its predictions run again. */
  recover(): void {
    for (const response of this.#options.store.unfinished()) this.#adopt(response);
  }

  /** Waits until what has ended is kept; to be called after the runner's close. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
    this.#options.store.close();
  }

  async #find(id: string): Promise<StoredResponse | undefined> {
    const running = this.#running.get(id);
    if (running !== undefined) {
      const run = this.#options.runner.find(running.response.predictionId);
      return run !== undefined && run.outcome === undefined ? running.response : running.ended;
    }
    const stored = this.#options.store.get(id);
    return stored === undefined || stored.end !== undefined ? stored : this.#adopt(stored);
  }

  /** A response without an end that no run of this process is known for. */
  #adopt(response: StoredResponse): StoredResponse {
    const { predictionId } = response;
    const run = this.#options.runner.find(predictionId);
    if (run !== undefined) {
      void this.track(response, run, { keepsFailure: true });
      return response;
    }
    const record = this.#options.predictions.get(predictionId);
    if (record !== undefined && record.completedAt === undefined) return response;
    const entry = this.#options.catalog.get(response.modelId);
    const end = recordedEnd(response, { record, entry, now: this.#options.clock() });
    const whole = { ...response, end };
    this.#put(whole);
    return whole;
  }

  #put(response: StoredResponse): void {
    try {
      this.#options.store.put(response);
    } catch (cause) {
      this.#options.onStoreFail(response.predictionId, cause);
    }
  }
}

/** A key reads its own responses, an admin's all. */
function mayRead(key: KeyIdentity | undefined, { keyId }: StoredResponse): boolean {
  return keyId === undefined || key?.id === keyId || key?.scopes.includes("admin") === true;
}

function brokenAt(id: string, why: string): GatewayError {
  return new GatewayError("invalid_request", `The conversation cannot go on: ${id} ${why}.`, {
    parameter: "previous_response_id",
  });
}

/** What came of a run that has ended, out of its events as every reader of them sees it. */
export async function responseEnd(response: StoredResponse, run: Run): Promise<ResponseEnd> {
  const outcome = await run.finished;
  const events = new ResponseEvents(response, responseReader(response, run));
  events.opening();
  const signal = new AbortController().signal;
  for await (const batch of run.log.read({ from: 0, signal })) {
    for (const event of batch) {
      if (isTakeOver(event)) {
        const anew = event.kind === "restart" ? responseReader(response, run) : undefined;
        events.turn(readNotice(event), anew);
      } else if (event.kind !== "completed" && event.kind !== "error") events.take(event);
    }
  }
  return events.finish(outcome, seconds(run.completedAt)).end;
}

/** A reader of a response's run, for one pass over its events. */
export function responseReader(
  response: StoredResponse,
  run: Pick<Run, "id" | "entry" | "request">,
): ChatReader {
  // The messages are in the run's input; what else was asked tells how to read the answer.
  return createChatReader(run, { request: responseChat(response.facts, []) });
}

/** Seconds since the epoch of a time in ISO 8601. */
export function seconds(time: string | undefined): number {
  return time === undefined ? 0 : Math.floor(Date.parse(time) / 1000);
}

/** The end of a response by the record of its prediction, when its events are gone with their process. */
function recordedEnd(
  response: StoredResponse,
  facts: {
    readonly record: PredictionRecord | undefined;
    readonly entry: CatalogEntry | undefined;
    readonly now: number;
  },
): ResponseEnd {
  const { record, entry, now } = facts;
  if (record === undefined || entry === undefined) {
    const why =
      record === undefined ? "Its prediction is not stored any more." : "Its model is gone.";
    return failedEnd(why, Math.floor(now / 1000));
  }
  const run = {
    id: record.id,
    entry,
    request: { entry, input: record.input, isDetached: true, isRecorded: true },
  };
  const events = new ResponseEvents(response, responseReader(response, run));
  events.opening();
  return events.finish(recordedOutcome(record), seconds(record.completedAt)).end;
}

function failedEnd(message: string, completedAt: number): ResponseEnd {
  return {
    status: "failed",
    output: [],
    error: { code: "server_error", message },
    incompleteReason: null,
    usage: null,
    completedAt,
    lastSequence: 0,
  };
}

function recordedOutcome(record: PredictionRecord): Outcome {
  const { output, logs, metrics, error = "The prediction failed." } = record;
  const facts = { output: output ?? null, logs, metrics };
  if (record.status === "succeeded") return { status: "succeeded", ...facts };
  const isCanceled = record.status === "canceled" || record.status === "aborted";
  return {
    status: isCanceled ? "canceled" : "failed",
    failure: new GatewayError(isCanceled ? "canceled" : "prediction_failed", error),
    ...facts,
  };
}
