import { availableParallelism } from "node:os";

import type { Dispatcher } from "undici";
import { Agent } from "undici";

import type { AcquireOptions, Lease } from "./autoscale/lease.ts";
import { autoscaleLimits, type AutoscaleLimits } from "./autoscale/limits.ts";
import { ModelPool, type PoolContext } from "./autoscale/pool.ts";
import { systemClock, type Clock } from "./clock.ts";
import { MissingSnapshots } from "./deployment/capture-missing.ts";
import { Changes, type ModelChanges } from "./deployment/change.ts";
import { pickVersion, type Deployment, type Release } from "./deployment/deployment.ts";
import type { SnapshotVerbs, StartOutlook } from "./deployment/snapshot-verbs.ts";
import { Snapshots } from "./deployment/snapshots.ts";
import type { SnapshotTravel } from "./deployment/snapshot-travel.ts";
import type { Version } from "./deployment/version.ts";
import { handOver } from "./deployment/withhold.ts";
import type { Engine, EngineInfo } from "./engine/engine.ts";
import { AcquireError, NotFoundError } from "./errors.ts";
import type { RuntimeEvent } from "./events.ts";
import { adoptInstances } from "./instance/adopt.ts";
import type { Instance } from "./instance/instance.ts";
import { instanceLabels } from "./instance/spec.ts";
import type { SecretStore } from "./secrets/secret.ts";
import { createPayoff } from "./snapshot/payoff-record.ts";
import { RestoreSlots } from "./snapshot/restore-slots.ts";
import type { Decision } from "./snapshot/decision.ts";
import type { Snapshotter } from "./snapshot/snapshot.ts";
import type { Store } from "./store/store.ts";

export interface RuntimeOptions {
  readonly engine: Engine;
  readonly snapshotter: Snapshotter;
  readonly store: Store;
  /** Absent: snapshots stay on this host. */
  readonly travel?: SnapshotTravel;
  readonly clock?: Clock;
  readonly onEvent?: (event: RuntimeEvent) => void;
  /** For health checks and example predictions. */
  readonly dispatcher?: Dispatcher;
  /** Docker network of the instances. Default `byom`. */
  readonly network?: string;
  readonly limits?: Partial<AutoscaleLimits>;
  /** In [0, 1); decides a traffic split. */
  readonly random?: () => number;
}

/** A model as `byom status` shows it. */
export interface ModelStatus {
  readonly id: string;
  readonly deployment: Deployment | undefined;
  /** The version with the largest share of the traffic. */
  readonly live: Version | undefined;
  readonly instances: readonly Instance[];
  /** Callers that wait for a slot. */
  readonly waiting: number;
  /** How it would start from nothing now, and what that took so far; in `status` only. */
  readonly nextStart?: StartOutlook;
}

export interface RuntimeStatus {
  readonly platformId: string;
  readonly engine: EngineInfo;
  readonly snapshots: Snapshotter["capability"];
  readonly models: readonly ModelStatus[];
}

/** The serving runtime of one platform. */
export interface Runtime extends ModelChanges, SnapshotVerbs {
  /** Adopts what still runs from before, removes what nobody knows, and begins to scale. Once, before all else. */
  start(options: { signal: AbortSignal }): Promise<{ adopted: number; removed: number }>;
  /** Rejects with AcquireError; the semantics are those of the gateway's Upstream. */
  acquire(modelId: string, options: AcquireOptions): Promise<Lease>;
  status(options: { signal: AbortSignal }): Promise<RuntimeStatus>;
  /** Models that have a deployment; in memory, cheap. */
  models(): readonly ModelStatus[];
  model(modelId: string): ModelStatus;
  /** The version with the largest share of a model's traffic; the same object until it changes, for one look in a map. */
  live(modelId: string): Version | undefined;
  versions(modelId: string): readonly Version[];
  releases(modelId: string, options?: { limit?: number }): readonly Release[];
  instances(): readonly Instance[];
  /**
   * Every decision on an instance's way up, oldest first; for ended instances too. The ID may be its container's, or a
   * unique beginning of either. @throws NotFoundError `instance_not_found`.
   */
  explain(instanceId: string): Promise<readonly Decision[]>;
  logs(instanceId: string, options: { lines: number; signal: AbortSignal }): Promise<string>;
  /** Lets the idle instances of a model go now. */
  scaleToZero(
    modelId: string,
    options: { tier: "paused" | "stopped"; nextStart?: "cold" },
  ): Promise<void>;
  /** What models are given at run time; a change holds for instances that start after it. */
  readonly secrets: Pick<SecretStore, "list" | "set" | "remove">;
  /** Turns new callers away, lets the running predictions finish, then stops the containers or leaves them running. */
  stop(options: { keepInstances: boolean }): Promise<void>;
  /** Stops and removes every container of this platform. */
  down(options: { signal: AbortSignal }): Promise<{ removed: number }>;
}

