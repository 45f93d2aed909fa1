import type { Environment } from "../image.ts";
import type { BuilderStore } from "../store.ts";
import type { DockerEngine } from "./connect.ts";
import { readLogs } from "./container.ts";
import { requestEngine } from "./errors.ts";

/**
 * What `pip freeze` says in the environment, for the label `run.cog.pip_freeze`; asked once per environment.
 * Undefined when the environment has no pip: the label is information, no build fails for it.
 */
export async function findPipFreeze(options: {
  engine: DockerEngine;
  environment: Environment;
  store: BuilderStore;
  signal?: AbortSignal | undefined;
}): Promise<string | undefined> {
  const { environment, store } = options;
  const remembered = store.find("pip-freeze", environment.imageId);
  const frozen = remembered ?? (await runPipFreeze(options));
  if (remembered === undefined) store.remember("pip-freeze", environment.imageId, frozen);
  return frozen === "" ? undefined : frozen;
}

async function runPipFreeze(options: {
  engine: DockerEngine;
  environment: Environment;
  signal?: AbortSignal | undefined;
}): Promise<string> {
  const { engine, environment, signal } = options;
  const container = await requestEngine("run pip freeze", { signal }, () =>
    engine.docker.createContainer({
      Image: environment.reference,
      Entrypoint: ["python", "-m", "pip", "freeze"],
      Cmd: [],
      Labels: { "byom.role": "pip-freeze" },
      NetworkDisabled: true,
      HostConfig: { LogConfig: { Type: "json-file", Config: {} } },
      ...(signal === undefined ? {} : { abortSignal: signal }),
    }),
  );
  try {
    await container.start();
    const exit: unknown = await container.wait(signal === undefined ? {} : { abortSignal: signal });
    if ((exit as { StatusCode?: number }).StatusCode !== 0) return "";
    return (await readLogs({ engine, container, streams: "stdout" })).trim();
  } catch (error) {
    signal?.throwIfAborted();
    // An environment without `python` on its PATH cannot start the container at all.
    if ((error as { statusCode?: number }).statusCode !== undefined) return "";
    throw error;
  } finally {
    await container.remove({ force: true });
  }
}
