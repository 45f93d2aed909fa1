import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

import type { LegBegin } from "../../../../../gateway/route/leg.ts";
import type { LegCost } from "../../../../../gateway/usage/accounts.ts";
import {
  Journal,
  type JournalOptions,
} from "../../../../../gateway/usage/ledger/journal/journal.ts";
import { outcomeOf } from "../../../../../gateway/usage/ledger/outcome.ts";
import { LedgerStore } from "../../../../../gateway/usage/ledger/store/ledger-store.ts";
import { legBegin, legEnd } from "../legs.ts";

export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "byom-ledger-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function costOf(nanoUsd: number, over: Partial<LegCost> = {}): LegCost {
  return {
    nanoUsd,
    lines: [{ unit: "request", quantity: 1, nanoUsd }],
    isEstimated: false,
    isPriced: true,
    ...over,
  };
}

export function leg(id: string, over: Partial<LegBegin> = {}): LegBegin {
  return legBegin({ id: `${id}.0`, callId: id, ...over });
}

/** One life of the platform's part that writes. */
export function openJournal(
  directory: string,
  epoch: string,
  over: Partial<JournalOptions> = {},
): Journal {
  return new Journal({ directory, epoch, clock: () => 0, ...over });
}

/** A leg that begins and ends. */
export function write(journal: Journal, begin: LegBegin, nanoUsd: number): void {
  journal.begin(begin);
  journal.end(begin.id, outcomeOf(legEnd(), costOf(nanoUsd)));
}

/** The store of one life, closed with the test. */
export function openStore(
  directory: string,
  epoch: string,
  over: { readonly legsPerBlock?: number; readonly metadataColumns?: number } = {},
): LedgerStore {
  const store = LedgerStore.open({ directory, epoch, ...over });
  onTestFinished(() => {
    if (store.database.isOpen) store.close();
  });
  return store;
}
