/** Host set-up: what byom needs of the machine, brought up, looked at and taken back. */
export { possiblePythonVersions } from "./base-image/versions.ts";
export type { HostCheckItem, HostCheckReport, StartMode } from "./capability/item.ts";
export { hostPaths, resolveDirectories } from "./directories.ts";
export type { Directories, Environment, HostPaths } from "./directories.ts";
export type { ConnectedEngine, ConnectEngine, EngineAbsence } from "./engine/connect.ts";
export { HostError } from "./errors.ts";
export type { HostErrorCode } from "./errors.ts";
export type { HostEvent, HostNote, HostStep, HostStepId } from "./events.ts";
export { readHostGpu } from "./gpu.ts";
export type { HostGpu } from "./gpu.ts";
export { loadHostSettings } from "./settings.ts";
export type { HostSettings } from "./settings.ts";
export type { HostOptions } from "./setup/options.ts";
export type { HostPlan } from "./setup/plan.ts";
export type { SetupReport } from "./setup/setup.ts";
export type { TeardownReport } from "./setup/teardown.ts";
export { checkHost, makeBaseImage, planHostSetup, setUpHost, tearDownHost } from "./verbs.ts";
