import type { ContainerState } from "../engine/engine.ts";
import type { InstanceRecord } from "../store/instances.ts";
import { isServing, readHealth } from "./health.ts";
import type { ReadyInstance } from "./instance.ts";
import { instanceLabels } from "./spec.ts";
import type { InstanceContext } from "./start.ts";

/** What the containers of a platform that was here before turned out to be. */
export interface Adoption {
  readonly adopted: readonly {
    readonly instance: ReadyInstance;
    readonly state: "ready" | "paused";
  }[];
  /** Ids of the containers that were removed. */
  readonly removed: readonly string[];
}

/** A model in the middle of a prediction may answer its health check late. */
const adoptHealthTimeoutMs = 5000;

/**
 * Judges every container with this platform's label: those that the store knows as ready or paused, of a version
 * that is still wanted, and that serve, live on; all others go, and so do records without a container.
 */
export async function adoptInstances(
  context: InstanceContext,
  options: {
    readonly isWanted: (modelId: string, version: number) => boolean;
    readonly signal: AbortSignal;
  },
): Promise<Adoption> {
  const { engine, instances, decisions, snapshotter, platformId } = context;
  const { signal } = options;
  const containers = await engine.list({ [instanceLabels.platform]: platformId }, { signal });
  const records = new Map(instances.list().map((record) => [record.id, record]));
  const adopted: Adoption["adopted"][number][] = [];
  const removed: string[] = [];
  await Promise.all(
    containers.map(async (container) => {
      const record = records.get(container.labels[instanceLabels.instance] ?? "");
      const isKnown = record !== undefined && options.isWanted(record.modelId, record.version);
      const instance = isKnown ? await judge(context, container, record, signal) : undefined;
      if (instance !== undefined) {
        adopted.push(instance);
        return;
      }
      await engine.remove(container.id, { signal });
      removed.push(container.id);
      const instanceId = container.labels[instanceLabels.instance];
      if (instanceId === undefined) return;
      // The platform that started it died before it had read what the OCI runtime did.
      await decisions.collect(instanceId, container.id);
      await snapshotter.forget(container.id);
      const text = "removed: nobody wants it, or the platform ended before its start had";
      decisions.add(instanceId, { by: "platform", what: "removed", text });
    }),
  );
  const living = new Set(adopted.map(({ instance }) => instance.id));
  for (const id of records.keys()) if (!living.has(id)) instances.remove(id);
  return { adopted, removed };
}

async function judge(
  context: InstanceContext,
  container: ContainerState,
  record: InstanceRecord,
  signal: AbortSignal,
): Promise<Adoption["adopted"][number] | undefined> {
  // A start that the platform did not see to its end has proven nothing.
  if (record.start === undefined || container.address === undefined) return undefined;
  const { id, modelId, version, createdAt, start } = record;
  const origin = `http://${container.address}`;
  const facts = { id, modelId, version, createdAt, containerId: container.id, origin, start };
  const instance: ReadyInstance = { ...facts, state: "ready" };
  if (container.status === "paused") return { instance, state: "paused" };
  if (container.status !== "running") return undefined;
  const health = await readHealth(origin, {
    dispatcher: context.dispatcher,
    signal: AbortSignal.any([signal, AbortSignal.timeout(adoptHealthTimeoutMs)]),
  }).catch(() => undefined);
  signal.throwIfAborted();
  if (health === undefined || !isServing(health)) return undefined;
  // It was on its way to a pause, or back from one, when the platform died.
  if (record.state !== "ready") context.instances.put({ ...record, state: "ready" });
  return { instance, state: "ready" };
}
