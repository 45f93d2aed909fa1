import type { Version } from "../deployment/version.ts";
import type { SecretStore } from "../secrets/secret.ts";
import type { InstanceIdentity } from "../snapshot/identity.ts";

/** Docker names the host of a container by this much of its ID, also in its /etc/hosts. */
const hostnameLength = 12;

/** Who an instance is, as its processes are told after the start. */
export function instanceIdentity(input: {
  readonly version: Version;
  readonly instanceId: string;
  readonly containerId: string;
  readonly start: InstanceIdentity["start"];
  /** Milliseconds since the epoch. */
  readonly startedAtMs: number;
  readonly secrets: Pick<SecretStore, "values"> | undefined;
  /** Values of scope `run` come later: the instance is captured first, so that no snapshot holds them. */
  readonly withholdsSecrets?: boolean | undefined;
}): InstanceIdentity {
  const { version, containerId, secrets } = input;
  const { modelId } = version;
  return {
    id: input.instanceId,
    containerId,
    modelId,
    version: version.number,
    hostname: containerId.slice(0, hostnameLength),
    start: input.start,
    startedAt: new Date(input.startedAtMs).toISOString(),
    environment: version.settings.environment,
    secrets: secrets?.values(modelId, input.withholdsSecrets === true ? "setup" : undefined) ?? {},
  };
}
