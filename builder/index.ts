// Reading a model repo
export { findModelDirectory, loadConfig } from "./config/load.ts";
export { parsePythonVersion, pythonMinorMin } from "./compatibility/python.ts";
export { createConfigJsonSchema } from "./config/json-schema.ts";
export { hasErrors, renderProblems, requireConfig } from "./config/problems.ts";
export type { Config, LoadedConfig, Requirements, RunItem } from "./config/config.ts";
export { loadDeploySettings } from "./config/deploy-settings.ts";
export type { DeploySettings, LoadedDeploySettings } from "./config/deploy-settings.ts";
export type { Problem } from "./problem.ts";

// What goes together
export { resolveGpu } from "./compatibility/resolve-gpu.ts";
export type { GpuResolution } from "./compatibility/resolve-gpu.ts";
export {
  readCompatibilityTable,
  resetCompatibilityTable,
  updateCompatibilityTable,
} from "./compatibility/read-table.ts";
export type { LoadedTable } from "./compatibility/read-table.ts";
export type { CompatibilityTable } from "./compatibility/table.ts";

// Planning
export { createPlan } from "./plan/create.ts";
export { renderPlan } from "./plan/render.ts";
export { renderPlannedFiles } from "./plan/render-files.ts";
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

// Mending a model repo
export { planRepairs, writeRepairs } from "./repair/repair-repository.ts";
export type { RepairedFile, RepairPlan } from "./repair/repair-repository.ts";
export type { Repair } from "./repair/repair.ts";

// Errors
export {
  BuilderError,
  CompatibilityTableError,
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

// Building with an engine
export type { DockerEngine, ImageStore } from "./docker/connect.ts";
export type { LoadedHostTrust } from "./docker/trust.ts";
export type { BuiltEnvironment } from "./docker/environment.ts";
export {
  assembleImage,
  buildEnvironment,
  buildImage,
  connectEngine,
  loadHostTrust,
  loadIntoEngine,
  predict,
  pushBuiltImage,
  startLocalContainer,
} from "./verbs.ts";
export type { BuildRequest } from "./build.ts";
export type { Environment, Image, ImageLayer } from "./image.ts";
export type { BuilderEvent, OnBuilderEvent } from "./events.ts";

// Pushing and running what was built
export type { PushRequest } from "./push.ts";
export type { LocalContainer } from "./run-local.ts";
export type { ContainerOptions, GpuRequest } from "./docker/container.ts";
export type { LocalPrediction, PredictionEvent } from "./predict.ts";
export {
  ContainerSetupError,
  EngineRequestError,
  EngineUnavailableError,
  EnvironmentBuildError,
  ImageLoadError,
  PredictionRequestError,
} from "./docker/errors.ts";
export { FileChangedError, LayerPathError } from "./layer/errors.ts";
