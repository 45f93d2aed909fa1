import { execFileSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import Docker from "dockerode";
import { request } from "undici";

import { createDockerEngine } from "../../../../runtime/engine/docker.ts";
import type { ContainerSpec } from "../../../../runtime/engine/engine.ts";
import type {
  CompatibilityKey,
  Snapshot,
  Snapshotter,
} from "../../../../runtime/snapshot/snapshot.ts";
import { createSnapshotter } from "../../../../runtime/snapshot/snapshotter.ts";
import { baseImage, ensureCloneImage } from "./clone-image.ts";

const docker = new Docker();
const engine = createDockerEngine({ docker, isUnixSocket: true });

/** A model in a real container, captured once, and new containers of it. */
export interface RealSnapshot extends AsyncDisposable {
  /** Where the captured snapshot lies. */
  readonly directory: string;
  readonly snapshot: Snapshot;
  readonly key: CompatibilityKey;
  /** A new container, started with the snapshot from another directory: how it came up, and its answer. */
  restoreFrom(
    directory: string,
    snapshot: Snapshot,
  ): Promise<{ readonly restored: boolean; readonly reason?: string; readonly answer: unknown }>;
}

/** Why there can be none here; undefined when there can. */
export async function whyNoSnapshots(signal: AbortSignal): Promise<string | undefined> {
  const directory = await mkdtemp(path.join(tmpdir(), "byom-probe-"));
  try {
    await docker.getImage(baseImage).inspect();
    const { capability } = await openSnapshotter(directory, signal);
    return capability.isAvailable ? undefined : capability.reason;
  } catch (error) {
    return (error as Error).message;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Starts a container, captures it, and removes it. @param name of the network and containers. */
export async function captureReal(name: string, signal: AbortSignal): Promise<RealSnapshot> {
  const directory = await mkdtemp(path.join(tmpdir(), `${name}-`));
  const network = name;
  const imageId = await ensureCloneImage(docker);
  const labels = { "byom.test": `${name}-${process.pid}` };
  let serial = 0;
  const spec = (): ContainerSpec => ({
    name: `${name}-${process.pid}-${(serial += 1)}`,
    imageId,
    ociRuntime: "byom",
    labels,
    environment: {},
    mounts: [],
    network,
    memoryBytes: 1 << 30,
    pidsMax: 512,
  });
  const snapshotter = await openSnapshotter(directory, signal);
  const containerId = await engine.create(spec(), { signal });
  await engine.start(containerId, { signal });
  const address = await waitUntilReady(containerId, signal);
  const key = await snapshotter.key({ spec: spec(), weightsDigest: "sha256:none" }, { signal });
  const warmUp = { input: { do: "sum" } };
  const snapshot = await snapshotter.capture({ containerId, address, key, warmUp }, { signal });
  await engine.remove(containerId, { signal });
  return {
    directory,
    snapshot,
    key,
    restoreFrom: async (from, other) => {
      const restorer = await openSnapshotter(from, signal);
      const id = await engine.create(spec(), { signal });
      try {
        await restorer.prepareRestore({ containerId: id, snapshot: other }, { signal });
        await engine.start(id, { signal });
        const outcome = await restorer.outcome(id);
        const answer = await predict(await waitUntilReady(id, signal), signal);
        return { ...outcome, answer };
      } finally {
        await engine.remove(id, { signal });
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const { id } of await engine.list(labels, { signal }))
        await engine.remove(id, { signal });
      await docker.getNetwork(network).remove();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function openSnapshotter(directory: string, signal: AbortSignal): Promise<Snapshotter> {
  return await createSnapshotter({
    engine: await engine.info({ signal }),
    directory,
    runc: execFileSync("sh", ["-c", "command -v runc"], { encoding: "utf8" }).trim(),
    criuDirectory: "/var/lib/byom/bin",
    isRoot: process.getuid?.() === 0,
    signal,
  });
}

async function waitUntilReady(containerId: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const state = await engine.inspect(containerId, { signal });
    if (state?.address === undefined) throw new Error(`container is ${state?.status ?? "gone"}`);
    const health = await request(`http://${state.address}/health-check`, { reset: true, signal })
      .then((response) => response.body.json() as Promise<{ status: string }>)
      .catch(() => ({ status: "UNREACHABLE" }));
    if (health.status === "READY") return state.address;
    await delay(20, undefined, { signal });
  }
}

async function predict(address: string, signal: AbortSignal): Promise<unknown> {
  const response = await request(`http://${address}/predictions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: { do: "sum" } }),
    reset: true,
    signal,
  });
  return ((await response.body.json()) as { output: unknown }).output;
}
