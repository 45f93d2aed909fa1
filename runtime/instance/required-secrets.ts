import type { Version } from "../deployment/version.ts";
import { StartError } from "../errors.ts";
import { explainMissing } from "../secrets/required.ts";
import type { SecretStore } from "../secrets/secret.ts";

/** @throws StartError, with the commands that give them, when the version needs secrets that its model does not have. */
export function assertSecrets(
  { modelId, settings }: Version,
  secrets: Pick<SecretStore, "list"> | undefined,
): void {
  const missing = explainMissing(modelId, settings.secrets ?? [], secrets ?? { list: () => [] });
  if (missing === undefined) return;
  const { message, hint } = missing;
  throw new StartError("start_failed", message, {
    phase: "create",
    isOutOfMemory: false,
    logLines: [],
    hint,
  });
}
