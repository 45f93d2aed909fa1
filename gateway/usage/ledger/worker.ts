// The thread that adds up: it alone opens `ledger.db`, so that nothing of it waits on the event loop of the calls.
import { parentPort, workerData } from "node:worker_threads";

import type { AnswerMessage, AskMessage, AskName, Asks, WorkerSettings } from "./ask.ts";
import { answerLegs } from "./query/legs.ts";
import { answerSpend } from "./query/spend.ts";
import { answerSums } from "./query/sums.ts";
import { LedgerStore } from "./store/ledger-store.ts";

const port = parentPort;
if (port === null) throw new Error("the ledger's worker is a thread");
const { directory, epoch } = workerData as WorkerSettings;
let store: LedgerStore | undefined;

/** Opened with each question until it works: a disk that was full may not be any more. */
function openStore(): LedgerStore {
  store ??= LedgerStore.open({ directory, epoch });
  return store;
}

type Answers = {
  readonly [Name in AskName]: (ask: Asks[Name]["ask"], store: LedgerStore) => Asks[Name]["answer"];
};

const answers: Omit<Answers, "import" | "close"> = {
  spend: (question, opened) => answerSpend(opened, question),
  legs: (question, opened) => answerLegs(opened, question),
  sums: (question, opened) => answerSums(opened, question),
  unsettled: (ids, opened) => opened.unsettled(ids),
  settle: (settlements, opened) => opened.settle(settlements),
  remove: (before, opened) => opened.removeBefore(before),
  metadata: (_ask, opened) => opened.metadataKeys.list(),
};

function answer({ name, ask, position }: AskMessage): unknown {
  if (name === "close" && store === undefined) return undefined;
  const opened = openStore();
  const imported = opened.import(position);
  if (name === "import") return { ...imported, bytes: opened.bytes() };
  if (name === "close") {
    opened.close();
    return undefined;
  }
  const handle = answers[name] as (question: typeof ask, opened: LedgerStore) => unknown;
  return handle(ask, opened);
}

port.on("message", (message: AskMessage) => {
  const { id, name } = message;
  let reply: AnswerMessage;
  try {
    reply = { id, answer: answer(message) };
  } catch (error) {
    reply = { id, error: error instanceof Error ? error.message : String(error) };
  }
  port.postMessage(reply);
  if (name === "close") port.close();
});
