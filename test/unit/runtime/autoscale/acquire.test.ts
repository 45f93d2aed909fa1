import { beforeEach, describe, expect, test } from "vitest";

import type { WaitPhase } from "../../../../runtime/index.ts";
import { deployRequest } from "../deploy-request.ts";
import { FakePlatform, never } from "../fake-platform.ts";

const model = "acme/greeter";

describe("callers of a model at zero", () => {
  test("join one wake-up: ten calls, one start, ten answers", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.capability = { isAvailable: false, reason: "no CRIU" };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    expect(platform.engine.containers.size).toBe(0);
    const modes = await Promise.all(
      Array.from({ length: 10 }, async () => {
        const lease = await platform.runtime.acquire(model, { signal: never });
        lease.release("done");
        return lease.start.mode;
      }),
    );
    expect(platform.engine.starts("one")).toBe(2);
    expect(modes).toEqual(["cold", ...Array.from({ length: 9 }, () => "running")]);
  });

  test("get a restored instance only after it has proven itself", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    const lease = await platform.runtime.acquire(model, { signal: never });
    expect(lease.start).toMatchObject({ mode: "restored" });
    expect(lease.start.reason).toBeUndefined();
    expect(lease.start.phases.map(({ name }) => name)).toEqual([
      "image",
      "create",
      "engine-start",
      "criu",
      "ready",
      "warm-up",
    ]);
    expect(platform.snapshotter.proofs).toHaveLength(1);
  });

  test("resume a paused instance, which is neither started nor restored", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "paused" });
    expect(platform.runtime.instances()).toMatchObject([{ state: "paused" }]);
    const lease = await platform.runtime.acquire(model, { signal: never });
    expect(lease.start.mode).toBe("resumed");
    expect(platform.engine.starts("one")).toBe(1);
  });

  test("fall through from a resume that fails to a restore, with the reason", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "paused" });
    const [container] = platform.engine.containers.values();
    platform.engine.crash(container?.id ?? "", 137);
    const lease = await platform.runtime.acquire(model, { signal: never });
    expect(lease.start).toMatchObject({
      mode: "restored",
      reason: expect.stringContaining("resume"),
    });
    expect(platform.engine.containers.size).toBe(1);
  });

  test("who give up leave the queue and nobody else", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("one", { setupMs: 50 });
    platform.snapshotter.capability = { isAvailable: false };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    const abort = new AbortController();
    const given = platform.runtime.acquire(model, { signal: abort.signal });
    const kept = platform.runtime.acquire(model, { signal: never });
    abort.abort(new Error("client gone"));
    await expect(given).rejects.toThrow("client gone");
    expect((await kept).start.mode).toBe("cold");
  });
});

describe("a snapshot that fails", () => {
  test("to restore gives a cold start in the same container and is quarantined", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    platform.engine.restoreFailure = "the kernel changed";
    const lease = await platform.runtime.acquire(model, { signal: never });
    expect(lease.start).toMatchObject({
      mode: "cold",
      reason: "snapshot failed: the kernel changed",
    });
    expect(platform.snapshotter.snapshots.get("s1")).toMatchObject({
      status: "failed",
      reason: "the kernel changed",
    });
    expect(platform.engine.containers.size).toBe(1);
    expect(platform.types()).toContain("snapshot-quarantine");
  });

  test("to prove itself never takes a call: another container starts cold", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    platform.snapshotter.proofFailure = "the warm-up answered otherwise";
    const lease = await platform.runtime.acquire(model, { signal: never });
    expect(lease.start).toMatchObject({ mode: "cold", reason: expect.stringContaining("warm-up") });
    expect(platform.snapshotter.snapshots.get("s1")?.status).toBe("failed");
    expect(platform.engine.containers.size).toBe(1);
  });
});

