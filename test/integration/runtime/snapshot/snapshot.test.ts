// Capture and restore with a real Docker Engine, CRIU and coglet. If these fail, users get cold starts where they were
// promised warm ones; or worse, clones that share their random numbers, lose files, or answer wrongly.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import Docker from "dockerode";
import { request } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { createDockerEngine } from "../../../../runtime/engine/docker.ts";
import type { ContainerSpec, Engine } from "../../../../runtime/engine/engine.ts";
import type { InstanceIdentity } from "../../../../runtime/snapshot/identity.ts";
import type {
  CompatibilityKey,
  Snapshot,
  Snapshotter,
} from "../../../../runtime/snapshot/snapshot.ts";
import { createSnapshotter } from "../../../../runtime/snapshot/snapshotter.ts";
import { baseImage, ensureCloneImage } from "./clone-image.ts";

const network = "byom-test-snapshot";
const labels = { "byom.test": `snapshot-${process.pid}` };
const warmUp = { input: { do: "sum" } };
const signal = AbortSignal.timeout(280_000);

const docker = new Docker();
const engine: Engine = createDockerEngine({ docker, isUnixSocket: true });
const skipReason = await findSkipReason();
if (skipReason !== undefined) console.log(`skipped: snapshot integration: ${skipReason}`);

let directory = "";
let snapshotter: Snapshotter;
let imageId = "";
let serial = 0;

interface Running {
  readonly containerId: string;
  readonly address: string;
}

