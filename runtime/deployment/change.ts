import type { ModelPool } from "../autoscale/pool.ts";
import { timestamp } from "../clock.ts";
import { ConflictError, DeployError, NotFoundError } from "../errors.ts";
import type { DeployEvent, RuntimeEvent } from "../events.ts";
import type { InstanceContext } from "../instance/start.ts";
import type { Store } from "../store/store.ts";
import { deployVersion, type DeployRequest, type DeployResult } from "./deploy.ts";
import type { Deployment, Release, Scaling, TrafficShare } from "./deployment.ts";
import { KeyedMutex } from "./mutex.ts";
import { shiftTraffic } from "./traffic.ts";

export interface DeployChangeOptions {
  readonly onEvent?: (event: DeployEvent) => void;
  readonly signal: AbortSignal;
  /** When another change of the model is under way: `wait` for it (default), or `fail` with `deploy_in_progress`. */
  readonly onConflict?: "wait" | "fail";
}

export interface ChangeOptions {
  readonly by?: string;
  readonly signal: AbortSignal;
}

/** Everything that changes what a model's calls reach. One change of a model at a time. */
export interface ModelChanges {
  /** Rejects with DeployError; the version that served before still serves then. */
  deploy(request: DeployRequest, options: DeployChangeOptions): Promise<DeployResult>;
  /** Gives a recorded version its share of the traffic (default 100), once an instance of it is ready. */
  promote(
    modelId: string,
    input: { version: number; percent?: number },
    options: ChangeOptions,
  ): Promise<Deployment>;
  /** Back to the traffic of the release before the present one, or to one version. */
  rollback(
    modelId: string,
    input: { version?: number },
    options: ChangeOptions,
  ): Promise<Deployment>;
  scale(modelId: string, scaling: Partial<Scaling>, options: ChangeOptions): Promise<Deployment>;
  /** Removes the model with its versions, history, instances and snapshots. The registry keeps its images. */
  removeModel(modelId: string, options: ChangeOptions): Promise<void>;
}

export interface ChangeContext extends InstanceContext {
  readonly store: Store;
  readonly emitRuntime: (event: RuntimeEvent) => void;
  readonly pools: {
    readonly closing: AbortController;
    pool(modelId: string): ModelPool;
    dropPool(modelId: string): ModelPool | undefined;
    refresh(modelId: string): void;
  };
}

/** How far back a rollback looks for another traffic split. */
const rollbackReleases = 1000;

interface ChangeRecord {
  readonly kind: Release["kind"];
  readonly by?: string | undefined;
}

/** See ModelChanges. */
export class Changes implements ModelChanges {
  readonly #context: ChangeContext;
  readonly #mutex = new KeyedMutex();
  readonly #running = new Set<Promise<unknown>>();

  constructor(context: ChangeContext) {
    this.#context = context;
  }

  async deploy(request: DeployRequest, options: DeployChangeOptions): Promise<DeployResult> {
    const { modelId } = request;
    const { onEvent = () => {}, signal, onConflict = "wait" } = options;
    if (this.#mutex.isHeld(modelId)) {
      if (onConflict === "fail") throw conflictError(modelId);
      onEvent({ type: "deploy-wait", modelId });
    }
    try {
      return await this.#exclusively(modelId, signal, async (joined) => {
        const { pools } = this.#context;
        const models = releasingModels(this.#context, modelId);
        const context = { ...this.#context, models, pool: (id: string) => pools.pool(id) };
        return await deployVersion(context, request, { onEvent, signal: joined });
      });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const phase = error instanceof DeployError ? error.phase : undefined;
      const known = phase === undefined ? {} : { phase };
      this.#context.emitRuntime({ type: "deploy-fail", modelId, message, ...known });
      throw error;
    }
  }

  async promote(
    modelId: string,
    { version, percent = 100 }: { version: number; percent?: number },
    { by, signal }: ChangeOptions,
  ): Promise<Deployment> {
    return await this.#exclusively(modelId, signal, async (joined) => {
      assertVersion(this.#context.store, modelId, version);
      const traffic = shiftTraffic(this.#current(modelId).traffic, version, percent);
      return await this.#shift(modelId, traffic, { kind: "promote", by }, joined);
    });
  }

