import { expect, test } from "vitest";

import { deployRequest } from "../deploy-request.ts";
import { FakePlatform, never } from "../fake-platform.ts";

const model = "acme/greeter";

test("a platform killed while its model serves adopts the container and serves on", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  const before = platform.runtime.instances()[0]?.id;
  expect(await platform.killAndRestart()).toEqual({ adopted: 1, removed: 0 });
  const lease = await platform.runtime.acquire(model, { signal: never });
  expect(lease).toMatchObject({ instanceId: before, start: { mode: "running" } });
  expect(platform.engine.starts("one")).toBe(1);
  expect(platform.runtime.versions(model)).toHaveLength(1);
});

test("an adopted container is told again who it is: a capture that was killed may have taken it away", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  const { identities } = platform.snapshotter;
  const [first] = identities;
  const { id, containerId, start } = platform.store.instances.list()[0] ?? {};
  expect(first).toMatchObject({ id, containerId, modelId: model, version: 1, start: start?.mode });
  identities.length = 0;
  await platform.killAndRestart();
  expect(identities).toEqual([{ ...first, startedAt: expect.any(String) }]);
});

test("a paused container is adopted as paused, and resumed by the next call", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  await platform.runtime.scaleToZero(model, { tier: "paused" });
  await platform.killAndRestart();
  expect(platform.runtime.instances()).toMatchObject([{ state: "paused" }]);
  const lease = await platform.runtime.acquire(model, { signal: never });
  expect(lease.start.mode).toBe("resumed");
});

test("containers that died, that nobody knows, or that were only starting are removed", async () => {
  await using platform = await FakePlatform.create();
  platform.engine.behaviours.set("slow", { setup: "hang" });
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  platform.engine.crash(platform.engine.running[0]?.id ?? "", 137);
  void platform.runtime.deploy(deployRequest("slow"), { signal: never }).catch(() => {});
  await expect.poll(() => platform.engine.running.length).toBe(1);
  const labels = { "byom.platform": platform.store.platformId, "byom.instance": "i-other" };
  const unknown = {
    name: "unknown",
    imageId: "one",
    labels,
    environment: {},
    mounts: [],
    network: "byom",
  };
  await platform.engine.start(await platform.engine.create(unknown), { signal: never });
  const foreign = await platform.engine.create({ ...unknown, labels: { "byom.platform": "else" } });
  expect(await platform.killAndRestart()).toEqual({ adopted: 0, removed: 3 });
  expect([...platform.engine.containers.keys()]).toEqual([foreign]);
  expect(platform.store.instances.list()).toEqual([]);
});

test("down removes every container of the platform and forgets no deployment", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  expect(await platform.runtime.down({ signal: never })).toEqual({ removed: 1 });
  expect(platform.engine.containers.size).toBe(0);
  await platform.killAndRestart();
  const lease = await platform.runtime.acquire(model, { signal: never });
  expect(lease.start.mode).toBe("restored");
});

test("stop turns callers away, lets the running prediction end, and can leave containers running", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  const lease = await platform.runtime.acquire(model, { signal: never });
  const waiting = platform.runtime.acquire(model, { signal: never });
  let isStopped = false;
  const stop = platform.runtime.stop({ keepInstances: true }).then(() => (isStopped = true));
  await expect(waiting).rejects.toMatchObject({ code: "shutting_down" });
  await expect(platform.runtime.acquire(model, { signal: never })).rejects.toMatchObject({
    code: "shutting_down",
  });
  expect(isStopped).toBe(false);
  lease.release("done");
  await stop;
  expect(platform.engine.running).toHaveLength(1);
});
