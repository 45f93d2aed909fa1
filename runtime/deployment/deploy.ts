import { createHash } from "node:crypto";

import type { ModelPool } from "../autoscale/pool.ts";
import { timestamp } from "../clock.ts";
import type { ImageToRun, LocalImage } from "../engine/engine.ts";
import { DeployError, StartError, type StartPhaseName } from "../errors.ts";
import type { DeployEvent } from "../events.ts";
import { diagnose } from "../instance/diagnose.ts";
import { isServing, readHealth } from "../instance/health.ts";
import type { ReadyInstance } from "../instance/instance.ts";
import { predict } from "../instance/predict.ts";
import { removeInstance } from "../instance/remove.ts";
import { startInstance, type InstanceContext } from "../instance/start.ts";
import type { StartReport } from "../snapshot/snapshot.ts";
import type { ModelStore } from "../store/models.ts";
import { captureSnapshot } from "./capture.ts";
import { scalingDefault, type Deployment, type Scaling } from "./deployment.ts";
import { readModelInterface, type ModelInterface } from "./schema.ts";
import { shiftTraffic } from "./traffic.ts";
import { handOver, mustWithhold, tryExample } from "./withhold.ts";
import {
  versionSettingsDefault,
  type Example,
  type JsonObject,
  type ModelCard,
  type Version,
  type VersionSettings,
} from "./version.ts";

/** What to run under a model id from now on. */
export interface DeployRequest {
  /** `owner/name`. */
  readonly modelId: string;
  readonly image: ImageToRun;
  readonly weightsDigest: string;
  readonly hardware?: string;
  readonly settings?: Partial<VersionSettings>;
  readonly scaling?: Partial<Scaling>;
  readonly card?: Partial<ModelCard>;
  /** A prediction that must succeed before traffic moves, and is replayed after every restore. */
  readonly example?: { readonly input: JsonObject };
  readonly createdBy?: string;
  readonly gitRevision?: string;
  /** Share of the traffic that the version gets, 0–100; a model's first version always gets all. Default 100. */
  readonly percent?: number;
}

export interface DeployResult {
  readonly version: Version;
  /** False: this very version serves already; nothing was started. */
  readonly isChanged: boolean;
  readonly start?: StartReport;
  /** The answer of the example prediction. */
  readonly output?: unknown;
  readonly snapshot:
    | { readonly id: string; readonly sizeBytes: number }
    | { readonly reason: string };
}

export interface DeployContext extends InstanceContext {
  readonly models: ModelStore;
  pool(modelId: string): ModelPool;
}

export interface DeployOptions {
  readonly onEvent: (event: DeployEvent) => void;
  readonly signal: AbortSignal;
}

/** The example ran on this image in the deploy's own container; what is removed by hand meanwhile is an error. */
const healthAfterCaptureMs = 15_000;

/**
 * Takes a version to traffic: start → READY → example → snapshot → switch → drain the former one. The caller holds
 * the model's lock. Until the switch, which is one transaction, nothing of the serving version changes.
 * @throws DeployError `deploy_failed` with the phase, exit code, out-of-memory flag and last log lines.
 */
export async function deployVersion(
  context: DeployContext,
  request: DeployRequest,
  options: DeployOptions,
): Promise<DeployResult> {
  const { clock } = context;
  const startedAt = clock.monotonicMs();
  const { version, labels } = await recordVersion(context, request, options);
  const before = context.models.deployment(request.modelId);
  const deployment = desiredDeployment({ context, request, version, before, labels });
  try {
    const isServed = before?.traffic.some((share) => share.version === version.number) ?? false;
    const result = isServed
      ? unchangedResult(version)
      : await proveVersion(context, { version, deployment, ...options });
    if (!isSameDeployment(before, deployment)) {
      switchTraffic({ context, request, deployment, before, version, ...options });
    }
    if ("instance" in result && result.instance !== undefined) {
      context.pool(request.modelId).add(result.instance);
    }
    context.pool(request.modelId).retarget();
    const ms = clock.monotonicMs() - startedAt;
    options.onEvent({ type: "deploy-end", version: version.number, ms });
    return result.result;
  } catch (error) {
    options.signal.throwIfAborted();
    throw deployErrorOf(error, version);
  }
}

