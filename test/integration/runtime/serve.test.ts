// The runtime over a real Docker Engine and a real coglet: what the unit tests prove with injected faults must hold
// for containers that really run out of memory, really hang, and really outlive the platform.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import Docker from "dockerode";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { createDockerEngine } from "../../../runtime/engine/docker.ts";
import {
  createRuntime,
  openStore,
  type DeployError,
  type DeployRequest,
  type Runtime,
  type Snapshotter,
  type Store,
} from "../../../runtime/index.ts";
import { ensureCogletImage } from "./coglet-image.ts";

const docker = new Docker();
const signal = new AbortController().signal;
const modelId = "byom-test/greeter";
const dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-serve-"));
let imageId = "";
let store: Store;
let runtime: Runtime;

const refuse = (): Promise<never> => Promise.reject(new Error("this host cannot snapshot"));
const noSnapshots: Snapshotter = {
  capability: { isAvailable: false, reason: "turned off in this test" },
  key: refuse,
  find: refuse,
  capture: refuse,
  prepareRestore: refuse,
  outcome: refuse,
  forget: () => Promise.resolve(),
  prove: refuse,
  introduce: () => Promise.resolve(),
  quarantine: refuse,
  list: () => Promise.resolve([]),
  remove: refuse,
  verify: refuse,
};

function open(): void {
  store = openStore({ dataDirectory });
  const engine = createDockerEngine({ docker, isUnixSocket: true });
  runtime = createRuntime({ engine, snapshotter: noSnapshots, store, network: "byom-test-serve" });
}

function deployRequest(more: Partial<DeployRequest> = {}): DeployRequest {
  return {
    modelId,
    image: { imageId, reference: `registry.invalid/byom-test/greeter@${imageId}` },
    weightsDigest: "sha256:none",
    example: { input: { text: "you" } },
    ...more,
  };
}

async function predict(input: Record<string, unknown>): Promise<{ output: unknown; mode: string }> {
  const lease = await runtime.acquire(modelId, { signal });
  try {
    for (;;) {
      const response = await request(`${lease.origin}/predictions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ input }),
      });
      const body = (await response.body.json()) as { output: unknown };
      // Coglet answers a moment before it frees the slot; the slot is ours, so it will be free.
      if (response.statusCode === 409) continue;
      return { output: body.output, mode: lease.start.mode };
    }
  } finally {
    lease.release("done");
  }
}

async function containers(): Promise<readonly string[]> {
  const label = [`byom.platform=${store.platformId}`];
  const list = await docker.listContainers({ all: true, filters: { label } });
  return list.map(({ Id }) => Id);
}

beforeAll(async () => {
  imageId = await ensureCogletImage(docker);
  open();
  await runtime.start({ signal });
});

afterAll(async () => {
  await runtime.down({ signal });
  expect(await containers()).toEqual([]);
  store.close();
  rmSync(dataDirectory, { recursive: true, force: true });
  await docker.getNetwork("byom-test-serve").remove();
});

describe("a model on a real engine", () => {
  test("is deployed, answers, scales to zero, and wakes for ten callers at once with one start", async () => {
    const result = await runtime.deploy(deployRequest(), { signal });
    expect(result).toMatchObject({
      output: "hello you",
      start: { mode: "cold" },
      version: { number: 1, inputSchema: { required: ["text"] } },
      snapshot: { reason: "turned off in this test" },
    });
    expect(await predict({ text: "there" })).toEqual({ output: "hello there", mode: "running" });
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    expect(await containers()).toEqual([]);
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) => predict({ text: String(index) })),
    );
    expect(answers.map(({ output }) => output)).toEqual(
      Array.from({ length: 10 }, (_, index) => `hello ${index}`),
    );
    expect(answers.filter(({ mode }) => mode === "cold")).toHaveLength(1);
    expect(await containers()).toHaveLength(1);
  });

  test("is paused and resumed", async () => {
    await runtime.scaleToZero(modelId, { tier: "paused" });
    const [paused] = await containers();
    expect((await docker.getContainer(paused ?? "").inspect()).State.Paused).toBe(true);
    expect(await predict({ text: "again" })).toEqual({ output: "hello again", mode: "resumed" });
  });

  test("is replaced when its container is killed during a prediction", async () => {
    const [before] = await containers();
    const lease = await runtime.acquire(modelId, { signal });
    const answer = request(`${lease.origin}/predictions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: { text: "lost", seconds: 30 } }),
    }).then(
      () => "answered",
      () => "cut",
    );
    await docker.getContainer(before ?? "").kill();
    expect(await answer).toBe("cut");
    lease.release("failed");
    expect(await predict({ text: "new" })).toEqual({ output: "hello new", mode: "cold" });
    await expect.poll(containers).toHaveLength(1);
    expect(await containers()).not.toContain(before);
  });
});

describe("a version that does not come up", () => {
  test.each([
    [
      "raise",
      {},
      { phase: "setup", isOutOfMemory: false },
      "the weights are not what they should be",
    ],
    ["exit", {}, { phase: "setup" }, "setup begins in mode exit"],
    ["hang", { setupTimeoutMs: 8000 }, { phase: "setup" }, "setup begins in mode hang"],
    [
      "memory",
      { memoryBytes: 256 * 1024 * 1024 },
      { phase: "setup", isOutOfMemory: true },
      "setup begins in mode memory",
    ],
  ])("because of %s leaves the former one serving", async (mode, settings, facts, logLine) => {
    const [before] = await containers();
    const environment = { TEST_SETUP: mode };
    const deploy = runtime.deploy(deployRequest({ settings: { ...settings, environment } }), {
      signal,
    });
    const error = (await deploy.catch((reason: unknown) => reason)) as DeployError;
    expect(error).toMatchObject({ code: "deploy_failed", ...facts });
    expect(error.logLines.join("\n")).toContain(logLine);
    expect(await containers()).toEqual([before]);
    expect((await predict({ text: "still" })).output).toBe("hello still");
  });
});

test("a platform that is killed finds its containers, models and releases again", async () => {
  const [before] = await containers();
  const orphan = await docker.createContainer({
    Image: imageId,
    name: `byom-orphan-${process.pid}`,
    Labels: { "byom.platform": store.platformId, "byom.instance": "i-unknown" },
  });
  await orphan.start();
  // What a kill -9 leaves: the files and the containers. The old runtime is never spoken to again.
  store.close();
  open();
  expect(await runtime.start({ signal })).toEqual({ adopted: 1, removed: 1 });
  expect(await containers()).toEqual([before]);
  expect(await predict({ text: "after" })).toEqual({ output: "hello after", mode: "running" });
});
