import { expect, it } from "vitest";

import { Slots } from "../../../../gateway/webhook/slots.ts";

// One slow receiver among many: without these bounds it takes every socket, and nobody else is told anything.

/** Takes a slot and notes when it was given. */
function taker(slots: Slots): {
  readonly take: (origin: string, name?: string) => Promise<() => void>;
  readonly given: string[];
} {
  const given: string[] = [];
  return {
    given,
    take: async (origin, name = origin) => {
      const release = await slots.take(origin);
      given.push(name);
      return release;
    },
  };
}
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("gives an origin its share and no more, in the order in which it was asked", async () => {
  const { take, given } = taker(new Slots({ perOriginMax: 2, inFlightMax: 9 }));
  const first = await take("slow", "s1");
  await take("slow", "s2");
  void take("slow", "s3");
  void take("slow", "s4");
  await take("quick");
  expect(given).toEqual(["s1", "s2", "quick"]);
  first();
  // Given back twice is given back once.
  first();
  await settle();
  expect(given).toEqual(["s1", "s2", "quick", "s3"]);
});

it("keeps the bound over all origins, and passes by those that have their share", async () => {
  const { take, given } = taker(new Slots({ perOriginMax: 1, inFlightMax: 2 }));
  await take("a");
  const b = await take("b");
  void take("a", "a again");
  void take("c");
  await settle();
  expect(given).toEqual(["a", "b"]);
  b();
  await settle();
  expect(given).toEqual(["a", "b", "c"]);
});
