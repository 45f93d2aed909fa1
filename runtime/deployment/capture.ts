import type { ContainerSpec } from "../engine/engine.ts";
import type { ReadyInstance } from "../instance/instance.ts";
import { predict } from "../instance/predict.ts";
import { instanceSpec } from "../instance/spec.ts";
import type { InstanceContext } from "../instance/start.ts";
import { answersAgree } from "../snapshot/answers.ts";
import type { CompatibilityKey, Snapshot, WarmUp } from "../snapshot/snapshot.ts";
import { explainExposure } from "./withhold.ts";
import { snapshotsOff, type Example, type Version } from "./version.ts";

/** A snapshot of a warmed-up instance, or why there is none. A missing snapshot costs time, never an answer. */
export type CaptureResult =
  | { readonly snapshot: Snapshot; readonly isNew: boolean }
  | {
      readonly snapshot?: undefined;
      readonly reason: string;
      /** It failed for a reason that may pass. */
      readonly mayRetry?: boolean;
    };

/** What will fail again is not tried for every instance. */
const askHint = "`byom snapshot create` tries again";
/** A dump writes the model's memory once; this is far beyond what any disk needs for it. */
const captureTimeoutMs = 300_000;

/** Captures the instance unless a snapshot that fits exists. Rejects only with the signal's reason. */
export async function captureSnapshot(
  context: Pick<
    InstanceContext,
    "engine" | "snapshotter" | "payoff" | "dispatcher" | "platformId" | "network" | "secrets"
  >,
  input: {
    readonly version: Version;
    readonly instance: Pick<ReadyInstance, "id" | "containerId" | "origin">;
    readonly concurrency: number;
    /** Its answer, when it ran on this instance before. */
    readonly example: Example | undefined;
    readonly signal: AbortSignal;
    readonly onStart?: () => void;
    /** Anew, although there may be one, and although restores did not pay. */
    readonly isForced?: boolean;
    /** Its secrets were withheld, and still are. */
    readonly isWithheld?: boolean;
  },
): Promise<CaptureResult> {
  const { snapshotter, engine } = context;
  const { version, instance, signal } = input;
  const off = snapshotsOff(version.settings);
  if (off !== undefined) return { reason: off };
  const { capability } = snapshotter;
  if (!capability.isAvailable) return { reason: capability.reason ?? "this host cannot snapshot" };
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(captureTimeoutMs)]);
  try {
    const image = await engine.ensureImage(version.image, { signal: deadline });
    const spec = instanceSpec({
      version,
      imageId: image.imageId,
      instanceId: instance.id,
      platformId: context.platformId,
      network: context.network,
      concurrency: input.concurrency,
      ociRuntime: capability.ociRuntime,
      secrets: context.secrets,
    });
    const key = await snapshotter.key(
      { spec, weightsDigest: version.weightsDigest },
      { signal: deadline },
    );
    const subject = { modelId: version.modelId, version: version.number };
    if (input.isForced !== true) {
      const known = await snapshotter.find(key);
      if (known.snapshot !== undefined) return { snapshot: known.snapshot, isNew: false };
      if (known.failed?.mayRetry === false) return { reason: `${known.reason} (${askHint})` };
      const verdict = context.payoff.verdict(subject);
      const isWanted = version.settings.snapshots === "always";
      if (verdict.verdict === "does-not-pay" && !isWanted) return { reason: verdict.reason };
    }
    const exposure = await explainExposure(context, {
      modelId: version.modelId,
      containerId: instance.containerId,
      isWithheld: input.isWithheld === true,
      signal: deadline,
    });
    if (exposure !== undefined) return { reason: exposure };
    input.onStart?.();
    const snapshot = await capture(context, { ...input, key, spec, signal: deadline });
    if (snapshot.status !== "available") {
      const reason = snapshot.reason ?? `the capture is ${snapshot.status}`;
      return { reason, mayRetry: snapshot.mayRetry ?? false };
    }
    context.payoff.captured(subject, snapshot.id);
    return { snapshot, isNew: true };
  } catch (error) {
    signal.throwIfAborted();
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

async function capture(
  context: Pick<InstanceContext, "snapshotter" | "dispatcher">,
  input: Parameters<typeof captureSnapshot>[1] & {
    readonly key: CompatibilityKey;
    readonly spec: ContainerSpec;
  },
): Promise<Snapshot> {
  const { instance, key, spec, signal } = input;
  const warmUp = await findWarmUp(context, input);
  return await context.snapshotter.capture(
    {
      containerId: instance.containerId,
      address: new URL(instance.origin).host,
      key,
      ...(spec.secrets === undefined ? {} : { holdsSecrets: Object.keys(spec.secrets.values) }),
      ...(spec.gpus === undefined ? {} : { gpus: spec.gpus }),
      ...(warmUp === undefined ? {} : { warmUp }),
    },
    { signal },
  );
}

/** A second run tells whether the answer may be compared after a restore: sampling models answer differently. */
async function findWarmUp(
  context: Pick<InstanceContext, "dispatcher">,
  input: Parameters<typeof captureSnapshot>[1],
): Promise<WarmUp | undefined> {
  const { example, version, instance, signal } = input;
  if (example === undefined) return undefined;
  const output = await predict({
    origin: instance.origin,
    input: example.input,
    timeoutMs: version.settings.exampleTimeoutMs,
    dispatcher: context.dispatcher,
    signal,
  });
  // A clone has the secrets and may answer otherwise.
  const isRepeatable = input.isWithheld !== true && answersAgree(output, example.output);
  return { input: example.input, ...(isRepeatable ? { output } : {}) };
}
