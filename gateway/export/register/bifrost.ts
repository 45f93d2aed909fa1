import { bifrostKinds, bifrostProvider } from "../bifrost.ts";
import { selectModels } from "../model.ts";
import type { AdminClient } from "./admin-client.ts";
import { isRecord, listOf, type Register, type RegistrationStep } from "./registration.ts";

/** Bifrost's own defaults (core/schemas/provider.go), for a provider that has none yet. */
const concurrencyDefault = { concurrency: 1000, buffer_size: 5000 };

/**
 * Bifrost: byom as one custom provider (`/api/providers`). Older releases take the keys with it, newer ones at
 * `/api/providers/{name}/keys`; both are served.
 */
export const registerAtBifrost: Register = async (client, models, options) => {
  const { selected, skipped } = selectModels(models, bifrostKinds);
  const { provider, keys, ...config } = bifrostProvider(selected, options);
  const path = `/api/providers/${encodeURIComponent(provider)}`;
  const found = await client.get(path);
  const steps: RegistrationStep[] = [];
  if (found.status === 404) {
    await client.change("POST", "/api/providers", { provider, keys, ...config });
    steps.push({ action: "create", subject: `provider ${provider}` });
  } else {
    const current = isRecord(found.body) ? found.body["concurrency_and_buffer_size"] : undefined;
    const concurrency = isRecord(current) ? current : concurrencyDefault;
    await client.change("PUT", path, { ...config, concurrency_and_buffer_size: concurrency });
    steps.push({ action: "update", subject: `provider ${provider}` });
  }
  for (const key of keys) steps.push(await registerKey(client, path, key));
  const notes =
    options.key === undefined
      ? [`Bifrost's environment needs ${options.keyEnv}; --reveal sends the key itself instead.`]
      : [];
  return { steps, skipped, notes };
};

async function registerKey(
  client: AdminClient,
  path: string,
  key: { readonly name: string },
): Promise<RegistrationStep> {
  const subject = `key ${key.name}`;
  const { status, body } = await client.get(`${path}/keys`);
  // A release without this route took the key with the provider.
  if (status === 404) return { action: "keep", subject };
  const known = listOf(body, "keys").find(({ name }) => name === key.name);
  if (known === undefined) {
    await client.change("POST", `${path}/keys`, key);
    return { action: "create", subject };
  }
  await client.change("PUT", `${path}/keys/${encodeURIComponent(String(known["id"]))}`, key);
  return { action: "update", subject };
}