async function recordVersion(
  context: DeployContext,
  request: DeployRequest,
  options: DeployOptions,
): Promise<{ version: Version; labels: ModelInterface }> {
  const { engine, clock, models } = context;
  const startedAt = clock.monotonicMs();
  let image: LocalImage;
  try {
    image = await engine.ensureImage(request.image, { signal: options.signal });
  } catch (error) {
    options.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    throw new DeployError(
      "deploy_failed",
      `the image of ${request.modelId} is not to be had: ${reason}`,
      {
        modelId: request.modelId,
        phase: "image",
        hint: `check that the registry is reachable and holds ${request.image.reference}`,
        cause: error,
      },
    );
  }
  const { imageId } = image;
  options.onEvent({ type: "image-ready", imageId, ms: clock.monotonicMs() - startedAt });
  const labels = readModelInterface(image.labels);
  const { inputSchema, outputSchema, isStreaming } = labels;
  const candidate = {
    modelId: request.modelId,
    image: { imageId, reference: request.image.reference },
    digest: digestOf(request.image.reference) ?? imageId,
    weightsDigest: request.weightsDigest,
    inputSchema,
    outputSchema,
    isStreaming,
    hardware: request.hardware ?? "cpu",
    settings: { ...versionSettingsDefault, ...request.settings },
    card: {
      description: "",
      task: "other" as const,
      requestFormats: ["predictions" as const],
      ...request.card,
    },
    ...(request.example === undefined ? {} : { example: { input: request.example.input } }),
    ...(request.createdBy === undefined ? {} : { createdBy: request.createdBy }),
    ...(request.gitRevision === undefined ? {} : { gitRevision: request.gitRevision }),
  };
  const identity = identityOf(candidate);
  const recorded = models.recordVersion({
    version: candidate,
    identity,
    createdAt: timestamp(clock),
  });
  const { version, isNew } = recorded;
  options.onEvent({ type: "version-recorded", version: version.number, isNew });
  return { version, labels };
}

/** What makes two deploys the same version: all that decides what runs, nothing of who asked or when. */
function identityOf(version: Omit<Version, "number" | "createdAt">): string {
  const { digest, weightsDigest, hardware, settings, card, example } = version;
  const facts = { digest, weightsDigest, hardware, settings, card, input: example?.input };
  return createHash("sha256").update(stableJson(facts)).digest("hex");
}

function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === "object" && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}

function digestOf(reference: string): string | undefined {
  return /@(sha256:[0-9a-f]{64})$/.exec(reference)?.[1];
}

function desiredDeployment(input: {
  context: DeployContext;
  request: DeployRequest;
  version: Version;
  before: Deployment | undefined;
  labels: ModelInterface;
}): Deployment {
  const { context, request, version, before, labels } = input;
  const percent = before === undefined ? 100 : (request.percent ?? 100);
  return {
    modelId: request.modelId,
    traffic: shiftTraffic(before?.traffic ?? [], version.number, percent),
    scaling: {
      ...scalingDefault,
      concurrency: labels.concurrency,
      ...before?.scaling,
      ...request.scaling,
    },
    updatedAt: timestamp(context.clock),
  };
}

function isSameDeployment(before: Deployment | undefined, after: Deployment): boolean {
  if (before === undefined) return false;
  const { traffic, scaling } = after;
  return (
    stableJson({ traffic, scaling }) ===
    stableJson({ traffic: before.traffic, scaling: before.scaling })
  );
}

interface Proven {
  readonly result: DeployResult;
  readonly instance?: ReadyInstance | undefined;
}

function unchangedResult(version: Version): Proven {
  return {
    result: { version, isChanged: false, snapshot: { reason: "the version serves already" } },
  };
}

