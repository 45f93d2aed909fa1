import { execFileSync } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";

import Docker from "dockerode";
import { request } from "undici";

import { createDockerEngine } from "../../../../runtime/engine/docker.ts";
import type { ContainerSpec, Engine } from "../../../../runtime/engine/engine.ts";
import type { CompatibilityKey, Snapshotter } from "../../../../runtime/snapshot/snapshot.ts";
import {
  createSnapshotter,
  type SnapshotterOptions,
} from "../../../../runtime/snapshot/snapshotter.ts";
import { baseImage, ensureCloneImage } from "./clone-image.ts";

const signal = AbortSignal.timeout(280_000);

export interface Running {
  readonly containerId: string;
  readonly address: string;
}

/** Containers of the clone image on the real engine, and snapshotters over directories of the test's choice. */
export class SnapshotLab implements AsyncDisposable {
  readonly docker: Docker = new Docker();
  readonly engine: Engine = createDockerEngine({ docker: this.docker, isUnixSocket: true });
  readonly #network: string;
  readonly #labels: Readonly<Record<string, string>>;
  #imageId = "";
  #serial = 0;

  constructor(name: string) {
    this.#network = `byom-test-${name}`;
    this.#labels = { "byom.test": `${name}-${process.pid}` };
  }

  /** Why these tests cannot run here. */
  async skipReason(directory: string): Promise<string | undefined> {
    try {
      await this.docker.getImage(baseImage).inspect();
      const { capability } = await this.open(directory);
      return capability.isAvailable ? undefined : capability.reason;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async open(directory: string, options: Partial<SnapshotterOptions> = {}): Promise<Snapshotter> {
    return await createSnapshotter({
      engine: await this.engine.info({ signal }),
      directory,
      runc: execFileSync("sh", ["-c", "command -v runc"], { encoding: "utf8" }).trim(),
      criuDirectory: "/var/lib/byom/bin",
      isRoot: process.getuid?.() === 0,
      signal,
      ...options,
    });
  }

  spec(): ContainerSpec {
    this.#serial += 1;
    return {
      name: `${this.#network}-${process.pid}-${this.#serial}`,
      imageId: this.#imageId,
      ociRuntime: "byom",
      labels: this.#labels,
      environment: {},
      mounts: [],
      network: this.#network,
      memoryBytes: 1 << 30,
      pidsMax: 512,
    };
  }

  async start(): Promise<Running> {
    this.#imageId = await ensureCloneImage(this.docker);
    const containerId = await this.engine.create(this.spec(), { signal });
    await this.engine.start(containerId, { signal });
    return await this.ready(containerId);
  }

  async key(snapshotter: Snapshotter, weightsDigest: string): Promise<CompatibilityKey> {
    return await snapshotter.key({ spec: this.spec(), weightsDigest }, { signal });
  }

  async ready(containerId: string): Promise<Running> {
    for (;;) {
      const state = await this.engine.inspect(containerId, { signal });
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

  async predict(
    { address }: Running,
    input: Readonly<Record<string, unknown>> = {},
  ): Promise<Record<string, unknown>> {
    const response = await request(`http://${address}/predictions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input }),
      reset: true,
      signal,
    });
    const answer = (await response.body.json()) as { output: Record<string, unknown> };
    return answer.output;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { id } of await this.engine.list(this.#labels, { signal })) {
      await this.engine.remove(id, { signal });
    }
    await this.docker
      .getNetwork(this.#network)
      .remove()
      .catch(() => {});
  }
}
