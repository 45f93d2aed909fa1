import type { Secret, SecretStore } from "./secret.ts";

/** A secret that a version cannot do without, as byom.yaml names it. */
export type RequiredSecret = Pick<Secret, "name" | "scope">;

/** What a model lacks, and the commands that give it; undefined when it has all. */
export function explainMissing(
  modelId: string,
  required: readonly RequiredSecret[],
  secrets: Pick<SecretStore, "list">,
): { readonly message: string; readonly hint: string } | undefined {
  const known = new Map(secrets.list(modelId).map(({ name, scope }) => [name, scope]));
  const missing = required.filter(
    ({ name, scope }) => !known.has(name) || (scope === "setup" && known.get(name) !== "setup"),
  );
  if (missing.length === 0) return undefined;
  const names = missing.map(({ name }) =>
    known.has(name) ? `${name} (given for predictions only, setup() needs it too)` : name,
  );
  const commands = missing.map(
    ({ name, scope }) =>
      `byom secrets set ${modelId} ${name}${scope === "setup" ? " --setup" : ""}`,
  );
  return {
    message: `${modelId} needs ${missing.length === 1 ? "a secret that it does not have" : "secrets that it does not have"}: ${names.join(", ")}`,
    hint: commands.join("; "),
  };
}
