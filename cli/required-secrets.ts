import type { DeploySettings } from "../builder/index.ts";
import { explainMissingSecrets } from "../runtime/index.ts";
import { CommandError } from "./errors.ts";
import type { PlatformClient } from "./platform-client.ts";

/** Before minutes go into a build: the secrets that byom.yaml names are there. */
export async function assertSecrets(options: {
  readonly platform: Pick<PlatformClient, "call">;
  readonly modelId: string;
  readonly settings: DeploySettings;
}): Promise<void> {
  const { platform, modelId, settings } = options;
  if (settings.secrets === undefined || settings.secrets.length === 0) return;
  const known = (await platform.call("GET", `/api/v1/models/${modelId}/secrets`)) as {
    readonly secrets: ReturnType<Parameters<typeof explainMissingSecrets>[2]["list"]>;
  };
  const missing = explainMissingSecrets(modelId, settings.secrets, { list: () => known.secrets });
  if (missing !== undefined) throw new CommandError({ code: "secret_missing", ...missing });
}
