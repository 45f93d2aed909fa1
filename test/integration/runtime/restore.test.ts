// The runtime with real snapshots: a model at zero comes back restored, each clone with its own random numbers, and a
// snapshot that breaks costs its users a cold start with the reason, never an answer.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import Docker from "dockerode";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  createDockerEngine,
  createRuntime,
  createSnapshotter,
  openStore,
  type Lease,
  type Runtime,
  type RuntimeEvent,
  type Snapshotter,
  type Store,
} from "../../../runtime/index.ts";
import { baseImage, ensureCloneImage } from "./snapshot/clone-image.ts";

const docker = new Docker();
const engine = createDockerEngine({ docker, isUnixSocket: true });
const signal = new AbortController().signal;
const modelId = "byom-test/clone";
const network = "byom-test-restore";
const dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-restore-"));
const skipReason = await findSkipReason();
if (skipReason !== undefined) console.log(`skipped: restores by the runtime: ${skipReason}`);

async function openSnapshotter(): Promise<Snapshotter> {
  return await createSnapshotter({
    engine: await engine.info({ signal }),
    directory: path.join(dataDirectory, "snapshots"),
    runc: execFileSync("sh", ["-c", "command -v runc"], { encoding: "utf8" }).trim(),
    criuDirectory: "/var/lib/byom/bin",
    isRoot: process.getuid?.() === 0,
    signal,
  });
}

async function findSkipReason(): Promise<string | undefined> {
  try {
    await docker.getImage(baseImage).inspect();
    const { capability } = await openSnapshotter();
    return capability.isAvailable ? undefined : capability.reason;
  } catch (error) {
    return (error as Error).message;
  }
}

async function ask(lease: Lease): Promise<Record<string, unknown>> {
  const response = await request(`${lease.origin}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: {} }),
  });
  const { output } = (await response.body.json()) as { output: Record<string, unknown> };
  return output;
}

describe.skipIf(skipReason !== undefined)("a model with a snapshot", () => {
  const events: RuntimeEvent[] = [];
  let store: Store;
  let runtime: Runtime;

  beforeAll(async () => {
    const imageId = await ensureCloneImage(docker);
    store = openStore({ dataDirectory });
    const snapshotter = await openSnapshotter();
    const onEvent = (event: RuntimeEvent): number => events.push(event);
    runtime = createRuntime({ engine, snapshotter, store, network, onEvent });
    await runtime.start({ signal });
    const result = await runtime.deploy(
      {
        modelId,
        image: { imageId, reference: `registry.invalid/${modelId}@${imageId}` },
        weightsDigest: "sha256:none",
        example: { input: { do: "sum" } },
        scaling: { max: 3 },
      },
      { signal },
    );
    expect(result.snapshot).toEqual({ id: expect.any(String), sizeBytes: expect.any(Number) });
  });

  afterAll(async () => {
    await runtime.down({ signal });
    store.close();
    rmSync(dataDirectory, { recursive: true, force: true });
    await docker.getNetwork(network).remove();
  });

  test("is restored from zero, three clones with three random numbers", async () => {
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    const leases = await Promise.all([1, 2, 3].map(() => runtime.acquire(modelId, { signal })));
    const answers = await Promise.all(leases.map(ask));
    for (const lease of leases) lease.release("done");
    expect(leases.map(({ start }) => [start.mode, start.reason])).toEqual([
      ["restored", undefined],
      ["restored", undefined],
      ["restored", undefined],
    ]);
    for (const name of ["random", "numpy", "uuid"]) {
      expect(new Set(answers.map((answer) => answer[name])).size, name).toBe(3);
    }
  });

  test("whose images are damaged starts cold, says why, and never offers them again", async () => {
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    const [snapshot] = await runtime.snapshots();
    const images = path.join(dataDirectory, "snapshots", snapshot?.id ?? "", "images");
    const pages = readdirSync(images).find((name) => name.startsWith("pages-")) ?? "";
    truncateSync(path.join(images, pages), 4096);
    const lease = await runtime.acquire(modelId, { signal });
    const answer = await ask(lease);
    lease.release("done");
    expect(lease.start).toMatchObject({
      mode: "cold",
      reason: expect.stringContaining("has 4096 bytes instead of"),
    });
    expect(answer).toMatchObject({ restores: 0 });
    expect(await runtime.snapshots()).toMatchObject([{ status: "failed" }]);
    expect(events.map(({ type }) => type)).toContain("snapshot-quarantine");
    const label = [`byom.platform=${store.platformId}`];
    expect(await docker.listContainers({ all: true, filters: { label } })).toHaveLength(1);
  });
});
