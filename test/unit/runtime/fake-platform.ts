import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

import type { ContainerSpec, ContainerState, Engine } from "../../../runtime/engine/engine.ts";
import type { RuntimeEvent } from "../../../runtime/events.ts";
import { createRuntime, type Runtime, type RuntimeOptions } from "../../../runtime/runtime.ts";
import type {
  CompatibilityKey,
  Snapshot,
  Snapshotter,
} from "../../../runtime/snapshot/snapshot.ts";
import type { InstanceIdentity } from "../../../runtime/snapshot/identity.ts";
import { openStore, type Store } from "../../../runtime/store/store.ts";

/** How a container of an image behaves, chosen by the image's name. */
export interface Behaviour {
  /** `fail`: SETUP_FAILED; `exit`: the process ends; `hang`: STARTING for ever; `memory`: killed for its memory. */
  setup?: "ok" | "fail" | "exit" | "hang" | "memory";
  setupMs?: number;
  /** What the example answers; undefined: it fails. */
  answer?: string | undefined;
  /** The engine cannot pull it. */
  isMissing?: boolean;
}

interface FakeContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  status: ContainerState["status"];
  exitCode?: number;
  isOutOfMemory: boolean;
  health: string;
  isRestored: boolean;
  /** Only a snapshotter sets it, between create and start. */
  restoreFrom?: Snapshot;
  server?: Server;
  address?: string;
}

/** An engine in memory whose containers are real HTTP servers that speak coglet's two routes. */
export class FakeEngine implements Engine {
  readonly containers: Map<string, FakeContainer> = new Map();
  readonly behaviours: Map<string, Behaviour> = new Map();
  readonly calls: string[] = [];
  labels: Record<string, string> = {};
  /** What the next restores do: `restored`, or the reason for which the OCI runtime starts cold. */
  restoreFailure: string | undefined;
  canPause = true;
  #next = 0;

  info(): ReturnType<Engine["info"]> {
    return Promise.resolve({
      version: "fake",
      runtimes: ["runc", "byom"],
      cgroupVersion: "2",
      isLocal: true,
      kernelVersion: "6.0",
      cpus: 2,
      memoryBytes: 1e9,
    });
  }

  ensureImage(image: { imageId: string }): ReturnType<Engine["ensureImage"]> {
    if (this.behaviours.get(image.imageId)?.isMissing === true) {
      return Promise.reject(new Error(`manifest unknown: ${image.imageId}`));
    }
    return Promise.resolve({ imageId: image.imageId, labels: this.labels, environment: [] });
  }

  create(spec: ContainerSpec): Promise<string> {
    const id = `c${(this.#next += 1)}`;
    this.calls.push(`create ${spec.imageId}`);
    this.containers.set(id, {
      id,
      spec,
      status: "created",
      isOutOfMemory: false,
      health: "STARTING",
      isRestored: false,
    });
    return Promise.resolve(id);
  }

