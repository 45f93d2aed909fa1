/** Host set-up: what byom needs of the machine, brought up, looked at and taken back. */
export {
  type Directories,
  type Environment,
  hostPaths,
  type HostPaths,
  resolveDirectories,
} from "./directories.ts";
export { type HostSettings, loadHostSettings } from "./settings.ts";
export { HostError, type HostErrorCode } from "./errors.ts";
export type { HostEvent, HostNote, HostStep, HostStepId } from "./events.ts";
export type { HostOptions } from "./setup/options.ts";
export type { ConnectEngine } from "./engine/connect.ts";
export type { HostPlan } from "./setup/plan.ts";
export { makeBaseImage, planHostSetup, setUpHost, type SetupReport } from "./setup/setup.ts";
export { tearDownHost, type TeardownReport } from "./setup/teardown.ts";
export { checkHost } from "./capability/check.ts";
export type { HostCheckItem, HostCheckReport, StartMode } from "./capability/item.ts";
export { possiblePythonVersions } from "./base-image/make.ts";
