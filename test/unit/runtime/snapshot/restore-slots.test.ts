// Without a bound, ten callers of a model at zero would all wait as long as the last of them; with a wrong one, a
// caller that went away would keep its place, or a restore too large for the host would wait for ever.
import { expect, it } from "vitest";
import { RestoreSlots, type RestoreSlot } from "../../../../runtime/snapshot/restore-slots.ts";

const { signal } = new AbortController();
const plenty = (): number => Number.POSITIVE_INFINITY;

/** Lets every promise that is settled by now go on. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

it("lets one more restore run than there are cores, and the next when one ends, in order", async () => {
  const slots = new RestoreSlots({ cpus: 2, availableBytes: plenty });
  const entered: { name: number; slot: RestoreSlot }[] = [];
  for (let name = 0; name < 6; name += 1) {
    void slots.acquire(1, { signal }).then((slot) => entered.push({ name, slot }));
  }
  await settle();
  expect(entered.map(({ name }) => name)).toEqual([0, 1, 2]);
  entered[1]?.slot.release();
  entered[1]?.slot.release();
  await settle();
  expect(entered.map(({ name, slot }) => [name, slot.hasWaited])).toEqual([
    [0, false],
    [1, false],
    [2, false],
    [3, true],
  ]);
});

it("lets no more memory be filled at once than half of what is available", async () => {
  const slots = new RestoreSlots({ cpus: 8, availableBytes: () => 1000 });
  const first = await slots.acquire(300, { signal });
  const second = await slots.acquire(200, { signal });
  let third: RestoreSlot | undefined;
  const waiting = slots.acquire(1, { signal }).then((slot) => (third = slot));
  await settle();
  expect(third).toBeUndefined();
  second.release();
  await waiting;
  expect(third).toMatchObject({ hasWaited: true });
  first.release();
});

it("lets a restore through alone that is larger than the memory: the kernel decides, not the queue", async () => {
  const slots = new RestoreSlots({ cpus: 8, availableBytes: () => 1000 });
  const small = await slots.acquire(1, { signal });
  const large = slots.acquire(5000, { signal });
  small.release();
  expect((await large).hasWaited).toBe(true);
});

it("forgets a caller that went away, and lets the one behind it through", async () => {
  const slots = new RestoreSlots({ cpus: 8, availableBytes: () => 1000 });
  const first = await slots.acquire(400, { signal });
  const gone = new AbortController();
  const large = slots.acquire(800, { signal: gone.signal });
  const small = slots.acquire(50, { signal });
  gone.abort(new Error("the caller hung up"));
  await expect(large).rejects.toThrow("the caller hung up");
  await expect(small).resolves.toMatchObject({ hasWaited: true });
  first.release();
});

it("takes no place for a caller that was gone before", async () => {
  const slots = new RestoreSlots({ cpus: 1, availableBytes: plenty });
  const reason = new Error("gone");
  await expect(slots.acquire(1, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  const both = await Promise.all([slots.acquire(1, { signal }), slots.acquire(1, { signal })]);
  expect(both.map(({ hasWaited }) => hasWaited)).toEqual([false, false]);
});
