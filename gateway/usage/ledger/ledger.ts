import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";

import { GatewayError } from "../../errors.ts";
import type { OnGatewayEvent } from "../../events.ts";
import type { LegBegin, LegEnd } from "../../route/leg.ts";
import type { LegCost } from "../accounts.ts";
import type { AskName, Asks } from "./ask.ts";
import { Journal } from "./journal/journal.ts";
import { LedgerWorker } from "./ledger-worker.ts";
import { importIntervalMs, ledgerBytesNotice } from "./limits.ts";
import { outcomeOf } from "./outcome.ts";
import type { LegsQuestion } from "./query/legs.ts";
import type { LegPage, SpendAnswer, SpendQuestion } from "./query/question.ts";
import type { LegSum, SumsQuestion } from "./query/sums.ts";
import { settlementOf, type SettledLeg } from "./settle.ts";
import type { Settlement } from "./store/ledger-store.ts";

export interface LedgerOptions {
  /** Of the journal and of `ledger.db`; made with the first leg. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly onEvent?: OnGatewayEvent;
}

interface Abortable {
  readonly signal?: AbortSignal;
}

/** What became of a list of settled legs. */
export interface Settled {
  readonly settled: number;
  /** They were settled by an earlier list, which stands. */
  readonly settledBefore: number;
  /** No interrupted leg has such an id: it ended by itself, or never was. */
  readonly notInterrupted: readonly string[];
}

/**
 * What every leg cost. A leg's begin and end are appended to a journal, and added up by a thread of its own; a question
 * is answered with everything that had ended when it was asked.
 */
export interface Ledger {
  begin(leg: LegBegin): void;
  end(leg: LegBegin, end: LegEnd, cost: LegCost): void;
  spend(question: SpendQuestion, options?: Abortable): Promise<SpendAnswer>;
  legs(question: LegsQuestion, options?: Abortable): Promise<LegPage>;
  /**
   * What the platform paid for the legs that have ended before this call, exactly these: who counts from now on misses
   * none and counts none twice.
   */
  sums(question: SumsQuestion, options?: Abortable): Promise<readonly LegSum[]>;
  /** Names of metadata by which spend can be split. */
  metadataNames(options?: Abortable): Promise<readonly string[]>;
  /** Says what interrupted legs cost, by their upstream's list; said again, it changes nothing. */
  settle(
    legs: readonly SettledLeg[],
    options: Abortable & { readonly costOf: (leg: LegBegin, end: LegEnd) => LegCost },
  ): Promise<Settled>;
  /** Removes the legs that began before a time; how many. */
  removeBefore(beganBeforeMs: number, options?: Abortable): Promise<number>;
  /** Called with each leg that has been settled: its cost was unknown to whoever counts in memory. */
  onSettled(listener: (leg: LegBegin, cost: LegCost) => void): void;
  /** Lines of the journal that were lost, since the start. */
  readonly lost: number;
  close(): Promise<void>;
}

export function openLedger(options: LedgerOptions): Ledger {
  return new JournaledLedger(options);
}

const epochBytes = 8;

class JournaledLedger implements Ledger {
  readonly #journal: Journal;
  readonly #worker: LedgerWorker;
  readonly #onEvent: OnGatewayEvent;
  readonly #listeners: ((leg: LegBegin, cost: LegCost) => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isLarge = false;
  #isClosed = false;

