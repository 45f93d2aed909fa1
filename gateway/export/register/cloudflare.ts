import { GatewayError } from "../../errors.ts";
import { customProvider, providerConfig } from "../cloudflare.ts";
import { selectModels } from "../model.ts";
import type { AdminClient } from "./admin-client.ts";
import {
  listOf,
  type Register,
  type RegistrationOptions,
  type RegistrationStep,
} from "./registration.ts";

/** The address is an account's: `https://api.cloudflare.com/client/v4/accounts/ID`. */
export const registerAtCloudflare: Register = async (client, models, options) => {
  const { skipped } = selectModels(models, ["chat"]);
  const provider = customProvider(options);
  const path = "/ai-gateway/custom-providers";
  const { body } = await client.get(`${path}?search=${encodeURIComponent(provider.slug)}`);
  const known = listOf(body, "result").find(({ slug }) => slug === provider.slug);
  const steps: RegistrationStep[] = [];
  if (known === undefined) await client.change("POST", path, provider);
  else await client.change("PATCH", `${path}/${String(known["id"])}`, provider);
  const action = known === undefined ? "create" : "update";
  steps.push({ action, subject: `custom provider ${provider.slug}` });
  if (options.gateway !== undefined) {
    steps.push(await registerKey(client, options.gateway, options));
  }
  return {
    steps,
    skipped,
    notes: [
      `Models are called as custom-${options.name}/MODEL at the gateway's /compat/chat/completions.`,
      ...(options.gateway === undefined
        ? ["Send the byom key with each call, or name a gateway that keeps it with --gateway."]
        : []),
    ],
  };
};

/** The key that one gateway sends; Cloudflare's API makes such a key and does not change it. */
async function registerKey(
  client: AdminClient,
  gateway: string,
  options: RegistrationOptions,
): Promise<RegistrationStep> {
  const path = `/ai-gateway/gateways/${encodeURIComponent(gateway)}/provider_configs`;
  const subject = `key in gateway ${gateway}`;
  const { body } = await client.get(path);
  const isKnown = listOf(body, "result").some(
    ({ provider_slug: slug }) => slug === `custom-${options.name}`,
  );
  if (isKnown) return { action: "keep", subject };
  if (options.secret === undefined) {
    throw new GatewayError("invalid_request", `${options.keyEnv} is not set.`, {
      parameter: "key-env",
      hint: "Cloudflare keeps the byom key itself: put it into that variable for this command.",
    });
  }
  await client.change("POST", path, providerConfig(options, options.secret));
  return { action: "create", subject };
}