const networkDefault = "byom";
/** Instances are a bridge away; one that is gone refuses no connection, it lets it wait. */
const connectTimeoutMs = 1000;
/** History beyond this is in the database, not on a screen. */
const releasesLimitDefault = 100;

/** Assembles the runtime; nothing runs before `start`. */
export function createRuntime(options: RuntimeOptions): Runtime {
  const platform = createPlatform(options);
  const { context, pools, store, emit } = platform;
  const { engine } = context;
  const random = options.random ?? Math.random;
  const changes = new Changes({ ...context, store, emitRuntime: emit, pools: platform });
  const { closing } = platform;
  const snapshots = createSnapshots(platform, options.travel);
  const running: Promise<void>[] = [];
  /** Turns away what comes and waits for what is under way to have cleaned up after itself. */
  const close = async (): Promise<void> => {
    closing.abort(new AcquireError("shutting_down", "the platform is stopping"));
    await Promise.allSettled(running);
    await Promise.all([changes.settled(), snapshots.settled()]);
  };

  return {
    deploy: (request, deployOptions) => changes.deploy(request, deployOptions),
    promote: (modelId, input, changeOptions) => changes.promote(modelId, input, changeOptions),
    rollback: (modelId, input, changeOptions) => changes.rollback(modelId, input, changeOptions),
    scale: (modelId, scaling, changeOptions) => changes.scale(modelId, scaling, changeOptions),
    removeModel: (modelId, changeOptions) => changes.removeModel(modelId, changeOptions),
    ...createReader(platform, snapshots),
    async start({ signal }) {
      const result = await adoptAll(platform, signal);
      running.push(scaleLoop(platform, closing.signal));
      emit({ type: "platform-start", ...result });
      return result;
    },
    async acquire(modelId, { version, ...options }) {
      closing.signal.throwIfAborted();
      const deployment = platform.deployments.get(modelId);
      if (deployment === undefined) {
        throw new AcquireError("model_not_found", `there is no model ${modelId}`, {
          hint: "`byom models` lists those that are deployed; `byom push` deploys one",
        });
      }
      const number = version ?? pickVersion(deployment.traffic, random());
      if (number === undefined || context.version(modelId, number) === undefined) {
        throw new AcquireError("model_not_found", `${modelId} has no version ${number}`);
      }
      return await platform.pool(modelId).acquire(number, options);
    },
    async scaleToZero(modelId, { tier, ...rest }) {
      assertModel(platform, modelId);
      await pools.get(modelId)?.scaleToZero(tier, rest);
    },
    secrets: store.secrets,
    snapshots: () => snapshots.snapshots(),
    snapshot: (snapshotId, snapshotOptions) => snapshots.snapshot(snapshotId, snapshotOptions),
    createSnapshot: (target, createOptions) => snapshots.createSnapshot(target, createOptions),
    verifySnapshot: (snapshotId, rest) => snapshots.verifySnapshot(snapshotId, rest),
    pushSnapshot: (subject, transfer) => snapshots.pushSnapshot(subject, transfer),
    pullSnapshot: (target, transfer) => snapshots.pullSnapshot(target, transfer),
    snapshotKeys: () => snapshots.snapshotKeys(),
    removeSnapshot: (snapshotId) => snapshots.removeSnapshot(snapshotId),
    async stop(stopOptions) {
      await close();
      await Promise.all([...pools.values()].map((pool) => pool.stop(stopOptions)));
      emit({ type: "platform-stop" });
    },
    async down({ signal }) {
      await close();
      await Promise.all([...pools.values()].map((pool) => pool.close()));
      const labels = { [instanceLabels.platform]: store.platformId };
      const containers = await engine.list(labels, { signal });
      await Promise.all(containers.map(({ id }) => engine.remove(id, { signal })));
      for (const { id } of store.instances.list()) store.instances.remove(id);
      return { removed: containers.length };
    },
  };
}

