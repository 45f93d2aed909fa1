// What an operator loses when these fail: seeing what the cache holds, and getting a wrong answer out of it at once.
import { afterEach, beforeEach, expect, it } from "vitest";

import { keys } from "./platform.ts";
import { RouteBench } from "./route-bench.ts";

let bench: RouteBench;
beforeEach(async () => {
  bench = await RouteBench.start();
});
afterEach(() => bench.close());

const ttl = { headers: { "cf-aig-cache-ttl": "60" } };
const facts = async (): Promise<unknown> =>
  (await bench.platform.call("GET", "/api/v1/cache", { key: keys.admin })).body;

it("shows what is stored and clears it, of one model or all; only for those who may", async () => {
  const { platform } = bench;
  await platform.chat("acme/chat", ttl);
  await platform.chat("acme/chat", ttl);
  expect(await facts()).toMatchObject({ memory: { answers: 1 }, hits: 1, joined: 0, misses: 1 });
  for (const key of [keys.call, keys.deploy]) {
    const refused = await platform.call("DELETE", "/api/v1/cache", { key });
    expect(refused.status).toBe(403);
  }
  const other = { key: keys.admin };
  expect((await platform.call("DELETE", "/api/v1/cache?model=other/one", other)).status).toBe(204);
  await platform.chat("acme/chat", ttl);
  expect(await facts()).toMatchObject({ hits: 2 });
  expect((await platform.call("DELETE", "/api/v1/cache?model=acme/chat", other)).status).toBe(204);
  expect(await facts()).toMatchObject({ memory: { answers: 0, bytes: 0 }, disk: { answers: 0 } });
  await platform.chat("acme/chat", ttl);
  expect(await facts()).toMatchObject({ hits: 2, misses: 2 });
});
