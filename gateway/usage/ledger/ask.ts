import type { LegBegin } from "../../route/leg.ts";
import type { JournalPosition } from "./journal/journal.ts";
import type { LegsQuestion } from "./query/legs.ts";
import type { LegPage, SpendAnswer, SpendQuestion } from "./query/question.ts";
import type { LegSum, SumsQuestion } from "./query/sums.ts";
import type { Imported } from "./store/import.ts";
import type { Settlement, SettlementResult } from "./store/ledger-store.ts";

/** What the worker is asked, by name; it takes in the journal up to now before it answers. */
export interface Asks {
  import: { readonly ask: undefined; readonly answer: Imported & { readonly bytes: number } };
  spend: { readonly ask: SpendQuestion; readonly answer: SpendAnswer };
  legs: { readonly ask: LegsQuestion; readonly answer: LegPage };
  sums: { readonly ask: SumsQuestion; readonly answer: readonly LegSum[] };
  unsettled: { readonly ask: readonly string[]; readonly answer: ReadonlyMap<string, LegBegin> };
  settle: {
    readonly ask: readonly Settlement[];
    readonly answer: ReadonlyMap<string, SettlementResult>;
  };
  /** Legs that began before this time, in milliseconds since the epoch, are removed; how many. */
  remove: { readonly ask: number; readonly answer: number };
  /** Names of metadata by which spend can be split. */
  metadata: { readonly ask: undefined; readonly answer: readonly string[] };
  close: { readonly ask: undefined; readonly answer: undefined };
}
export type AskName = keyof Asks;

export interface AskMessage<Name extends AskName = AskName> {
  readonly id: number;
  readonly name: Name;
  readonly ask: Asks[Name]["ask"];
  readonly position: JournalPosition;
}

export type AnswerMessage =
  | { readonly id: number; readonly answer: unknown }
  | { readonly id: number; readonly error: string };

/** What the worker is started with. */
export interface WorkerSettings {
  readonly directory: string;
  /** Of this process. */
  readonly epoch: string;
}
