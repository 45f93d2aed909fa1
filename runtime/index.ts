export { createAdminApi } from "./api/admin.ts";
export type { AdminApi } from "./api/admin.ts";
export { createKeys } from "./api/keys.ts";
export type { KeyDescription, KeyOwner, KeyRing } from "./api/keys.ts";
export type { AcquireOptions, Lease, WaitPhase } from "./autoscale/lease.ts";
export { autoscaleLimits } from "./autoscale/limits.ts";
export type { AutoscaleLimits } from "./autoscale/limits.ts";
export { systemClock } from "./clock.ts";
export type { Clock } from "./clock.ts";
export type { DeployRequest, DeployResult } from "./deployment/deploy.ts";
export { scalingDefault } from "./deployment/deployment.ts";
export type { Deployment, Release, Scaling, TrafficShare } from "./deployment/deployment.ts";
export { openSnapshotTravel } from "./deployment/snapshot-travel.ts";
export { versionSettingsDefault } from "./deployment/version.ts";
export type {
  Example,
  JsonObject,
  ModelCard,
  ModelTask,
  Version,
  VersionSettings,
} from "./deployment/version.ts";
export { openGpuCheckpointer } from "./gpu/checkpointer.ts";
export { createDockerEngine } from "./engine/docker.ts";
export type { DockerEngineOptions } from "./engine/docker.ts";
export type { Engine, EngineInfo } from "./engine/engine.ts";
export {
  AcquireError,
  ConflictError,
  DeployError,
  EngineError,
  NotFoundError,
  SnapshotError,
  StartError,
  StoreError,
} from "./errors.ts";
export type { DeployEvent, InstanceEvent, RuntimeEvent } from "./events.ts";
export type { Instance, InstanceState } from "./instance/instance.ts";
export { instanceLabels } from "./instance/spec.ts";
export { ociRuntimeName, renderWrapper } from "./oci-runtime/wrapper.ts";
export type { WrapperOptions } from "./oci-runtime/wrapper.ts";
export { createRuntime } from "./runtime.ts";
export type { ModelStatus, Runtime, RuntimeOptions, RuntimeStatus } from "./runtime.ts";
export type { Decision } from "./snapshot/decision.ts";
export type { Snapshot, Snapshotter, StartPhase, StartReport } from "./snapshot/snapshot.ts";
export { explainMissing as explainMissingSecrets } from "./secrets/required.ts";
export { createSnapshotter } from "./snapshot/snapshotter.ts";
export type { SnapshotterOptions } from "./snapshot/snapshotter.ts";
export type { KeyScope } from "./store/keys.ts";
export type { StoredPrediction, StoredPredictions } from "./store/predictions.ts";
export { openStore } from "./store/store.ts";
export type { Store } from "./store/store.ts";