describe.skipIf(skipReason !== undefined)("snapshots", () => {
  let original: Running;
  let key: CompatibilityKey;
  let snapshot: Snapshot;

  beforeAll(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "byom-snapshots-"));
    snapshotter = await openSnapshotter();
    imageId = await ensureCloneImage(docker);
    original = await start(spec());
    key = await keyOf(spec());
  });

  beforeEach(async () => {
    const found = await snapshotter.find(key);
    snapshot =
      found.snapshot ?? (await snapshotter.capture({ ...original, key, warmUp }, { signal }));
    expect(snapshot).toMatchObject({ status: "available" });
  });

  afterAll(async () => {
    for (const { id } of await engine.list(labels, { signal })) await engine.remove(id, { signal });
    await docker.getNetwork(network).remove();
    await rm(directory, { recursive: true, force: true });
  });

  it("captures a container that serves on, with the answer of its example", async () => {
    expect(snapshot.warmUp).toEqual({ ...warmUp, output: { sum: 42 } });
    expect(snapshot.sizeBytes).toBeGreaterThan(8 << 20);
    expect(await predict(original)).toMatchObject({ seen: ["before"], restores: 0 });
  });

  it("gives every clone its own random numbers, runs its hooks, and keeps files and deletions", async () => {
    const clones = await Promise.all([restore(snapshot), restore(snapshot), restore(snapshot)]);
    const answers = await Promise.all(clones.map((clone) => predict(clone)));
    for (const [index, answer] of answers.entries()) {
      const id = `i-${clones[index]?.containerId.slice(0, 12)}`;
      expect(answer).toMatchObject({
        seen: ["before", `after ${id}`],
        restores: 1,
        written: "kept",
        deleted: true,
        deep: true,
      });
    }
    for (const name of ["random", "numpy", "uuid", "uuid1"] as const) {
      expect(new Set(answers.map((answer) => answer[name])).size, name).toBe(3);
    }
  });

  it("restores an ordinary container: logs, pause, stop, and a cold start after that", async () => {
    const clone = await restore(snapshot);
    await engine.pause(clone.containerId, { signal });
    await engine.unpause(clone.containerId, { signal });
    expect(await predict(clone)).toMatchObject({ restores: 1 });
    expect(await engine.logs(clone.containerId, { lines: 10, signal })).toContain("prediction");
    await engine.stop(clone.containerId, { graceMs: 5000, signal });
    await engine.start(clone.containerId, { signal });
    const again = await waitUntilReady(clone.containerId);
    expect(await predict(again)).toMatchObject({ restores: 0, seen: [] });
  });

  it("refuses a page image that was cut off, says so, and does not offer it again", async () => {
    const images = path.join(directory, snapshot.id, "images");
    const pages = (await readdir(images)).find((name) => name.startsWith("pages-")) ?? "";
    await truncate(path.join(images, pages), 4096);
    const containerId = await engine.create(spec(), { signal });
    const attempt = snapshotter.prepareRestore({ containerId, snapshot }, { signal });
    const reason = `images/${pages} has 4096 bytes instead of`;
    await expect(attempt).rejects.toThrow(reason);
    await snapshotter.quarantine(snapshot, "the snapshot is damaged");
    expect(await snapshotter.find(key)).toMatchObject({
      reason: "snapshot failed: the snapshot is damaged",
      failed: { id: snapshot.id, mayRetry: true },
    });
    expect(await readdir(path.join(directory, snapshot.id))).toEqual(["snapshot.json"]);
  });

  it("finds a change that keeps size and times of the file", async () => {
    const record = path.join(directory, snapshot.id, "images/inventory.img");
    const { size } = await stat(record);
    await writeFile(record, Buffer.alloc(size, 7));
    const containerId = await engine.create(spec(), { signal });
    await expect(snapshotter.prepareRestore({ containerId, snapshot }, { signal })).rejects.toThrow(
      "images/inventory.img is not what was captured",
    );
    await snapshotter.quarantine(snapshot, "changed");
  });

  it("starts cold by itself, with CRIU's reason, when the restore fails after all checks", async () => {
    const containerId = await engine.create(spec(), { signal });
    await snapshotter.prepareRestore({ containerId, snapshot }, { signal });
    await rm(path.join(directory, snapshot.id, "images/inventory.img"));
    await engine.start(containerId, { signal });
    const outcome = await snapshotter.outcome(containerId);
    expect(outcome).toMatchObject({ restored: false });
    expect(outcome.reason).toMatch(/^runc restore failed with exit code 1; .*empty-image/);
    expect(await predict(await waitUntilReady(containerId))).toMatchObject({ restores: 0 });
    await snapshotter.quarantine(snapshot, outcome.reason ?? "");
  });

  it("rejects a clone whose example answers differently", async () => {
    const { containerId } = await restored(snapshot);
    const wrong = { ...snapshot, warmUp: { ...warmUp, output: { sum: 41 } } };
    const running = await waitUntilReady(containerId);
    const identity = identityOf(containerId);
    await expect(
      snapshotter.prove({ ...running, snapshot: wrong, identity }, { signal }),
    ).rejects.toThrow("answers the example differently");
  });

  it("has none for another kernel or environment, and says what changed", async () => {
    expect(await snapshotter.find({ ...key, kernel: "5.4.0" })).toEqual({
      reason: `no snapshot fits: the kernel changed from ${key.kernel} to 5.4.0`,
    });
    const other = await keyOf({ ...spec(), environment: { MODE: "fast" } });
    expect(await snapshotter.find(other)).toEqual({
      reason: "no snapshot fits: the environment or a resource limit changed",
    });
  });

  it("does not capture an image without the helper, whose clones would be alike", async () => {
    const plain = { ...spec(), environment: { BYOM_HOOKS: "0" } };
    const running = await start(plain);
    const failed = await snapshotter.capture({ ...running, key: await keyOf(plain) }, { signal });
    expect(failed).toMatchObject({ status: "failed" });
    expect(failed.reason).toContain("without byom's helper");
  });

  it("leaves nothing of an aborted capture, and the container serving", async () => {
    const aborted = new AbortController();
    const otherKey = { ...key, weightsDigest: "sha256:aborted" };
    const capture = snapshotter.capture({ ...original, key: otherKey }, { signal: aborted.signal });
    setTimeout(() => aborted.abort(new Error("the user left")), 150);
    await expect(capture).rejects.toThrow("the user left");
    const names = await readdir(directory);
    expect(names.filter((name) => name.startsWith(".capture-"))).toEqual([]);
    expect(await snapshotter.find(otherKey)).toHaveProperty("reason");
    expect(await predict(original)).toMatchObject({ restores: 0 });
  });

  it("lets a container run on that a killed byom left frozen in a capture", async () => {
    const unfinished = path.join(directory, ".capture-killed");
    await mkdir(unfinished);
    await writeFile(path.join(unfinished, "container"), original.containerId);
    execFileSync("runc", [
      "--root",
      "/var/run/docker/runtime-runc/moby",
      "pause",
      original.containerId,
    ]);
    await openSnapshotter();
    expect(await predict(original)).toMatchObject({ restores: 0 });
    expect(await readdir(directory)).not.toContain(".capture-killed");
  });

  it("joins a second capture of one key to the first", async () => {
    const otherKey = { ...key, weightsDigest: "sha256:twice" };
    const [first, second] = await Promise.all([
      snapshotter.capture({ ...original, key: otherKey }, { signal }),
      snapshotter.capture({ ...original, key: otherKey }, { signal }),
    ]);
    expect(second).toBe(first);
    await snapshotter.remove(first.id);
    await expect(snapshotter.remove(first.id)).rejects.toThrow("there is no snapshot");
  });
});

