/** Snapshots of instances that run without one. If these fail, a model that came from elsewhere stays cold for ever. */
import { describe, expect, test } from "vitest";

import { deployRequest } from "../deploy-request.ts";
import { FakePlatform, never } from "../fake-platform.ts";

const model = "acme/greeter";

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe("an instance without a snapshot", () => {
  test("gets one in an idle moment, although it never rests", async () => {
    await using platform = await FakePlatform.create({ limits: { captureIdleMs: 10, tickMs: 2 } });
    platform.snapshotter.captureFailure = "the deploy could not";
    const scaling = { min: 1 };
    await platform.runtime.deploy({ ...deployRequest("one"), scaling }, { signal: never });
    platform.snapshotter.captureFailure = undefined;
    await until(() => platform.snapshotter.snapshots.size === 1);
    expect(platform.snapshotter.connectionsAtCapture).toEqual([0]);
    expect(platform.runtime.instances()).toMatchObject([{ state: "ready" }]);
  });

  test("is given to nobody while it is captured, and to those who waited afterwards", async () => {
    await using platform = await FakePlatform.create({ limits: { captureIdleMs: 10, tickMs: 2 } });
    platform.snapshotter.captureFailure = "the deploy could not";
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    platform.snapshotter.captureFailure = undefined;
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const capture = platform.snapshotter.capture.bind(platform.snapshotter);
    platform.snapshotter.capture = async (input) => {
      begun.resolve();
      await gate.promise;
      return await capture(input);
    };
    await begun.promise;
    let isServed = false;
    const lease = platform.runtime.acquire(model, { signal: never });
    void lease.then(() => (isServed = true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(isServed).toBe(false);
    gate.resolve();
    (await lease).release("done");
    expect(platform.engine.starts("one")).toBe(1);
  });

  test("whose capture cannot succeed is not captured again and again", async () => {
    await using platform = await FakePlatform.create({ limits: { captureIdleMs: 5, tickMs: 2 } });
    platform.snapshotter.captureOutcome = { status: "failed", reason: "no helper" };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    const afterDeploy = platform.snapshotter.connectionsAtCapture.length;
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(platform.snapshotter.connectionsAtCapture.length).toBeLessThanOrEqual(afterDeploy + 1);
  });
});
