import type { CatalogEntry, RequestFormat } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";

/** What another gateway is told of a model; where byom itself gets it from stays here. */
export type ExportModel = Omit<CatalogEntry, "upstreams">;

export interface ExportOptions {
  /** Where byom is reached from the other gateway, without `/v1` and without a slash at the end. */
  readonly baseUrl: string;
  /** What byom is called over there: lower case, digits and dashes. */
  readonly name: string;
  /** Environment variable over there that holds the byom key. */
  readonly keyEnv: string;
  /** The key itself, when it is to stand in clear; absent: a reference to `keyEnv` in the target's own words. */
  readonly key?: string;
}

/** A document for another gateway. */
export interface ExportedDocument {
  readonly language: "yaml" | "json" | "sh" | "typescript";
  readonly text: string;
  /** What has to be known to apply it. */
  readonly notes: readonly string[];
  /** Models that this gateway has no place for. */
  readonly skipped: readonly SkippedModel[];
}

export interface SkippedModel {
  readonly id: string;
  readonly reason: string;
}

/** The way by which a gateway of OpenAI's shapes calls a model; the first of these that it takes. */
export type CallKind = "chat" | "embedding" | "image" | "speech" | "transcription";

const kindByFormat: readonly (readonly [RequestFormat, CallKind])[] = [
  ["chat-completions", "chat"],
  ["embeddings", "embedding"],
  ["images", "image"],
  ["speech", "speech"],
  ["transcriptions", "transcription"],
];

export interface CallableModel {
  readonly model: ExportModel;
  readonly kind: CallKind;
}

/** Sorts out the models that can be called in one of the ways that a gateway has. */
export function selectModels(
  models: readonly ExportModel[],
  kinds: readonly CallKind[],
): { readonly selected: readonly CallableModel[]; readonly skipped: readonly SkippedModel[] } {
  const selected: CallableModel[] = [];
  const skipped: SkippedModel[] = [];
  for (const model of models) {
    const found = kindByFormat.find(
      ([format, kind]) => kinds.includes(kind) && model.requestFormats.includes(format),
    );
    if (found !== undefined) selected.push({ model, kind: found[1] });
    else skipped.push({ id: model.id, reason: `it is not called as ${kinds.join(", ")}` });
  }
  return { selected, skipped };
}

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/;
const environmentPattern = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/**
 * Checks what a person gave and takes `/v1` and slashes off the base URL's end.
 * @throws GatewayError `invalid_request`
 */
export function checkExportOptions(options: ExportOptions): ExportOptions {
  const url = URL.canParse(options.baseUrl) ? new URL(options.baseUrl) : undefined;
  const isWeb = url !== undefined && /^https?:$/.test(url.protocol);
  if (!isWeb || url.username !== "" || url.search !== "" || url.hash !== "") {
    throw new GatewayError("invalid_request", `${options.baseUrl} is no base URL.`, {
      parameter: "base-url",
      hint: "Give the address at which the other gateway reaches byom, such as https://models.example.com.",
    });
  }
  if (!namePattern.test(options.name)) {
    throw new GatewayError("invalid_request", `${options.name} is no name.`, {
      parameter: "name",
      hint: "Use lower case letters, digits and dashes, 50 at most.",
    });
  }
  if (!environmentPattern.test(options.keyEnv)) {
    throw new GatewayError("invalid_request", `${options.keyEnv} is no environment variable.`, {
      parameter: "key-env",
    });
  }
  return { ...options, baseUrl: url.href.replace(/\/+$/, "").replace(/\/v1$/, "") };
}

/** A model's id as part of a name where only lower case letters, digits and dashes are allowed. */
export function slugOf(modelId: string): string {
  const slug = modelId.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  return slug.replaceAll(/^-+|-+$/g, "");
}

/** Loopback, link-local and private addresses and names: gateways refuse them unless they are told otherwise. */
export function isPrivateHost(baseUrl: string): boolean {
  const { hostname } = new URL(baseUrl);
  return (
    /^(?:localhost|.*\.(?:local|internal|localhost))$/.test(hostname) ||
    !hostname.includes(".") ||
    /^(?:127|10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))\./.test(hostname)
  );
}
