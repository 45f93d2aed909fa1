// The ledger as the gateway has it, with its thread: a question sees all that had ended, a kill leaves what can be settled.
import { expect, it, onTestFinished } from "vitest";

import type { GatewayEvent } from "../../../../../gateway/index.ts";
import { openLedger, type Ledger } from "../../../../../gateway/usage/ledger/ledger.ts";
import { legEnd } from "../legs.ts";
import { costOf, leg, openJournal, temporaryDirectory, write } from "./support.ts";

function open(directory: string, events: GatewayEvent[] = []): Ledger {
  const ledger = openLedger({ directory, clock: () => 0, onEvent: (event) => events.push(event) });
  onTestFinished(() => ledger.close());
  return ledger;
}

const total = { by: [], where: [], limit: 1 } as const;
/** As if a token cost ten nano-dollars. */
const tenEach = {
  costOf: (_leg: unknown, { metrics }: { metrics: Readonly<Record<string, unknown>> }) =>
    costOf(10 * (Number(metrics["input_tokens"] ?? 0) + Number(metrics["output_tokens"] ?? 0))),
};

it("a question sees every leg that had ended when it was asked, and none that ends later", async () => {
  const ledger = open(temporaryDirectory());
  const sums = [];
  for (let index = 0; index < 20; index += 1) {
    const begin = leg(`c${index}`);
    ledger.begin(begin);
    ledger.end(begin, legEnd(), costOf(1));
    sums.push(ledger.sums({ where: [], by: [] }));
  }
  const seen = await Promise.all(sums);
  expect(seen.map(([sum]) => Number(sum?.nanoUsd))).toEqual(
    Array.from({ length: 20 }, (_, index) => index + 1),
  );
});

it("goes on after a stop, and tells how many legs still run", async () => {
  const directory = temporaryDirectory();
  const first = open(directory);
  const begin = leg("a");
  first.begin(begin);
  expect(await first.spend(total)).toMatchObject({ openLegs: 1, total: { legs: 0 } });
  first.end(begin, legEnd(), costOf(7));
  expect(await first.spend(total)).toMatchObject({ openLegs: 0, total: { legs: 1 } });
  await first.close();
  const second = open(directory);
  expect((await second.spend(total)).total.nanoUsd).toBe("7");
  await expect(first.spend(total)).rejects.toMatchObject({ code: "shutting_down" });
});

it("a leg that a kill interrupted is listed, its cost unknown, and settled once by its upstream's list", async () => {
  const directory = temporaryDirectory();
  const killed = openJournal(directory, "killed");
  write(killed, leg("done"), 5);
  killed.begin(leg("lost", { metadata: { team: "search" } }));
  killed.begin(leg("other"));
  const ledger = open(directory);
  const settled: string[] = [];
  ledger.onSettled(({ id, metadata }, { nanoUsd }) =>
    settled.push(`${id} ${String(metadata["team"])} ${nanoUsd}`),
  );
  expect((await ledger.spend(total)).total).toMatchObject({
    legs: 3,
    nanoUsd: "5",
    interruptedLegs: 2,
    unpricedLegs: 2,
  });
  const where = [{ dimension: "state", values: ["interrupted"] }];
  const listed = await ledger.legs({ where, limit: 10 });
  expect(listed.legs.map((one) => one.leg).toSorted()).toEqual(["lost.0", "other.0"]);

  const list = [
    { leg: "lost.0", input_tokens: 12, output_tokens: 3 },
    { leg: "done.0", nano_usd: 1_000 },
    { leg: "never.0", nano_usd: 1_000 },
  ];
  expect(await ledger.settle(list, tenEach)).toEqual({
    settled: 1,
    settledBefore: 0,
    notInterrupted: ["done.0", "never.0"],
  });
  // Again, and with another amount: the first word stands.
  const again = [{ leg: "lost.0", nano_usd: 99_999 }, ...list];
  expect(await ledger.settle(again, tenEach)).toMatchObject({ settled: 0, settledBefore: 1 });
  expect(await ledger.settle([{ leg: "other.0", nano_usd: 40 }], tenEach)).toMatchObject({
    settled: 1,
  });
  expect(await ledger.spend({ by: ["metadata.team"], where: [], limit: 5 })).toMatchObject({
    total: { legs: 3, nanoUsd: "195", interruptedLegs: 0, unpricedLegs: 0, inputTokens: 12 },
    rows: [
      { values: ["search"], nanoUsd: "150" },
      { values: [null], nanoUsd: "45" },
    ],
  });
  expect(settled).toEqual(["lost.0 search 150", "other.0 undefined 40"]);
});

it("a second process on the same folder is refused: it would take running legs for interrupted ones", async () => {
  const directory = temporaryDirectory();
  const first = open(directory);
  first.begin(leg("a"));
  await first.spend(total);
  const second = open(directory);
  await expect(second.spend(total)).rejects.toMatchObject({
    code: "internal",
    message: expect.stringContaining("locked"),
  });
  expect((await first.spend(total)).total.interruptedLegs).toBe(0);
});
