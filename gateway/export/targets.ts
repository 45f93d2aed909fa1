import { exportToAiSdk } from "./ai-sdk.ts";
import { exportToBifrost } from "./bifrost.ts";
import { exportToCloudflare } from "./cloudflare.ts";
import { exportToEnvoy } from "./envoy.ts";
import { exportToHelicone } from "./helicone.ts";
import { exportToKong } from "./kong.ts";
import { exportToLiteLlm } from "./litellm.ts";
import {
  checkExportOptions,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { exportToModelsDev } from "./models-dev.ts";
import { exportToPortkey } from "./portkey.ts";

type Exporter = (models: readonly ExportModel[], options: ExportOptions) => ExportedDocument;

/** The gateways, tools and formats that are known. */
export type ExportTarget =
  | "litellm"
  | "bifrost"
  | "portkey"
  | "cloudflare"
  | "envoy"
  | "kong"
  | "helicone"
  | "models.dev"
  | "ai-sdk";

const exporters: Readonly<Record<ExportTarget, Exporter>> = {
  litellm: exportToLiteLlm,
  bifrost: exportToBifrost,
  portkey: exportToPortkey,
  cloudflare: exportToCloudflare,
  envoy: exportToEnvoy,
  kong: exportToKong,
  helicone: exportToHelicone,
  "models.dev": exportToModelsDev,
  "ai-sdk": exportToAiSdk,
};

export const exportTargets: readonly ExportTarget[] = Object.keys(exporters) as ExportTarget[];

/**
 * What another gateway has to be given so that it calls these models here.
 * @throws GatewayError `invalid_request` for options that cannot work
 */
export function exportModels(
  target: ExportTarget,
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  return exporters[target](models, checkExportOptions(options));
}
