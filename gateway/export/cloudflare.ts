import { GatewayError } from "../errors.ts";
import {
  selectModels,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { curl, shellVariable } from "./shell.ts";

/** Body of `POST /accounts/{id}/ai-gateway/custom-providers` (npm `cloudflare` 7.3.0). */
export interface CustomProvider {
  readonly name: string;
  readonly slug: string;
  readonly base_url: string;
  readonly enable: true;
  readonly description: string;
}

/** Cloudflare's AI Gateway: byom as a custom provider of the account, and its key in one gateway. */
export function exportToCloudflare(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, ["chat"]);
  const account = "https://api.cloudflare.com/client/v4/accounts/$CLOUDFLARE_ACCOUNT_ID";
  const headers = ["Authorization: Bearer $CLOUDFLARE_API_TOKEN"];
  const secret = options.key ?? shellVariable(options.keyEnv);
  const model = selected[0]?.model.id ?? "MODEL";
  const calls = [
    curl({
      method: "POST",
      url: `${account}/ai-gateway/custom-providers`,
      headers,
      body: customProvider(options),
    }),
    curl({
      method: "POST",
      url: `${account}/ai-gateway/gateways/$CLOUDFLARE_GATEWAY_ID/provider_configs`,
      headers,
      body: providerConfig(options, secret),
    }),
    `# A call: the model's name is custom-${options.name}/MODEL.`,
    curl({
      method: "POST",
      url: "https://gateway.ai.cloudflare.com/v1/$CLOUDFLARE_ACCOUNT_ID/$CLOUDFLARE_GATEWAY_ID/compat/chat/completions",
      headers: ["cf-aig-authorization: Bearer $CLOUDFLARE_API_TOKEN"],
      body: {
        model: `custom-${options.name}/${model}`,
        messages: [{ role: "user", content: "Hello" }],
      },
    }),
  ];
  return {
    language: "sh",
    text: `${calls.join("\n\n")}\n`,
    notes: [
      "The token needs the permission AI Gateway - Edit.",
      "Cloudflare keeps no price of a custom provider: send cf-aig-custom-cost with each call.",
    ],
    skipped,
  };
}

/** @throws GatewayError `invalid_request`: Cloudflare calls custom providers by https only */
export function customProvider(options: ExportOptions): CustomProvider {
  if (!options.baseUrl.startsWith("https:")) {
    throw new GatewayError("invalid_request", "Cloudflare calls custom providers by https only.", {
      parameter: "base-url",
      hint: "Give a base URL that begins with https:// and that the internet can reach.",
    });
  }
  return {
    name: options.name,
    slug: options.name,
    // The path of a call is put behind it, /v1 and all.
    base_url: options.baseUrl,
    // Off by default over there.
    enable: true,
    description: "Models of a byom platform",
  };
}

export function providerConfig(
  options: ExportOptions,
  secret: string,
): Readonly<Record<string, unknown>> {
  return {
    provider_slug: `custom-${options.name}`,
    alias: options.name,
    default_config: true,
    secret,
  };
}