async function findSkipReason(): Promise<string | undefined> {
  try {
    await docker.getImage(baseImage).inspect();
    const probe = await mkdtemp(path.join(tmpdir(), "byom-probe-"));
    const { capability } = await openSnapshotter(probe);
    await rm(probe, { recursive: true });
    return capability.isAvailable ? undefined : capability.reason;
  } catch (error) {
    return (error as Error).message;
  }
}

async function openSnapshotter(at: string = directory): Promise<Snapshotter> {
  return await createSnapshotter({
    engine: await engine.info({ signal }),
    directory: at,
    runc: execFileSync("sh", ["-c", "command -v runc"], { encoding: "utf8" }).trim(),
    criuDirectory: "/var/lib/byom/bin",
    isRoot: process.getuid?.() === 0,
    signal,
  });
}

function spec(): ContainerSpec {
  serial += 1;
  return {
    name: `byom-test-snapshot-${process.pid}-${serial}`,
    imageId,
    ociRuntime: "byom",
    labels,
    environment: {},
    mounts: [],
    network,
    memoryBytes: 1 << 30,
    pidsMax: 512,
  };
}

async function keyOf(of: ContainerSpec): Promise<CompatibilityKey> {
  return await snapshotter.key({ spec: of, weightsDigest: "sha256:none" }, { signal });
}

async function start(of: ContainerSpec): Promise<Running> {
  const containerId = await engine.create(of, { signal });
  await engine.start(containerId, { signal });
  return await waitUntilReady(containerId);
}

async function restored(snapshot: Snapshot): Promise<{ containerId: string }> {
  const containerId = await engine.create(spec(), { signal });
  await snapshotter.prepareRestore({ containerId, snapshot }, { signal });
  await engine.start(containerId, { signal });
  expect(await snapshotter.outcome(containerId)).toMatchObject({ restored: true });
  return { containerId };
}

async function restore(snapshot: Snapshot): Promise<Running> {
  const { containerId } = await restored(snapshot);
  const running = await waitUntilReady(containerId);
  const identity = identityOf(containerId);
  const phases = await snapshotter.prove({ ...running, snapshot, identity }, { signal });
  expect(phases.map((phase) => phase.name)).toEqual(["hooks", "warm-up"]);
  return running;
}

function identityOf(containerId: string): InstanceIdentity {
  return {
    id: `i-${containerId.slice(0, 12)}`,
    containerId,
    modelId: "test/clone",
    version: 1,
    hostname: containerId.slice(0, 12),
    start: "restored",
    startedAt: new Date().toISOString(),
    environment: { MODE: `of ${containerId.slice(0, 12)}` },
    secrets: { TOKEN: `token of ${containerId.slice(0, 12)}` },
  };
}

async function waitUntilReady(containerId: string): Promise<Running> {
  while (true) {
    const state = await engine.inspect(containerId, { signal });
    if (state?.address === undefined) throw new Error(`container is ${state?.status ?? "gone"}`);
    const { address } = state;
    const health = await request(`http://${address}/health-check`, { reset: true, signal })
      .then((response) => response.body.json() as Promise<{ status: string }>)
      .catch(() => ({ status: "UNREACHABLE" }));
    if (health.status === "READY") return { containerId, address };
    if (health.status === "SETUP_FAILED") throw new Error("setup failed");
    await delay(10, undefined, { signal });
  }
}

async function predict(
  running: Running,
  input: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, unknown>> {
  const response = await request(`http://${running.address}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input }),
    reset: true,
    signal,
  });
  const answer = (await response.body.json()) as {
    status: string;
    output: Record<string, unknown>;
  };
  expect(answer).toMatchObject({ status: "succeeded" });
  return answer.output;
}
