import { describe, expect, test } from "vitest";

import { DeployError } from "../../../../runtime/errors.ts";
import type { DeployEvent } from "../../../../runtime/events.ts";
import { deployRequest } from "../deploy-request.ts";
import { FakePlatform, never } from "../fake-platform.ts";

async function failureOf(promise: Promise<unknown>): Promise<DeployError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(DeployError);
  return error as DeployError;
}

describe("a deploy", () => {
  test("records the version, proves it, captures it and switches traffic to it", async () => {
    await using platform = await FakePlatform.create();
    const events: DeployEvent[] = [];
    const result = await platform.runtime.deploy(deployRequest("one"), {
      signal: never,
      onEvent: (event) => events.push(event),
    });
    expect(events.map(({ type }) => type)).toEqual([
      "image-ready",
      "version-recorded",
      "setup-start",
      "setup-end",
      "example-start",
      "example-end",
      "snapshot-start",
      "snapshot-end",
      "traffic-switch",
      "deploy-end",
    ]);
    expect(result).toMatchObject({
      isChanged: true,
      output: "hello",
      version: { number: 1, example: { input: { text: "you" } } },
      snapshot: { id: "s1", sizeBytes: 1000 },
      start: { mode: "cold", reason: "no snapshot yet" },
    });
    expect(platform.runtime.model("acme/greeter")).toMatchObject({
      deployment: { traffic: [{ version: 1, percent: 100 }] },
      live: { example: { output: "hello" } },
      instances: [{ state: "ready" }],
    });
    expect(platform.snapshotter.snapshots.get("s1")?.warmUp).toEqual({
      input: { text: "you" },
      output: "hello",
    });
  });

  test("of an unchanged image starts nothing and gives the same number", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    const again = await platform.runtime.deploy(deployRequest("one"), { signal: never });
    expect(again).toMatchObject({ isChanged: false, version: { number: 1 } });
    expect(platform.engine.starts("one")).toBe(1);
    expect(platform.runtime.releases("acme/greeter")).toHaveLength(1);
  });

  test("drains the former version's instances after the switch", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    const lease = await platform.runtime.acquire("acme/greeter", { signal: never });
    await platform.runtime.deploy(deployRequest("two"), { signal: never });
    const states = platform.runtime.instances().map(({ version, state }) => [version, state]);
    expect(states.toSorted(([a], [b]) => Number(a) - Number(b))).toEqual([
      [1, "draining"],
      [2, "ready"],
    ]);
    lease.release("done");
    await expect
      .poll(() => platform.runtime.instances().map(({ version }) => version))
      .toEqual([2]);
  });

  test.each([
    ["fail", { phase: "setup", isOutOfMemory: false }],
    ["exit", { phase: "setup", exitCode: 3 }],
    ["memory", { phase: "setup", exitCode: 137, isOutOfMemory: true }],
  ] as const)(
    "whose setup ends in %s fails with what a user needs to know",
    async (setup, facts) => {
      await using platform = await FakePlatform.create();
      await platform.runtime.deploy(deployRequest("good"), { signal: never });
      platform.engine.behaviours.set("bad", { setup });
      const error = await failureOf(
        platform.runtime.deploy(deployRequest("bad"), { signal: never }),
      );
      expect(error).toMatchObject({
        code: "deploy_failed",
        version: 2,
        ...facts,
        logLines: ["Traceback", "RuntimeError: no weights"],
      });
      expect(error.hint).toBeTypeOf("string");
      const lease = await platform.runtime.acquire("acme/greeter", { signal: never });
      expect(lease.version).toBe(1);
      expect([...platform.engine.containers.values()].map(({ spec }) => spec.imageId)).toEqual([
        "good",
      ]);
      expect(platform.types()).toContain("deploy-fail");
    },
  );

  test("whose setup hangs fails at its deadline and leaves no container", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("slow", { setup: "hang" });
    const request = deployRequest("slow", { settings: { setupTimeoutMs: 100 } });
    const error = await failureOf(platform.runtime.deploy(request, { signal: never }));
    expect(error).toMatchObject({ phase: "setup", message: expect.stringContaining("0.1 s") });
    expect(platform.engine.containers.size).toBe(0);
    expect(platform.store.instances.list()).toEqual([]);
    await expect(platform.runtime.acquire("acme/greeter", { signal: never })).rejects.toMatchObject(
      { code: "model_not_found" },
    );
  });

  test("whose image cannot be pulled says so", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("gone", { isMissing: true });
    const error = await failureOf(
      platform.runtime.deploy(deployRequest("gone"), { signal: never }),
    );
    expect(error).toMatchObject({ phase: "image", message: expect.stringContaining("manifest") });
  });

  test("whose example fails keeps the former version serving", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("good"), { signal: never });
    platform.engine.behaviours.set("wrong", { answer: undefined });
    const error = await failureOf(
      platform.runtime.deploy(deployRequest("wrong"), { signal: never }),
    );
    expect(error).toMatchObject({
      phase: "example",
      message: expect.stringContaining("the model raised"),
    });
    expect(platform.runtime.model("acme/greeter").live?.number).toBe(1);
    expect(platform.runtime.live("acme/greeter")?.number).toBe(1);
    expect(platform.engine.containers.size).toBe(1);
  });

  test("succeeds without a snapshot and tells the reason", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.captureFailure = "io_uring cannot be dumped";
    const result = await platform.runtime.deploy(deployRequest("one"), { signal: never });
    expect(result.snapshot).toEqual({ reason: "io_uring cannot be dumped" });
    expect(platform.runtime.model("acme/greeter").live?.number).toBe(1);
    expect(platform.runtime.live("acme/greeter")?.number).toBe(1);
  });

  test("tells why a capture was made but cannot be used", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.captureOutcome = { status: "failed", reason: "open connections" };
    const result = await platform.runtime.deploy(deployRequest("one"), { signal: never });
    expect(result.snapshot).toEqual({ reason: "open connections" });
  });

  test("keeps no connection of its own open while the container is captured", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    expect(platform.snapshotter.connectionsAtCapture).toEqual([0]);
  });

  test("that the user aborts removes its container and frees the model for the next", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("slow", { setup: "hang" });
    const abort = new AbortController();
    const deploy = platform.runtime.deploy(deployRequest("slow"), { signal: abort.signal });
    await expect.poll(() => platform.engine.containers.size).toBe(1);
    abort.abort(new Error("Ctrl-C"));
    await expect(deploy).rejects.toThrow("Ctrl-C");
    expect(platform.engine.containers.size).toBe(0);
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
  });

  test("waits for another of the same model, or fails when asked to; the last one wins whole", async () => {
    await using platform = await FakePlatform.create();
    platform.engine.behaviours.set("one", { setupMs: 50 });
    const first = platform.runtime.deploy(deployRequest("one"), { signal: never });
    const events: string[] = [];
    const second = platform.runtime.deploy(deployRequest("two"), {
      signal: never,
      onEvent: ({ type }) => events.push(type),
    });
    const third = failureOf(
      platform.runtime.deploy(deployRequest("three"), { signal: never, onConflict: "fail" }),
    );
    expect((await third).code).toBe("deploy_in_progress");
    await Promise.all([first, second]);
    expect(events[0]).toBe("deploy-wait");
    expect(platform.runtime.model("acme/greeter").deployment?.traffic).toEqual([
      { version: 2, percent: 100 },
    ]);
    await expect
      .poll(() => platform.runtime.instances().map(({ version }) => version))
      .toEqual([2]);
  });
});