/** The parts that the runtime's methods share. */
interface Platform {
  readonly store: Store;
  readonly context: PoolContext;
  readonly pools: ReadonlyMap<string, ModelPool>;
  /** The desired state in memory: an acquire waits for no database. */
  readonly deployments: Map<string, Deployment>;
  readonly closing: AbortController;
  readonly emit: (event: RuntimeEvent) => void;
  pool(modelId: string): ModelPool;
  dropPool(modelId: string): ModelPool | undefined;
  /** Reads the desired state of a model again, after it was changed in the store. */
  refresh(modelId: string): void;
}

function createPlatform(options: RuntimeOptions): Platform {
  const { store, engine, snapshotter } = options;
  const emit = options.onEvent ?? ((): void => {});
  const clock = options.clock ?? systemClock;
  const pools = new Map<string, ModelPool>();
  const deployments = new Map(
    store.models.deployments().map((deployment) => [deployment.modelId, deployment]),
  );
  const versions = new Map<string, Version>();
  const context: PoolContext = {
    engine,
    snapshotter,
    restoreSlots: new RestoreSlots({ cpus: availableParallelism() }),
    instances: store.instances,
    decisions: store.decisions,
    secrets: store.secrets,
    dispatcher: options.dispatcher ?? new Agent({ connect: { timeout: connectTimeoutMs } }),
    clock,
    payoff: createPayoff({ starts: store.starts, clock }),
    platformId: store.platformId,
    network: options.network ?? networkDefault,
    emit,
    limits: { ...autoscaleLimits, ...options.limits },
    deployment: (modelId) => deployments.get(modelId),
    version(modelId, number) {
      const key = `${modelId}@${number}`;
      const version = versions.get(key) ?? store.models.version(modelId, number);
      if (version !== undefined) versions.set(key, version);
      return version;
    },
    missingSnapshots: new MissingSnapshots(() => context),
  };
  return {
    store,
    context,
    pools,
    deployments,
    emit,
    closing: new AbortController(),
    pool(modelId) {
      const pool = pools.get(modelId) ?? new ModelPool(modelId, context);
      pools.set(modelId, pool);
      return pool;
    },
    dropPool(modelId) {
      const pool = pools.get(modelId);
      pools.delete(modelId);
      return pool;
    },
    refresh(modelId) {
      const deployment = store.models.deployment(modelId);
      if (deployment === undefined) deployments.delete(modelId);
      else deployments.set(modelId, deployment);
      for (const key of versions.keys()) if (key.startsWith(`${modelId}@`)) versions.delete(key);
    },
  };
}

function createReader(
  platform: Platform,
  snapshots: Snapshots,
): Pick<
  Runtime,
  | "status"
  | "models"
  | "model"
  | "live"
  | "versions"
  | "releases"
  | "instances"
  | "explain"
  | "logs"
