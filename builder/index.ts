// Reading a model repo
export { findModelDirectory, loadConfig } from "./config/load.ts";
export { hasErrors, renderProblems, requireConfig } from "./config/problems.ts";
export type { Config, LoadedConfig, Requirements, RunItem } from "./config/config.ts";
export { loadDeploySettings } from "./config/deploy-settings.ts";
export type { DeploySettings, LoadedDeploySettings } from "./config/deploy-settings.ts";
export type { Problem } from "./problem.ts";

// Planning
export { createPlan } from "./plan/create.ts";
export { renderPlan } from "./plan/render.ts";
export { sortByPathBytes } from "./context/walk.ts";
export { renderDockerfile } from "./dockerfile/render.ts";
export type { PlanSettings } from "./plan/settings.ts";
export type {
  Decision,
  EnvironmentStep,
  HostTrust,
  OpenApiDocument,
  Plan,
  PlannedFile,
  SecretMount,
} from "./plan/plan.ts";

// Errors
export {
  BuilderError,
  ConfigInvalidError,
  ConfigNotFoundError,
  RepositoryReadError,
} from "./errors.ts";

// Inputs and outputs
export { coerceInput, createSchema, validateInput } from "./python-schema/index.ts";
export type {
  CreateSchemaOptions,
  InputProblem,
  JsonValue,
  PredictorSchema,
  ReadFile,
} from "./python-schema/index.ts";