  async start(id: string, { signal }: { signal: AbortSignal }): Promise<void> {
    signal.throwIfAborted();
    const container = this.#get(id);
    const behaviour = this.behaviours.get(container.spec.imageId) ?? {};
    this.calls.push(`start ${container.spec.imageId}`);
    container.isRestored = container.restoreFrom !== undefined && this.restoreFailure === undefined;
    const server = createServer((request, response) => {
      // A frozen process accepts no connection's bytes.
      if (container.status === "paused") return;
      response.setHeader("content-type", "application/json");
      if (request.url === "/health-check") {
        response.end(JSON.stringify({ status: container.health, setup: { logs: "setup logs" } }));
      } else {
        const { answer } = { answer: "hello", ...behaviour };
        response.end(
          JSON.stringify(
            answer === undefined
              ? { status: "failed", error: "the model raised" }
              : { status: "succeeded", output: answer },
          ),
        );
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    container.server = server;
    container.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    container.status = "running";
    this.#setUp(container, behaviour);
  }

  #setUp(container: FakeContainer, behaviour: Behaviour): void {
    const finish = (): void => {
      if (container.status !== "running") return;
      if (behaviour.setup === "fail") container.health = "SETUP_FAILED";
      else if (behaviour.setup === "exit") this.crash(container.id, 3);
      else if (behaviour.setup === "memory") this.crash(container.id, 137, true);
      else if (behaviour.setup !== "hang") container.health = "READY";
    };
    if (container.isRestored) container.health = "READY";
    else if (behaviour.setupMs === undefined) finish();
    else setTimeout(finish, behaviour.setupMs);
  }

  /** The process ends, as after kill -9 or an error of its own. */
  crash(id: string, exitCode: number, isOutOfMemory = false): void {
    const container = this.#get(id);
    container.status = "exited";
    container.exitCode = exitCode;
    container.isOutOfMemory = isOutOfMemory;
    this.#close(container);
  }

  pause(id: string): Promise<void> {
    if (!this.canPause) return Promise.reject(new Error("this engine cannot pause"));
    this.calls.push("pause");
    this.#get(id).status = "paused";
    return Promise.resolve();
  }

  unpause(id: string): Promise<void> {
    this.calls.push("unpause");
    const container = this.#get(id);
    if (container.status !== "paused") return Promise.reject(new Error("it is not paused"));
    container.status = "running";
    return Promise.resolve();
  }

  stop(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container === undefined) return Promise.resolve();
    this.crash(id, 0);
    return Promise.resolve();
  }

  remove(id: string): Promise<void> {
    const container = this.containers.get(id);
    if (container === undefined) return Promise.resolve();
    this.calls.push("remove");
    this.#close(container);
    this.containers.delete(id);
    return Promise.resolve();
  }

  inspect(id: string): Promise<ContainerState | undefined> {
    const container = this.containers.get(id);
    return Promise.resolve(container === undefined ? undefined : describe(container));
  }

  logs(): Promise<string> {
    return Promise.resolve("Traceback\nRuntimeError: no weights\n");
  }

  list(labels: Readonly<Record<string, string>>): Promise<readonly ContainerState[]> {
    const carries = ({ spec }: FakeContainer): boolean =>
      Object.entries(labels).every(([name, value]) => spec.labels[name] === value);
    return Promise.resolve([...this.containers.values()].filter(carries).map(describe));
  }

  get running(): readonly FakeContainer[] {
    return [...this.containers.values()].filter(({ status }) => status === "running");
  }

  starts(imageId: string): number {
    return this.calls.filter((call) => call === `start ${imageId}`).length;
  }

  closeAll(): void {
    for (const container of this.containers.values()) this.#close(container);
  }

  #close(container: FakeContainer): void {
    container.server?.closeAllConnections();
    container.server?.close();
  }

  #get(id: string): FakeContainer {
    const container = this.containers.get(id);
    if (container === undefined) throw new Error(`no such container: ${id}`);
    return container;
  }
}

function describe(container: FakeContainer): ContainerState {
  const { id, spec, status, exitCode, isOutOfMemory, address } = container;
  return {
    id,
    name: spec.name,
    imageId: spec.imageId,
    labels: spec.labels,
    status,
    isOutOfMemory,
    ...(exitCode === undefined ? {} : { exitCode }),
    ...(address === undefined ? {} : { address }),
  };
}

/** A snapshotter in memory over the fake engine. */
export class FakeSnapshotter implements Snapshotter {
  readonly snapshots: Map<string, Snapshot> = new Map();
  readonly proofs: string[] = [];
  /** Of every start, in order. */
  readonly identities: InstanceIdentity[] = [];
  capability: Snapshotter["capability"] = { isAvailable: true, ociRuntime: "byom" };
  captureFailure: string | undefined;
  captureOutcome: Pick<Snapshot, "status" | "reason"> = { status: "available" };
  /** Connections that the container had open whenever it was captured: CRIU refuses them. */
  readonly connectionsAtCapture: number[] = [];
  proofFailure: string | undefined;
  readonly #engine: FakeEngine;

  constructor(engine: FakeEngine) {
    this.#engine = engine;
  }

  key({
    spec,
    weightsDigest,
  }: {
    spec: ContainerSpec;
    weightsDigest: string;
  }): Promise<CompatibilityKey> {
    return Promise.resolve({
      imageId: spec.imageId,
      weightsDigest,
      cpuFeatures: "",
      kernel: "",
      criu: "",
      ociRuntime: spec.ociRuntime ?? "",
      cgroupVersion: "",
      gpu: "",
      mounts: [],
      environment: JSON.stringify(spec.environment),
    });
  }

  find(key: CompatibilityKey): ReturnType<Snapshotter["find"]> {
    const snapshot = [...this.snapshots.values()].find(
      (candidate) =>
        JSON.stringify(candidate.key) === JSON.stringify(key) && candidate.status === "available",
    );
    return Promise.resolve(snapshot === undefined ? { reason: "no snapshot yet" } : { snapshot });
  }