> {
  const { store, context, pools, deployments } = platform;
  const describe = (id: string): ModelStatus => {
    const pool = pools.get(id);
    return {
      id,
      deployment: deployments.get(id),
      live: liveVersion(platform, id),
      instances: pool?.instances() ?? [],
      waiting: pool?.waiting ?? 0,
    };
  };
  const models = (): readonly ModelStatus[] => [...deployments.keys()].toSorted().map(describe);
  const instances = (): readonly Instance[] =>
    [...pools.values()].flatMap((pool) => pool.instances());
  return {
    models,
    live: (modelId) => liveVersion(platform, modelId),
    instances,
    model(modelId) {
      assertModel(platform, modelId);
      return describe(modelId);
    },
    status: ({ signal }) => readStatus(platform, { models: models(), snapshots, signal }),
    versions(modelId) {
      assertModel(platform, modelId);
      return store.models.versions(modelId);
    },
    releases(modelId, { limit = releasesLimitDefault } = {}) {
      assertModel(platform, modelId);
      return store.models.releases(modelId, limit);
    },
    async explain(instanceId) {
      const decisions = await store.decisions.explain(instanceId);
      if (decisions.length > 0) return decisions;
      throw new NotFoundError("instance_not_found", `nothing is known of instance ${instanceId}`, {
        hint: "`byom status` lists the instances; the oldest starts are forgotten first",
      });
    },
    async logs(instanceId, { lines, signal }) {
      const instance = instances().find(({ id }) => id === instanceId);
      if (instance === undefined || !("containerId" in instance)) {
        throw new NotFoundError("instance_not_found", `there is no instance ${instanceId}`);
      }
      return await context.engine.logs(instance.containerId, { lines, signal });
    },
  };
}

async function readStatus(
  { store, context }: Platform,
  {
    models,
    snapshots,
    signal,
  }: { models: readonly ModelStatus[]; snapshots: Snapshots; signal: AbortSignal },
): Promise<RuntimeStatus> {
  return {
    platformId: store.platformId,
    engine: await context.engine.info({ signal }),
    snapshots: context.snapshotter.capability,
    models: await Promise.all(
      models.map(async (model) => {
        if (model.live === undefined) return model;
        return { ...model, nextStart: await snapshots.outlook(model.live, { signal }) };
      }),
    ),
  };
}

function createSnapshots(platform: Platform, travel: SnapshotTravel | undefined): Snapshots {
  const { context, store, closing } = platform;
  return new Snapshots({
    ...context,
    store,
    travel,
    closing: closing.signal,
    live: (modelId) => liveVersion(platform, modelId),
  });
}

function liveVersion({ deployments, context }: Platform, modelId: string): Version | undefined {
  const number = deployments.get(modelId)?.traffic[0]?.version;
  return number === undefined ? undefined : context.version(modelId, number);
}

function assertModel(platform: Platform, modelId: string): void {
  if (platform.store.models.has(modelId)) return;
  throw new NotFoundError("model_not_found", `there is no model ${modelId}`, {
    hint: "`byom models` lists those that are deployed; `byom push` deploys one",
  });
}

async function adoptAll(
  platform: Platform,
  signal: AbortSignal,
): Promise<{ adopted: number; removed: number }> {
  const { context, deployments } = platform;
  const { adopted, removed } = await adoptInstances(context, {
    isWanted: (modelId, version) =>
      deployments.get(modelId)?.traffic.some((share) => share.version === version) ?? false,
    signal,
  });
  await Promise.all(
    adopted.map(async ({ instance, state }) => {
      const version = context.version(instance.modelId, instance.version);
      // One that cannot be told, as it was told at its start, serves with what it has.
      if (version !== undefined)
        await handOver(context, { version, instance, signal }).catch(() => {});
      platform.pool(instance.modelId).add(instance, state);
    }),
  );
  for (const modelId of deployments.keys()) platform.pool(modelId);
  return { adopted: adopted.length, removed: removed.length };
}

async function scaleLoop(platform: Platform, signal: AbortSignal): Promise<void> {
  const { clock, limits } = platform.context;
  while (!signal.aborted) {
    for (const pool of platform.pools.values()) pool.tick();
    await clock.delay(limits.tickMs, signal).catch(() => {});
  }
}
