// Whatever begins, ends, is killed (with the journal cut at any byte) and starts again: every leg whose end was written
// counts once, and every leg whose begin was written and its end not is interrupted. Whoever breaks it makes a bill wrong.
import { readdirSync, truncateSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { expect, it } from "vitest";

import { Journal } from "../../../../../gateway/usage/ledger/journal/journal.ts";
import { outcomeOf } from "../../../../../gateway/usage/ledger/outcome.ts";
import { answerSpend } from "../../../../../gateway/usage/ledger/query/spend.ts";
import { LedgerStore } from "../../../../../gateway/usage/ledger/store/ledger-store.ts";
import { legEnd } from "../legs.ts";
import { costOf, leg } from "./support.ts";

type Step =
  | { readonly type: "begin"; readonly team: number }
  | { readonly type: "end"; readonly which: number; readonly nanoUsd: number }
  | { readonly type: "import" }
  /** `cut`: which part of what the ledger has not seen yet is lost, in 1/1000; `worker`: the thread alone dies. */
  | { readonly type: "kill"; readonly cut: number }
  | { readonly type: "worker" };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("begin" as const), team: fc.nat(2) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant("end" as const),
      which: fc.nat(20),
      nanoUsd: fc.oneof(fc.nat(1_000), fc.constant(8_000_000_000_000_000)),
    }),
  },
  { weight: 2, arbitrary: fc.constant({ type: "import" as const }) },
  { weight: 1, arbitrary: fc.constant({ type: "worker" as const }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("kill" as const), cut: fc.nat(1_000) }) },
);

/** What has been written of a leg, and where its line ends. */
interface Written {
  readonly id: string;
  readonly team: number;
  /** Absent: a begin. */
  readonly nanoUsd?: number;
  readonly segment: number;
  readonly bytes: number;
}

class Platform {
  readonly #directory: string;
  #epoch = 0;
  #legs = 0;
  #journal: Journal;
  #store: LedgerStore | undefined;
  #imported = { number: 0, bytes: 0 };
  #running: { id: string; team: number }[] = [];
  /** What a bill must have. */
  written: Written[] = [];

  constructor(directory: string) {
    this.#directory = directory;
    this.#journal = this.#openJournal();
  }

  run(next: Step): void {
    if (next.type === "begin") this.#begin(next.team);
    if (next.type === "end") this.#end(next.which, next.nanoUsd);
    if (next.type === "import") this.#import();
    if (next.type === "worker") this.#closeStore();
    if (next.type === "kill") this.#kill(next.cut);
  }

  /** The next life takes in everything, and says the sums. */
  finish(): ReturnType<typeof answerSpend> {
    this.#kill(1_000);
    this.#import();
    const answer = answerSpend(this.#open(), { by: ["metadata.team"], where: [], limit: 10 });
    this.#closeStore();
    return answer;
  }

  #openJournal(): Journal {
    const epoch = `epoch-${this.#epoch}`;
    // Small segments, so that legs end in other ones than they began in.
    return new Journal({ directory: this.#directory, epoch, clock: () => 0, segmentBytes: 700 });
  }

  #open(): LedgerStore {
    this.#store ??= LedgerStore.open({
      directory: this.#directory,
      epoch: `epoch-${this.#epoch}`,
      legsPerBlock: 3,
      importBytes: 256,
    });
    return this.#store;
  }

  #closeStore(): void {
    this.#store?.close();
    this.#store = undefined;
  }

  #begin(team: number): void {
    const id = `call-${this.#legs}`;
    this.#legs += 1;
    this.#journal.begin(leg(id, { metadata: { team: `team-${team}` } }));
    this.#running.push({ id: `${id}.0`, team });
    this.#note({ id: `${id}.0`, team });
  }

  #end(which: number, nanoUsd: number): void {
    const [ended] = this.#running.splice(which % Math.max(1, this.#running.length), 1);
    if (ended === undefined) return;
    this.#journal.end(ended.id, outcomeOf(legEnd(), costOf(nanoUsd)));
    this.#note({ ...ended, nanoUsd });
  }

  #note(what: Pick<Written, "id" | "team" | "nanoUsd">): void {
    const { number: segment, bytes } = this.#journal.position;
    this.written.push({ ...what, segment, bytes });
  }

  #import(): void {
    this.#imported = this.#journal.position;
    this.#open().import(this.#imported);
  }

  #kill(cut: number): void {
    this.#closeStore();
    const { number, bytes } = this.#journal.position;
    // What the ledger has read had been written.
    const seen = this.#imported.number === number ? this.#imported.bytes : 0;
    const kept = seen + Math.floor(((bytes - seen) * cut) / 1_000);
    const file = readdirSync(this.#directory).find((name) => Number(name.split("-")[0]) === number);
    if (file !== undefined) truncateSync(join(this.#directory, file), kept);
    this.written = this.written.filter((line) => line.segment !== number || line.bytes <= kept);
    this.#journal.close();
    this.#running = [];
    this.#epoch += 1;
    this.#journal = this.#openJournal();
  }
}

it("adds up the same, whatever is killed when", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const directory = mkdtempSync(join(tmpdir(), "byom-ledger-"));
      try {
        const platform = new Platform(directory);
        for (const next of steps) platform.run(next);
        const answer = platform.finish();
        const { written } = platform;
        const ended = written.filter(({ nanoUsd }) => nanoUsd !== undefined);
        const begun = written.filter(({ nanoUsd }) => nanoUsd === undefined);
        const sum = ended.reduce((nano, { nanoUsd = 0 }) => nano + BigInt(nanoUsd), 0n);
        expect(answer.total.nanoUsd).toBe(String(sum));
        expect(answer.total.legs).toBe(begun.length);
        expect(answer.total.interruptedLegs).toBe(begun.length - ended.length);
        expect(answer.openLegs).toBe(0);
        for (const { values, nanoUsd } of answer.rows) {
          const ofTeam = ended.filter(({ team }) => `team-${team}` === values[0]);
          expect(nanoUsd).toBe(String(ofTeam.reduce((n, one) => n + BigInt(one.nanoUsd ?? 0), 0n)));
        }
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    }),
    { numRuns: 40 },
  );
});
