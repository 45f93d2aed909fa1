import {
  isPrivateHost,
  selectModels,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";

/** A config of Portkey's open-source gateway: the value of the header `x-portkey-config`. */
export interface PortkeyConfig {
  readonly strategy: { readonly mode: "fallback" };
  readonly targets: readonly {
    readonly provider: "openai";
    readonly api_key: string;
    readonly custom_host: string;
  }[];
  readonly retry: { readonly attempts: number; readonly on_status_codes: readonly number[] };
}

/** Portkey's gateway has no registry: each request brings its config (@portkey-ai/gateway 1.15.2). */
export function exportToPortkey(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { skipped } = selectModels(models, [
    "chat",
    "embedding",
    "image",
    "speech",
    "transcription",
  ]);
  const { hostname } = new URL(options.baseUrl);
  return {
    language: "json",
    text: `${JSON.stringify(portkeyConfig(options), undefined, 2)}\n`,
    notes: [
      `Send it, on one line and with $${options.keyEnv} replaced, as the header x-portkey-config.`,
      ...(isPrivateHost(options.baseUrl)
        ? [`Start the gateway with TRUSTED_CUSTOM_HOSTS=${hostname}: it refuses private hosts.`]
        : []),
      "For the hosted Portkey `byom models register --to portkey` makes an integration.",
    ],
    skipped,
  };
}

export function portkeyConfig(options: ExportOptions): PortkeyConfig {
  return {
    strategy: { mode: "fallback" },
    targets: [
      {
        provider: "openai",
        api_key: options.key ?? `$${options.keyEnv}`,
        custom_host: `${options.baseUrl}/v1`,
      },
    ],
    retry: { attempts: 3, on_status_codes: [429, 500, 502, 503, 504] },
  };
}
