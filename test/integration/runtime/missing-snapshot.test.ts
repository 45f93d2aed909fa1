// The runtime with real snapshots that do not fit, or are not there. If these fail, a program is restored on a machine
// where it crashes, or users lose calls while their model is captured.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  createRuntime,
  openStore,
  type Lease,
  type Runtime,
  type RuntimeEvent,
  type Store,
} from "../../../runtime/index.ts";
import { predict } from "../../../runtime/instance/predict.ts";
import type { CompatibilityKey, StartReport } from "../../../runtime/snapshot/snapshot.ts";
import { ensureCloneImage } from "./snapshot/clone-image.ts";
import { SnapshotLab } from "./snapshot/snapshot-lab.ts";

const signal = new AbortController().signal;
const modelId = "byom-test/fit";
const network = "byom-test-fit";
const weightsDigest = `sha256:${"1".repeat(64)}`;
const dataDirectory = mkdtempSync(join(tmpdir(), "byom-fit-"));
const snapshots = join(dataDirectory, "snapshots");
const lab = new SnapshotLab("fit");
const skipReason = await lab.skipReason(snapshots);
if (skipReason !== undefined) console.log(`skipped: snapshots that do not fit: ${skipReason}`);

describe.skipIf(skipReason !== undefined)("a model whose snapshot", () => {
  const events: RuntimeEvent[] = [];
  let store: Store;
  let runtime: Runtime;

  beforeAll(async () => {
    const imageId = await ensureCloneImage(lab.docker);
    store = openStore({ dataDirectory });
    runtime = createRuntime({
      engine: lab.engine,
      snapshotter: await lab.open(snapshots),
      store,
      network,
      onEvent: (event) => events.push(event),
      limits: { captureIdleMs: 2000, tickMs: 20, stopGraceMs: 200 },
    });
    await runtime.start({ signal });
    const image = { imageId, reference: `registry.invalid/${modelId}@${imageId}` };
    const example = { input: { do: "sum" } };
    await runtime.deploy({ modelId, image, weightsDigest, example }, { signal });
  });

  afterAll(async () => {
    await runtime.down({ signal });
    store.close();
    rmSync(dataDirectory, { recursive: true, force: true });
    await lab.docker.getNetwork(network).remove();
  });

  test.each([
    [
      "imageId",
      `sha256:${"0".repeat(64)}`,
      "the image changed from sha256:000000000000 to sha256:",
    ],
    [
      "weightsDigest",
      `sha256:${"0".repeat(64)}`,
      "the weights changed from sha256:000000000000 to",
    ],
    ["cpuFeatures", "x64-0", "the CPU's features changed"],
    ["kernel", "5.4.0", "the kernel changed from 5.4.0 to "],
    ["criu", "3.17", "CRIU changed from 3.17 to "],
    [
      "ociRuntime",
      "runc 1.0, byom protocol 0",
      "the OCI runtime changed from runc 1.0, byom protocol 0 to ",
    ],
    ["cgroupVersion", "3", "the cgroup version changed from 3 to "],
    ["gpu", "driver 575, H100", "the GPUs changed from driver 575, H100 to none"],
    ["mounts", ["/cache"], "the mounts changed from /cache to none"],
    ["environment", "0", "the environment or a resource limit changed"],
  ] as const)("is of another %s starts cold and says so", async (field, other, reason) => {
    const [snapshot] = await runtime.snapshots();
    const file = join(snapshots, snapshot?.id ?? "", "snapshot.json");
    const text = readFileSync(file, "utf8");
    const stored = JSON.parse(text) as { snapshot: { key: CompatibilityKey } };
    stored.snapshot.key = { ...stored.snapshot.key, [field]: other };
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    writeFileSync(file, JSON.stringify(stored));
    const { start, output } = await callOnce(runtime);
    expect(output).toMatchObject({ restores: 0 });
    expect(start.mode).toBe("cold");
    expect(start.reason).toContain(`no snapshot fits: ${reason}`);
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    writeFileSync(file, text);
  });

  test("is as it was is restored from it", async () => {
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    const { start, output } = await callOnce(runtime);
    expect(start).toMatchObject({ mode: "restored" });
    expect(output).toMatchObject({ restores: 1 });
  });

  test("is missing gets one while it serves, and no call is lost", async () => {
    for (const { id } of await runtime.snapshots()) await runtime.removeSnapshot(id);
    await runtime.scaleToZero(modelId, { tier: "stopped", nextStart: "cold" });
    events.length = 0;
    const deadline = Date.now() + 30_000;
    let calls = 0;
    while (!events.some(({ type }) => type === "snapshot-capture") && Date.now() < deadline) {
      // In the middle of a capture a call waits; between two of them there is the idle moment that it needs.
      await Promise.all(
        [1, 2, 3].map(async () => {
          const { output } = await callOnce(runtime);
          expect(output).toMatchObject({ restores: 0, written: "kept" });
          calls += 1;
        }),
      );
      await delay(2200);
    }
    expect(events.map(({ type }) => type)).toContain("snapshot-capture");
    expect(calls).toBeGreaterThan(1);
    expect(await runtime.snapshots()).toMatchObject([{ status: "available" }]);
    const { start, output } = await callOnce(runtime);
    expect(start.mode).toBe("running");
    expect(output).toMatchObject({ restores: 0, written: "kept" });
  });
});

/** As the platform does: coglet may say for a moment after an answer that its slot is taken. */
async function ask({ origin }: Lease): Promise<Record<string, unknown>> {
  const call = { origin, input: {}, timeoutMs: 10_000, signal };
  return (await predict(call)) as Record<string, unknown>;
}

/** A lease that a failed assertion kept would hold the model back for minutes. */
async function callOnce(runtime: Runtime): Promise<{ start: StartReport; output: object }> {
  const lease = await runtime.acquire(modelId, { signal });
  try {
    return { start: lease.start, output: await ask(lease) };
  } finally {
    lease.release("done");
  }
}