  async rollback(
    modelId: string,
    { version }: { version?: number },
    { by, signal }: ChangeOptions,
  ): Promise<Deployment> {
    const { store } = this.#context;
    return await this.#exclusively(modelId, signal, async (joined) => {
      this.#current(modelId);
      if (version !== undefined) assertVersion(store, modelId, version);
      const traffic =
        version === undefined ? earlierTraffic(store, modelId) : [{ version, percent: 100 }];
      return await this.#shift(modelId, traffic, { kind: "rollback", by }, joined);
    });
  }

  async scale(
    modelId: string,
    scaling: Partial<Scaling>,
    { by, signal }: ChangeOptions,
  ): Promise<Deployment> {
    return await this.#exclusively(modelId, signal, () => {
      const before = this.#current(modelId);
      const updatedAt = timestamp(this.#context.clock);
      const after = { ...before, scaling: { ...before.scaling, ...scaling }, updatedAt };
      return Promise.resolve(this.#release(after, { kind: "scale", by }));
    });
  }

  async removeModel(modelId: string, { signal }: ChangeOptions): Promise<void> {
    await this.#exclusively(modelId, signal, async () => await removeModel(this.#context, modelId));
  }

  /** Resolves when no change is under way any more, however they end. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running);
  }

  async #exclusively<Result>(
    modelId: string,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const joined = AbortSignal.any([signal, this.#context.pools.closing.signal]);
    const run = this.#mutex.run(modelId, joined, () => work(joined));
    this.#running.add(run);
    try {
      return await run;
    } finally {
      this.#running.delete(run);
    }
  }

  #current(modelId: string): Deployment {
    const deployment = this.#context.store.models.deployment(modelId);
    if (deployment !== undefined) return deployment;
    throw new NotFoundError("model_not_found", `there is no deployed model ${modelId}`);
  }

  /** Moves traffic only to versions that have an instance ready: a broken one never becomes live. */
  async #shift(
    modelId: string,
    traffic: readonly TrafficShare[],
    change: ChangeRecord,
    signal: AbortSignal,
  ): Promise<Deployment> {
    const before = this.#current(modelId);
    for (const { version } of traffic) {
      if (before.traffic.some((share) => share.version === version)) continue;
      await this.#context.pools.pool(modelId).warm(version, signal);
    }
    const updatedAt = timestamp(this.#context.clock);
    return this.#release({ modelId, scaling: before.scaling, traffic, updatedAt }, change);
  }

  /** Writes the new desired state, then lets the pool follow. Nothing awaits in between. */
  #release(deployment: Deployment, { kind, by }: ChangeRecord): Deployment {
    const { store, pools, emitRuntime } = this.#context;
    const { modelId } = deployment;
    store.models.release(deployment, { kind, ...(by === undefined ? {} : { by }) });
    pools.refresh(modelId);
    pools.pool(modelId).retarget();
    emitRuntime({ type: "release-change", modelId, kind });
    return deployment;
  }
}

/** The store as a deploy sees it: its release is known to the pool in the same step. */
function releasingModels(context: ChangeContext, modelId: string): Store["models"] {
  const { store, pools, emitRuntime } = context;
  return {
    ...store.models,
    release(deployment, change) {
      const release = store.models.release(deployment, change);
      pools.refresh(modelId);
      emitRuntime({ type: "release-change", modelId, kind: change.kind });
      return release;
    },
  };
}

async function removeModel(context: ChangeContext, modelId: string): Promise<void> {
  const { store, pools, snapshotter, emitRuntime } = context;
  if (!store.models.has(modelId)) {
    throw new NotFoundError("model_not_found", `there is no model ${modelId}`);
  }
  const images = new Set(store.models.versions(modelId).map(({ image }) => image.imageId));
  store.models.remove(modelId);
  pools.refresh(modelId);
  await pools.dropPool(modelId)?.stop({ keepInstances: false });
  for (const other of store.models.ids()) {
    for (const { image } of store.models.versions(other)) images.delete(image.imageId);
  }
  for (const snapshot of await snapshotter.list()) {
    if (images.has(snapshot.key.imageId)) await snapshotter.remove(snapshot.id);
  }
  emitRuntime({ type: "model-remove", modelId });
}

function assertVersion(store: Store, modelId: string, version: number): void {
  if (store.models.version(modelId, version) !== undefined) return;
  throw new NotFoundError("version_not_found", `${modelId} has no version ${version}`, {
    hint: `\`byom versions ${modelId}\` lists them`,
  });
}

function earlierTraffic(store: Store, modelId: string): readonly TrafficShare[] {
  const [present, ...earlier] = store.models.releases(modelId, rollbackReleases);
  const traffic = JSON.stringify(present?.traffic);
  const found = earlier.find((release) => JSON.stringify(release.traffic) !== traffic);
  if (found !== undefined) return found.traffic;
  throw new ConflictError("no_earlier_release", `${modelId} has no earlier release to go back to`, {
    hint: `\`byom promote\` takes any version that \`byom versions ${modelId}\` lists`,
  });
}

function conflictError(modelId: string): DeployError {
  return new DeployError("deploy_in_progress", `another change of ${modelId} is under way`, {
    modelId,
    hint: "wait for it, or deploy without --no-wait to queue behind it",
  });
}
