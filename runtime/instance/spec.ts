import type { Version } from "../deployment/version.ts";
import type { ContainerSpec } from "../engine/engine.ts";
import type { SecretStore } from "../secrets/secret.ts";

/** Labels by which the platform knows its containers again after a restart. */
export const instanceLabels = {
  platform: "byom.platform",
  model: "byom.model",
  version: "byom.version",
  instance: "byom.instance",
  /** Present: it gets secrets after its start, so that it must not be captured once it has them. */
  secrets: "byom.secrets",
  /** The digest of the secrets in its environment. */
  setupSecrets: "byom.setup-secrets",
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
  readonly secrets: Pick<SecretStore, "values" | "digest"> | undefined;
}): ContainerSpec {
  const { version, instanceId, secrets } = input;
  const { settings, modelId } = version;
  const digest = secrets?.digest(modelId);
  const hasRunSecrets = Object.keys(secrets?.values(modelId, "run") ?? {}).length > 0;
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
      ...(hasRunSecrets ? { [instanceLabels.secrets]: "run" } : {}),
      ...(digest === undefined ? {} : { [instanceLabels.setupSecrets]: digest }),
    },
    environment: {
      // coglet takes one prediction at a time unless it is told otherwise.
      ...(input.concurrency > 1 ? { COG_MAX_CONCURRENCY: String(input.concurrency) } : {}),
      ...settings.environment,
    },
    ...(secrets === undefined || digest === undefined
      ? {}
      : { secrets: { values: secrets.values(modelId, "setup"), digest } }),
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