describe("slots", () => {
  test("beyond the instances' wait, and start another instance up to the maximum", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one", { scaling: { max: 2 } }), { signal: never });
    const first = await platform.runtime.acquire(model, { signal: never });
    const second = await platform.runtime.acquire(model, { signal: never });
    expect(second.instanceId).not.toBe(first.instanceId);
    const third = platform.runtime.acquire(model, { signal: never });
    await expect.poll(() => platform.runtime.model(model).waiting).toBe(1);
    first.release("done");
    first.release("done");
    expect((await third).instanceId).toBe(first.instanceId);
    expect(platform.engine.starts("one")).toBe(2);
  });

  test("of one instance are as many as its concurrency", async () => {
    await using platform = await FakePlatform.create();
    const request = deployRequest("one", { scaling: { concurrency: 3 } });
    await platform.runtime.deploy(request, { signal: never });
    const leases = await Promise.all(
      [1, 2, 3].map(() => platform.runtime.acquire(model, { signal: never })),
    );
    expect(new Set(leases.map(({ instanceId }) => instanceId)).size).toBe(1);
    expect(platform.runtime.instances()).toMatchObject([{ state: "busy", inFlight: 3 }]);
  });

  test("refuse callers when the queue is full or has lasted too long", async () => {
    await using platform = await FakePlatform.create({
      limits: { queueMax: 1, queueTimeoutMs: 50 },
    });
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.acquire(model, { signal: never });
    const waiting = platform.runtime.acquire(model, { signal: never });
    await expect(platform.runtime.acquire(model, { signal: never })).rejects.toMatchObject({
      code: "capacity",
    });
    await expect(waiting).rejects.toMatchObject({ code: "capacity", retryAfterMs: 50 });
  });
});

describe("an instance", () => {
  test("that crashes while busy is replaced, and the next caller is served by the new one", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    const lease = await platform.runtime.acquire(model, { signal: never });
    const [container] = platform.engine.running;
    platform.engine.crash(container?.id ?? "", 137);
    lease.release("failed");
    const next = await platform.runtime.acquire(model, { signal: never });
    expect(next.instanceId).not.toBe(lease.instanceId);
    expect(platform.types()).toContain("instance-crash");
    await expect.poll(() => platform.engine.containers.size).toBe(1);
  });

  test("that is healthy after a broken connection keeps its place", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    const lease = await platform.runtime.acquire(model, { signal: never });
    lease.release("failed");
    const next = await platform.runtime.acquire(model, { signal: never });
    expect(next.instanceId).toBe(lease.instanceId);
  });

  test("that dies while idle is found by its health check", async () => {
    await using platform = await FakePlatform.create({ limits: { livenessIntervalMs: 10 } });
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    platform.engine.crash(platform.engine.running[0]?.id ?? "", 1);
    await expect.poll(() => platform.runtime.instances()).toEqual([]);
  });

  test("is paused when idle, and stopped when it stays so", async () => {
    await using platform = await FakePlatform.create();
    const scaling = { idleTimeoutMs: 10, stopTimeoutMs: 50 };
    await platform.runtime.deploy(deployRequest("one", { scaling }), { signal: never });
    await expect.poll(() => platform.engine.containers.size).toBe(0);
    const ends = platform.types().filter((type) => /pause|stop/.test(type));
    expect(ends).toEqual(["instance-pause", "instance-stop"]);
  });

  test("is stopped instead where the engine cannot pause", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.canPause = false;
    const scaling = { idleTimeoutMs: 10 };
    await platform.runtime.deploy(deployRequest("one", { scaling }), { signal: never });
    await expect.poll(() => platform.engine.containers.size).toBe(0);
  });

  test("below the minimum is brought back without a caller", async () => {
    await using platform = await FakePlatform.create({ limits: { livenessIntervalMs: 10 } });
    const scaling = { min: 1, idleTimeoutMs: 1 };
    await platform.runtime.deploy(deployRequest("one", { scaling }), { signal: never });
    const [before] = platform.runtime.instances();
    platform.engine.crash(platform.engine.running[0]?.id ?? "", 1);
    await expect
      .poll(() => platform.runtime.instances())
      .toMatchObject([{ id: expect.not.stringContaining(before?.id ?? ""), state: "ready" }]);
  });

  test("without a snapshot gets one before its first rest", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.captureFailure = "not now";
    await platform.runtime.deploy(deployRequest("one", { scaling: { idleTimeoutMs: 50 } }), {
      signal: never,
    });
    platform.snapshotter.captureFailure = undefined;
    await expect.poll(() => platform.types()).toContain("instance-pause");
    expect(platform.snapshotter.snapshots.size).toBe(1);
  });
});