/** Starts the version, runs its example, captures it. Leaves no container behind when any of it fails. */
async function proveVersion(
  context: DeployContext,
  input: DeployOptions & { version: Version; deployment: Deployment },
): Promise<Proven> {
  const { version, deployment, onEvent, signal } = input;
  const { concurrency } = deployment.scaling;
  let instanceId = "";
  const emit: InstanceContext["emit"] = (event) => {
    context.emit(event);
    if (event.type !== "instance-start") return;
    instanceId = event.instanceId;
    onEvent({ type: "setup-start", version: version.number, instanceId });
  };
  const isWithheld = mustWithhold(context, version);
  const instance = await startInstance(
    { ...context, emit },
    { version, concurrency, withholdsSecrets: isWithheld, signal },
  );
  onEvent({ type: "setup-end", instanceId, start: instance.start });
  try {
    const rehearsed = isWithheld && (await tryExample(context, { version, instance, signal }));
    const proven = isWithheld ? undefined : await proveExample(context, { ...input, instance });
    const captured = await captureSnapshot(context, {
      version,
      instance,
      concurrency,
      example: rehearsed || proven,
      isWithheld,
      signal,
      onStart: () => onEvent({ type: "snapshot-start" }),
    });
    if (captured.snapshot === undefined) {
      onEvent({ type: "snapshot-skip", reason: captured.reason });
    } else {
      const { id: snapshotId, sizeBytes, captureMs: ms } = captured.snapshot;
      onEvent({ type: "snapshot-end", snapshotId, sizeBytes, ms });
    }
    if (isWithheld) await handOver(context, { version, instance, signal });
    const example = isWithheld ? await proveExample(context, { ...input, instance }) : proven;
    const isAlive = await isStillServing(context, instance, signal);
    if (!isAlive) await removeInstance(context, instance);
    return {
      instance: isAlive ? instance : undefined,
      result: {
        version,
        isChanged: true,
        start: instance.start,
        ...(example === undefined ? {} : { output: example.output }),
        snapshot:
          captured.snapshot === undefined
            ? { reason: captured.reason }
            : { id: captured.snapshot.id, sizeBytes: captured.snapshot.sizeBytes },
      },
    };
  } catch (error) {
    const failure = signal.aborted ? error : await explain(context, { version, instance, error });
    await removeInstance(context, instance);
    throw failure;
  }
}

async function proveExample(
  context: DeployContext,
  input: DeployOptions & { version: Version; instance: ReadyInstance },
): Promise<Example | undefined> {
  const { version, instance, onEvent, signal } = input;
  if (version.example === undefined) return undefined;
  onEvent({ type: "example-start" });
  const startedAt = context.clock.monotonicMs();
  const output = await predict({
    origin: instance.origin,
    input: version.example.input,
    timeoutMs: version.settings.exampleTimeoutMs,
    dispatcher: context.dispatcher,
    signal,
  });
  context.models.setExampleOutput(version.modelId, version.number, output);
  onEvent({ type: "example-end", output, ms: context.clock.monotonicMs() - startedAt });
  return { input: version.example.input, output };
}

async function explain(
  context: DeployContext,
  input: { version: Version; instance: ReadyInstance; error: unknown },
): Promise<Error> {
  const reason = input.error instanceof Error ? input.error.message : String(input.error);
  return await diagnose({
    engine: context.engine,
    containerId: input.instance.containerId,
    phase: "example",
    message: `the example prediction of version ${input.version.number} failed: ${reason}`,
    cause: input.error,
  });
}

/** A capture that went wrong may have taken the process with it; the next call then starts another. */
async function isStillServing(
  context: DeployContext,
  instance: ReadyInstance,
  signal: AbortSignal,
): Promise<boolean> {
  const health = await readHealth(instance.origin, {
    dispatcher: context.dispatcher,
    signal: AbortSignal.any([signal, AbortSignal.timeout(healthAfterCaptureMs)]),
  }).catch(() => undefined);
  signal.throwIfAborted();
  return health !== undefined && isServing(health);
}

function switchTraffic(
  input: DeployOptions & {
    context: DeployContext;
    request: DeployRequest;
    deployment: Deployment;
    before: Deployment | undefined;
    version: Version;
  },
): void {
  const { context, request, deployment, before, version } = input;
  const isTrafficSame =
    before !== undefined && stableJson(before.traffic) === stableJson(deployment.traffic);
  context.models.release(deployment, {
    kind: isTrafficSame ? "scale" : "deploy",
    ...(request.createdBy === undefined ? {} : { by: request.createdBy }),
  });
  const from = before?.traffic[0]?.version;
  input.onEvent({
    type: "traffic-switch",
    version: version.number,
    ...(from === undefined ? {} : { from }),
  });
}

function deployErrorOf(error: unknown, version: Version): DeployError {
  if (error instanceof DeployError) return error;
  const { modelId, number } = version;
  const message = error instanceof Error ? error.message : String(error);
  const phase: StartPhaseName = "traffic";
  const facts = error instanceof StartError ? error : { phase };
  const { hint, exitCode, isOutOfMemory, logLines } = facts as Partial<StartError>;
  return new DeployError("deploy_failed", message, {
    modelId,
    version: number,
    phase: facts.phase,
    exitCode,
    ...(isOutOfMemory === undefined ? {} : { isOutOfMemory }),
    ...(logLines === undefined ? {} : { logLines }),
    hint,
    cause: error,
  });
}