describe("a rollback", () => {
  test("goes back to the release before, once that version has an instance ready", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.deploy(deployRequest("two"), { signal: never });
    const deployment = await platform.runtime.rollback("acme/greeter", {}, { signal: never });
    expect(deployment.traffic).toEqual([{ version: 1, percent: 100 }]);
    const lease = await platform.runtime.acquire("acme/greeter", { signal: never });
    expect(lease.version).toBe(1);
    expect(platform.runtime.releases("acme/greeter").map(({ kind }) => kind)).toEqual([
      "rollback",
      "deploy",
      "deploy",
    ]);
  });

  test("to a version that does not start any more changes nothing", async () => {
    await using platform = await FakePlatform.create();
    platform.snapshotter.capability = { isAvailable: false, reason: "no CRIU" };
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await platform.runtime.deploy(deployRequest("two"), { signal: never });
    await expect.poll(() => platform.runtime.instances()).toHaveLength(1);
    platform.engine.behaviours.set("one", { setup: "fail" });
    await expect(
      platform.runtime.rollback("acme/greeter", {}, { signal: never }),
    ).rejects.toMatchObject({ code: "start_failed" });
    expect(platform.runtime.model("acme/greeter").live?.number).toBe(2);
    expect(platform.runtime.live("acme/greeter")?.number).toBe(2);
    expect(platform.runtime.live("acme/greeter")).toBe(platform.runtime.live("acme/greeter"));
    expect(platform.runtime.live("nobody/nothing")).toBeUndefined();
  });

  test("without an earlier release is refused", async () => {
    await using platform = await FakePlatform.create();
    await platform.runtime.deploy(deployRequest("one"), { signal: never });
    await expect(
      platform.runtime.rollback("acme/greeter", {}, { signal: never }),
    ).rejects.toMatchObject({ code: "no_earlier_release" });
  });
});

test("a promoted share of the traffic reaches the version it was given to", async () => {
  let point = 0;
  await using platform = await FakePlatform.create({ random: () => point });
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  await platform.runtime.deploy(deployRequest("two", { percent: 0 }), { signal: never });
  await platform.runtime.promote("acme/greeter", { version: 2, percent: 20 }, { signal: never });
  point = 0.5;
  const most = await platform.runtime.acquire("acme/greeter", { signal: never });
  point = 0.9;
  const some = await platform.runtime.acquire("acme/greeter", { signal: never });
  expect([most.version, some.version]).toEqual([1, 2]);
});

test("a removed model is gone with its instances and snapshots", async () => {
  await using platform = await FakePlatform.create();
  await platform.runtime.deploy(deployRequest("one"), { signal: never });
  await platform.runtime.removeModel("acme/greeter", { signal: never });
  expect(platform.engine.containers.size).toBe(0);
  expect(platform.snapshotter.snapshots.size).toBe(0);
  expect(() => platform.runtime.model("acme/greeter")).toThrow("no model acme/greeter");
});
