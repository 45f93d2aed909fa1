export { openAdministration, type AdministrationOptions } from "./administration.ts";
export { adminPaths } from "./admin/openapi.ts";
export { createGateway, type Gateway, type GatewayOptions } from "./gateway.ts";
export { GatewayError, type GatewayErrorCode } from "./errors.ts";
export type { GatewayEvent, OnGatewayEvent } from "./events.ts";
export { defaultDeadlines, type Deadlines } from "./limits.ts";
export type { Catalog, CatalogEntry, JsonSchema, Task } from "./catalog/entry.ts";
export { standardShape, type TaskShape } from "./catalog/standard-schemas.ts";
export { validateInput, type InputProblem } from "./catalog/validate-input.ts";
export { parseAllowList, type AllowList } from "./http/url-guard.ts";
export type { Deployments, DeploymentSettings } from "./upstream/deployments.ts";
export type { KeyIdentity, Keys, Scope } from "./keys/keys.ts";
export type {
  PredictionListOptions,
  PredictionRecord,
  PredictionStatus,
  PredictionStore,
} from "./prediction/store.ts";
export type { ProviderAdapter } from "./upstream/provider/adapter.ts";
export type { Provider, Providers } from "./upstream/provider/providers.ts";
export type {
  AcquireOptions,
  Lease,
  LeaseStart,
  ModelState,
  Upstream,
} from "./upstream/upstream.ts";
export { chatCapabilities, chatFormats } from "./chat/conventions.ts";
export { mediaFormats } from "./media/formats.ts";
export { checkChatTemplate } from "./chat/template.ts";
export { readProviderFile, type ProviderFile } from "./upstream/provider/provider-file.ts";
export type { ExportedDocument, ExportModel, ExportOptions, SkippedModel } from "./export/model.ts";
export { exportModels, exportTargets, type ExportTarget } from "./export/targets.ts";
export {
  registerModels,
  registerTargets,
  type RegisterTarget,
} from "./export/register/register.ts";
export type { Registration, RegistrationStep } from "./export/register/registration.ts";
