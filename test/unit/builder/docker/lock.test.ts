import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { acquireLock } from "../../../../builder/docker/lock.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "byom-test-lock-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("the second build of one environment waits for the first, and gets its turn", async () => {
  const path = join(folder, "locks", "environment.lock");
  const first = await acquireLock({ path });
  const waiting = Promise.withResolvers<void>();
  let isTaken = false;
  const second = acquireLock({ path, onWait: waiting.resolve }).then((lock) => {
    isTaken = true;
    return lock;
  });
  await waiting.promise;
  expect(isTaken).toBe(false);
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
});

test("environments that differ do not wait for each other", async () => {
  using _first = await acquireLock({ path: join(folder, "one.lock") });
  using _second = await acquireLock({ path: join(folder, "two.lock") });
});

test("who waits can be stopped, and leaves the lock to its holder", async () => {
  const path = join(folder, "environment.lock");
  const controller = new AbortController();
  const reason = new Error("stopped by the test");
  {
    using _holder = await acquireLock({ path });
    const onWait = (): void => controller.abort(reason);
    await expect(acquireLock({ path, onWait, signal: controller.signal })).rejects.toBe(reason);
  }
  using _next = await acquireLock({ path });
});
