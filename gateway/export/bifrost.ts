import {
  isPrivateHost,
  selectModels,
  type CallKind,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";

/** Requests of Bifrost by what a model is called as, with their paths; a stream has a flag of its own. */
const requests: Readonly<Record<CallKind, readonly (readonly [name: string, path?: string])[]>> = {
  chat: [["chat_completion", "/v1/chat/completions"], ["chat_completion_stream"]],
  embedding: [["embedding", "/v1/embeddings"]],
  image: [["image_generation", "/v1/images/generations"]],
  speech: [["speech", "/v1/audio/speech"]],
  transcription: [["transcription", "/v1/audio/transcriptions"]],
};
export const bifrostKinds: readonly CallKind[] = [
  "chat",
  "embedding",
  "image",
  "speech",
  "transcription",
];

export interface BifrostProvider {
  readonly provider: string;
  readonly keys: readonly BifrostKey[];
  readonly network_config: Readonly<Record<string, unknown>>;
  readonly custom_provider_config: Readonly<Record<string, unknown>>;
}

export interface BifrostKey {
  readonly name: string;
  readonly value: string;
  readonly models: readonly string[];
  readonly weight: number;
}

/** Body of `POST /api/providers` of Bifrost (transports/bifrost-http/handlers/providers.go, 2026-08). */
export function exportToBifrost(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, bifrostKinds);
  return {
    language: "json",
    text: `${JSON.stringify(bifrostProvider(selected, options), undefined, 2)}\n`,
    notes: [
      `POST it to Bifrost's /api/providers; models are called as ${options.name}/MODEL.`,
      `Bifrost's environment needs ${options.keyEnv}. Newer releases take the key at /api/providers/${options.name}/keys.`,
    ],
    skipped,
  };
}

export function bifrostProvider(
  selected: readonly { readonly model: ExportModel; readonly kind: CallKind }[],
  options: ExportOptions,
): BifrostProvider {
  const used = [...new Set(selected.map(({ kind }) => kind))].flatMap((kind) => requests[kind]);
  const paths = used.filter((request): request is [string, string] => request[1] !== undefined);
  return {
    provider: options.name,
    keys: [
      {
        name: `${options.name}-key`,
        value: options.key ?? `env.${options.keyEnv}`,
        models: selected.map(({ model }) => model.id),
        weight: 1,
      },
    ],
    network_config: {
      base_url: options.baseUrl,
      ...(isPrivateHost(options.baseUrl) && { allow_private_network: true }),
    },
    custom_provider_config: {
      base_provider_type: "openai",
      allowed_requests: Object.fromEntries(used.map(([name]) => [name, true])),
      request_path_overrides: Object.fromEntries(paths),
    },
  };
}
