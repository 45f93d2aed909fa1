import { predict } from "../instance/predict.ts";
import { instanceIdentity } from "../instance/identify.ts";
import { instanceLabels } from "../instance/spec.ts";
import type { InstanceContext } from "../instance/start.ts";
import type { ReadyInstance } from "../instance/instance.ts";
import { snapshotsOff, type Example, type Version } from "./version.ts";

/**
 * Whether an instance that is started to be captured must get its secrets afterwards only: what a process has once
 * read stays in its memory, and a snapshot is that memory.
 */
export function mustWithhold(
  { snapshotter, secrets }: Pick<InstanceContext, "snapshotter" | "secrets">,
  { modelId, settings }: Version,
): boolean {
  if (snapshotsOff(settings) !== undefined || !snapshotter.capability.isAvailable) return false;
  return Object.keys(secrets?.values(modelId, "run") ?? {}).length > 0;
}

/** Why this instance must not be captured any more; undefined when it may be. */
export async function explainExposure(
  { engine, secrets }: Pick<InstanceContext, "engine" | "secrets">,
  input: {
    readonly modelId: string;
    readonly containerId: string;
    /** Its secrets are withheld still. */
    readonly isWithheld: boolean;
    readonly signal: AbortSignal;
  },
): Promise<string | undefined> {
  const { modelId, containerId, isWithheld, signal } = input;
  const container = await engine.inspect(containerId, { signal });
  const labels = container?.labels ?? {};
  if (!isWithheld && labels[instanceLabels.secrets] !== undefined) {
    return "the instance has read secrets, which no snapshot may hold: `byom snapshot create` starts another one for it";
  }
  if (labels[instanceLabels.setupSecrets] === secrets?.digest(modelId)) return undefined;
  return "its secrets changed since the instance started: the next one is captured";
}

/**
 * An instance goes on with all that it was not told before: one that was captured, and one whose platform was killed
 * in the middle of it.
 */
export async function handOver(
  { snapshotter, secrets }: Pick<InstanceContext, "snapshotter" | "secrets">,
  input: {
    readonly version: Version;
    readonly instance: Pick<ReadyInstance, "id" | "containerId" | "createdAt" | "start">;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { version, instance, signal } = input;
  const { containerId } = instance;
  const identity = instanceIdentity({
    version,
    instanceId: instance.id,
    containerId,
    start: instance.start.mode === "restored" ? "restored" : "cold",
    startedAtMs: Date.parse(instance.createdAt),
    secrets,
  });
  await snapshotter.introduce({ containerId, identity }, { signal });
}

/**
 * The example as far as it goes without secrets: what it loads belongs into the snapshot. Undefined when it fails,
 * as it may.
 */
export async function tryExample(
  { dispatcher }: Pick<InstanceContext, "dispatcher">,
  input: {
    readonly version: Version;
    readonly instance: Pick<ReadyInstance, "origin">;
    readonly signal: AbortSignal;
  },
): Promise<Example | undefined> {
  const { version, instance, signal } = input;
  if (version.example === undefined) return undefined;
  try {
    const output = await predict({
      origin: instance.origin,
      input: version.example.input,
      timeoutMs: version.settings.exampleTimeoutMs,
      dispatcher,
      signal,
    });
    return { input: version.example.input, output };
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}
