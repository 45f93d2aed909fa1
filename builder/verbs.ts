import type * as Build from "./build.ts";
import type * as Connect from "./docker/connect.ts";
import type * as Environment from "./docker/environment.ts";
import type * as Load from "./docker/load.ts";
import type * as Trust from "./docker/trust.ts";
import type * as Predict from "./predict.ts";
import type * as Push from "./push.ts";
import type * as RunLocal from "./run-local.ts";

// Every command that reads a repo enters this room, few build or push: what an engine and a registry need (HTTP, tar,
// SQLite, two hundred modules) is loaded when the first of these is called. Each does what its namesake does.

/** Finds a container engine that answers. @throws EngineUnavailableError */
export const connectEngine: typeof Connect.connectEngine = async (options) =>
  await (await import("./docker/connect.ts")).connectEngine(options);

/** Reads the host's certificates and index settings that a build needs. */
export const loadHostTrust: typeof Trust.loadHostTrust = async (options) =>
  await (await import("./docker/trust.ts")).loadHostTrust(options);

/** Builds the environment of a plan, or finds it in the engine. @throws EnvironmentBuildError */
export const buildEnvironment: typeof Environment.buildEnvironment = async (request) =>
  await (await import("./docker/environment.ts")).buildEnvironment(request);

/** Lays weights and code on a built environment. */
export const assembleImage: typeof Build.assembleImage = async (options) =>
  await (await import("./build.ts")).assembleImage(options);

/** Builds a plan's image and loads it into the engine. */
export const buildImage: typeof Build.buildImage = async (request) =>
  await (await import("./build.ts")).buildImage(request);

/** Makes the engine know an image. @throws ImageLoadError */
export const loadIntoEngine: typeof Load.loadIntoEngine = async (request) =>
  await (await import("./docker/load.ts")).loadIntoEngine(request);

/** Pushes a built image to a registry. */
export const pushBuiltImage: typeof Push.pushBuiltImage = async (request) =>
  await (await import("./push.ts")).pushBuiltImage(request);

/** Starts a container of a built image and waits for its set-up. @throws ContainerSetupError */
export const startLocalContainer: typeof RunLocal.startLocalContainer = async (options) =>
  await (await import("./run-local.ts")).startLocalContainer(options);

/** Runs one prediction. @throws PredictionRequestError */
export const predict: typeof Predict.predict = async (options) =>
  await (await import("./predict.ts")).predict(options);