  constructor({ directory, clock, onEvent = () => undefined }: LedgerOptions) {
    const epoch = randomBytes(epochBytes).toString("hex");
    this.#onEvent = onEvent;
    this.#journal = new Journal({
      directory,
      epoch,
      clock,
      onFail: ({ cause, lost }) => onEvent({ type: "ledger-fail", cause, lost }),
      onCatchUp: ({ lost }) => onEvent({ type: "ledger-catch-up", lost }),
    });
    this.#worker = new LedgerWorker({ directory, epoch });
    // A former process may have left legs that it began.
    if (existsSync(directory)) this.#importSoon();
  }

  get lost(): number {
    return this.#journal.lost;
  }

  begin(leg: LegBegin): void {
    this.#journal.begin(leg);
    this.#importSoon();
  }

  end(leg: LegBegin, end: LegEnd, cost: LegCost): void {
    this.#journal.end(leg.id, outcomeOf(end, cost));
    this.#importSoon();
  }

  spend(question: SpendQuestion, options?: Abortable): Promise<SpendAnswer> {
    return this.#ask("spend", question, options);
  }

  legs(question: LegsQuestion, options?: Abortable): Promise<LegPage> {
    return this.#ask("legs", question, options);
  }

  sums(question: SumsQuestion, options?: Abortable): Promise<readonly LegSum[]> {
    return this.#ask("sums", question, options);
  }

  metadataNames(options?: Abortable): Promise<readonly string[]> {
    return this.#ask("metadata", undefined, options);
  }

  async settle(
    legs: readonly SettledLeg[],
    options: Abortable & { readonly costOf: (leg: LegBegin, end: LegEnd) => LegCost },
  ): Promise<Settled> {
    const ids = legs.map(({ leg }) => leg);
    const begun = await this.#ask("unsettled", ids, options);
    const costs = new Map<string, LegCost>();
    const settlements = legs.map((line): Settlement => {
      const begin = begun.get(line.leg);
      if (begin === undefined) return { leg: line.leg, outcome: nothing };
      const { outcome, cost } = settlementOf(line, begin, options.costOf);
      if (!costs.has(line.leg)) costs.set(line.leg, cost);
      return { leg: line.leg, outcome };
    });
    const results = await this.#ask("settle", settlements, options);
    let [settled, settledBefore] = [0, 0];
    const notInterrupted: string[] = [];
    for (const [id, result] of results) {
      if (result === "not-interrupted") notInterrupted.push(id);
      if (result === "settled-before") settledBefore += 1;
      if (result !== "settled") continue;
      settled += 1;
      const [leg, cost] = [begun.get(id), costs.get(id)];
      if (leg === undefined || cost === undefined) continue;
      for (const listener of this.#listeners) listener(leg, cost);
    }
    return { settled, settledBefore, notInterrupted };
  }

  removeBefore(beganBeforeMs: number, options?: Abortable): Promise<number> {
    return this.#ask("remove", beganBeforeMs, options);
  }

  onSettled(listener: (leg: LegBegin, cost: LegCost) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#journal.close();
    await this.#worker.close(this.#journal.position);
  }

  #ask<Name extends AskName>(
    name: Name,
    ask: Asks[Name]["ask"],
    options: Abortable = {},
  ): Promise<Asks[Name]["answer"]> {
    if (this.#isClosed) {
      return Promise.reject(new GatewayError("shutting_down", "The ledger is closed."));
    }
    if (this.#journal.hasUnwritten) this.#journal.flush();
    const { signal } = options;
    return this.#worker.ask(name, ask, {
      position: this.#journal.position,
      ...(signal !== undefined && { signal }),
    });
  }

  /** One timer for all legs of its time. */
  #importSoon(): void {
    if (this.#timer !== undefined || this.#isClosed) return;
    this.#timer = setTimeout(() => void this.#import(), importIntervalMs);
    this.#timer.unref();
  }

  async #import(): Promise<void> {
    this.#timer = undefined;
    try {
      const { interrupted, damaged, refused, bytes } = await this.#ask("import", undefined);
      if (interrupted > 0) this.#onEvent({ type: "ledger-interrupted", legs: interrupted });
      if (damaged > 0 || refused > 0) this.#onEvent({ type: "ledger-damage", damaged, refused });
      if (bytes > ledgerBytesNotice && !this.#isLarge) {
        this.#isLarge = true;
        this.#onEvent({ type: "ledger-large", bytes });
      }
    } catch (cause) {
      if (!this.#isClosed) this.#onEvent({ type: "ledger-fail", cause, lost: this.lost });
    }
    if (this.#journal.hasUnwritten) this.#importSoon();
  }
}

/** For a leg that is not interrupted: nothing is done with it. */
const nothing = { state: "settled", durationMs: 0, nanoUsd: 0 } as const;