  async capture(input: Parameters<Snapshotter["capture"]>[0]): Promise<Snapshot> {
    if (this.captureFailure !== undefined) throw new Error(this.captureFailure);
    const server = this.#engine.containers.get(input.containerId)?.server;
    const connections = await new Promise<number>((resolve) => {
      if (server === undefined) resolve(0);
      else server.getConnections((_error, count) => resolve(count));
    });
    this.connectionsAtCapture.push(connections);
    const snapshot: Snapshot = {
      id: `s${this.snapshots.size + 1}`,
      key: input.key,
      ...this.captureOutcome,
      sizeBytes: 1000,
      createdAt: "2026-01-01T00:00:00.000Z",
      captureMs: 1,
      ...(input.warmUp === undefined ? {} : { warmUp: input.warmUp }),
    };
    this.snapshots.set(snapshot.id, snapshot);
    return snapshot;
  }

  prepareRestore(input: { containerId: string; snapshot: Snapshot }): Promise<void> {
    const container = this.#engine.containers.get(input.containerId);
    if (container === undefined) return Promise.reject(new Error("no such container"));
    container.restoreFrom = input.snapshot;
    return Promise.resolve();
  }

  outcome(containerId: string): ReturnType<Snapshotter["outcome"]> {
    const restored = this.#engine.containers.get(containerId)?.isRestored ?? false;
    const reason = this.#engine.restoreFailure;
    return Promise.resolve({
      restored,
      ...(reason === undefined ? {} : { reason }),
      phases: restored ? [{ name: "criu", ms: 1 }] : [],
    });
  }

  forget(): Promise<void> {
    return Promise.resolve();
  }

  prove(input: Parameters<Snapshotter["prove"]>[0]): ReturnType<Snapshotter["prove"]> {
    this.identities.push(input.identity);
    if (this.proofFailure !== undefined) return Promise.reject(new Error(this.proofFailure));
    this.proofs.push(input.containerId);
    return Promise.resolve([{ name: "warm-up", ms: 1 }]);
  }

  introduce(input: Parameters<Snapshotter["introduce"]>[0]): Promise<void> {
    this.identities.push(input.identity);
    return Promise.resolve();
  }

  quarantine(snapshot: Snapshot, reason: string): Promise<void> {
    this.snapshots.set(snapshot.id, { ...snapshot, status: "failed", reason });
    return Promise.resolve();
  }

  verify(): Promise<never> {
    return Promise.reject(new Error("nothing to verify"));
  }

  list(): Promise<readonly Snapshot[]> {
    return Promise.resolve([...this.snapshots.values()]);
  }

  remove(snapshotId: string): Promise<void> {
    this.snapshots.delete(snapshotId);
    return Promise.resolve();
  }
}

/** A whole platform over fakes, with its data in a directory of its own. */
export class FakePlatform implements AsyncDisposable {
  readonly dataDirectory: string = mkdtempSync(path.join(tmpdir(), "byom-runtime-"));
  readonly engine: FakeEngine = new FakeEngine();
  readonly snapshotter: FakeSnapshotter = new FakeSnapshotter(this.engine);
  readonly events: RuntimeEvent[] = [];
  store: Store;
  runtime: Runtime;
  readonly #options: Partial<RuntimeOptions>;

  private constructor(options: Partial<RuntimeOptions>) {
    this.#options = options;
    this.store = openStore({ dataDirectory: this.dataDirectory });
    this.runtime = this.#createRuntime();
  }

  static async create(options: Partial<RuntimeOptions> = {}): Promise<FakePlatform> {
    const platform = new FakePlatform(options);
    await platform.runtime.start({ signal: never });
    return platform;
  }

  /** What a kill -9 leaves: the file and the containers; then a new platform over them. */
  async killAndRestart(): Promise<{ adopted: number; removed: number }> {
    this.store.close();
    this.store = openStore({ dataDirectory: this.dataDirectory });
    this.runtime = this.#createRuntime();
    return await this.runtime.start({ signal: never });
  }

  types(): readonly string[] {
    return this.events.map(({ type }) => type);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.runtime.down({ signal: never }).catch(() => {});
    this.engine.closeAll();
    this.store.close();
    rmSync(this.dataDirectory, { recursive: true, force: true });
  }

  #createRuntime(): Runtime {
    return createRuntime({
      engine: this.engine,
      snapshotter: this.snapshotter,
      store: this.store,
      onEvent: (event) => this.events.push(event),
      ...this.#options,
      limits: { tickMs: 5, scaleUpDelayMs: 20, stopGraceMs: 1, ...this.#options.limits },
    });
  }
}

export const never: AbortSignal = new AbortController().signal;