test("a model that does not start turns callers away for a while from the second failure on", async () => {
  await using platform = await FakePlatform.create({ limits: { restartBackoffMs: 60_000 } });
  platform.snapshotter.capability = { isAvailable: false };
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  await platform.runtime.scaleToZero(model, { tier: "stopped" });
  platform.engine.behaviours.set("one", { setup: "fail" });
  const acquire = (): Promise<unknown> => platform.runtime.acquire(model, { signal: never });
  await expect(acquire()).rejects.toMatchObject({ code: "start_failed" });
  await expect(acquire()).rejects.toMatchObject({ code: "start_failed" });
  expect(platform.engine.starts("one")).toBe(3);
  await expect(acquire()).rejects.toMatchObject({
    code: "start_failed",
    retryAfterMs: expect.any(Number),
  });
  expect(platform.engine.starts("one")).toBe(3);
  expect(platform.engine.containers.size).toBe(0);
});

describe("callers who wait are told for what", () => {
  const told: WaitPhase[] = [];
  const onPhase = (phase: WaitPhase): void => void told.push(phase);

  beforeEach(() => void told.splice(0));

  test("of a cold start: each step as it begins", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.capability = { isAvailable: false };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    await platform.runtime.acquire(model, { signal: never, onPhase });
    expect(told).toEqual([
      { state: "queued" },
      { state: "starting", step: "image" },
      { state: "starting", mode: "cold", step: "create" },
      { state: "starting", mode: "cold", step: "engine-start" },
      { state: "starting", mode: "cold", step: "setup" },
    ]);
  });

  test("of a restore that fails: that it has become a cold start", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    platform.engine.restoreFailure = "the kernel changed";
    await platform.runtime.acquire(model, { signal: never, onPhase });
    expect(told).toEqual([
      { state: "queued" },
      { state: "starting", step: "image" },
      { state: "starting", mode: "restored", step: "create" },
      { state: "starting", mode: "restored", step: "engine-start" },
      { state: "starting", mode: "cold", step: "setup" },
    ]);
  });

  test("of a resume, and of a restore with its proof", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "paused" });
    const lease = await platform.runtime.acquire(model, { signal: never, onPhase });
    expect(told.at(-1)).toEqual({ state: "starting", mode: "resumed", step: "unpause" });
    lease.release("done");
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    await platform.runtime.acquire(model, { signal: never, onPhase });
    expect(told.at(-1)).toEqual({ state: "starting", mode: "restored", step: "prove" });
  });

  test("of a busy instance, and of a start that was under way when they came", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("one", { setupMs: 50 });
    platform.snapshotter.capability = { isAvailable: false };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.scaleToZero(model, { tier: "stopped" });
    const setUp = Promise.withResolvers<void>();
    const first = platform.runtime.acquire(model, {
      signal: never,
      onPhase: (phase) => phase.state === "starting" && phase.step === "setup" && setUp.resolve(),
    });
    await setUp.promise;
    const second = platform.runtime.acquire(model, { signal: never, onPhase });
    expect(told).toEqual([{ state: "starting", mode: "cold", step: "setup" }]);
    const lease = await first;
    expect(told.at(-1)).toEqual({ state: "queued" });
    lease.release("done");
    await second;
  });
});
