import type { Version } from "../deployment/version.ts";
import type { ContainerSpec } from "../engine/engine.ts";

/** Labels by which the platform knows its containers again after a restart. */
export const instanceLabels = {
  platform: "byom.platform",
  model: "byom.model",
  version: "byom.version",
  instance: "byom.instance",
} as const;

/** Docker allows more; `docker ps` stays readable. */
const nameLengthMax = 40;

/** The container of an instance, as a value. Equal versions give equal specs but for the names. */
export function instanceSpec(input: {
  readonly version: Version;
  readonly imageId: string;
  readonly instanceId: string;
  readonly platformId: string;
  readonly network: string;
  readonly concurrency: number;
  readonly ociRuntime?: string | undefined;
}): ContainerSpec {
  const { version, instanceId } = input;
  const { settings, modelId } = version;
  const slug = modelId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, nameLengthMax);
  return {
    name: `byom-${slug}-v${version.number}-${instanceId.slice(2)}`,
    imageId: input.imageId,
    ...(input.ociRuntime === undefined ? {} : { ociRuntime: input.ociRuntime }),
    labels: {
      [instanceLabels.platform]: input.platformId,
      [instanceLabels.model]: modelId,
      [instanceLabels.version]: String(version.number),
      [instanceLabels.instance]: instanceId,
    },
    environment: {
      // coglet takes one prediction at a time unless it is told otherwise.
      ...(input.concurrency > 1 ? { COG_MAX_CONCURRENCY: String(input.concurrency) } : {}),
      ...settings.environment,
    },
    mounts: settings.mounts,
    network: input.network,
    ...(settings.memoryBytes === undefined ? {} : { memoryBytes: settings.memoryBytes }),
    ...(settings.cpus === undefined ? {} : { cpus: settings.cpus }),
    ...(settings.gpus === undefined ? {} : { gpus: settings.gpus }),
    pidsMax,
  };
}

/** Far above what a model's threads need, far below what a fork bomb takes the host down with. */
const pidsMax = 16_384;
