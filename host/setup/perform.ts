import { baseImageTemplate, makeBaseImageIn } from "../base-image/make.ts";
import { provideCriu } from "../criu/install.ts";
import { connectEngine, type ConnectedEngine, describeEngine } from "../engine/connect.ts";
import { findDaemon } from "../engine/daemon.ts";
import { registerOciRuntime } from "../engine/oci-runtime.ts";
import { hasImage, tryPull } from "../engine/pull.ts";
import { installEngine, startEngine } from "../engine/start.ts";
import { HostError } from "../errors.ts";
import type { HostStep, HostStepId } from "../events.ts";
import { provideRegistry } from "../registry/provide.ts";
import { type HostSettings, saveHostSettings } from "../settings.ts";
import { defaultPythonVersion, hasAnyBaseImage, type HostFacts, usualBaseImage } from "./facts.ts";
import type { HostOptions } from "./options.ts";

/** What steps share while they are performed; settings are saved after each. */
export interface SetupState {
  readonly facts: HostFacts;
  engine: ConnectedEngine | undefined;
  settings: HostSettings;
}

type StepOptions = HostOptions & { readonly onLine: (line: string) => void };
type Performer = (state: SetupState, options: StepOptions) => Promise<string>;

/** Steps of one chain need each other, in this order; the chains need the engine only, and run side by side. */
const chains: readonly (readonly HostStepId[])[] = [
  ["criu", "oci-runtime"],
  ["registry"],
  ["base-image"],
];

/**
 * Performs the steps: the engine's first, then the chains side by side. When one fails the others are stopped.
 * Rejects with the error of the step that failed first.
 */
export async function performSteps(
  steps: readonly HostStep[],
  state: SetupState,
  options: HostOptions,
): Promise<void> {
  const isOfEngine = (step: HostStep): boolean => !chains.flat().includes(step.id);
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const perform = async (chain: readonly HostStep[]): Promise<void> => {
    for (const step of chain) {
      const position = { number: steps.indexOf(step) + 1, count: steps.length };
      await performStep({ step, ...position }, state, { ...options, signal });
    }
  };
  await perform(steps.filter(isOfEngine));
  const work = chains.map((chain) => perform(steps.filter((step) => chain.includes(step.id))));
  try {
    await Promise.all(work);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(work);
    throw error;
  }
}

/** Records the engine that was found, for the other commands. */
export async function rememberEngine(state: SetupState, options: HostOptions): Promise<void> {
  const { engine, settings } = state;
  if (engine === undefined || settings.engine?.host === engine.host) return;
  const isInstalledByUs = settings.engine?.isInstalledByUs ?? false;
  state.settings = { ...settings, engine: { host: engine.host, isInstalledByUs } };
  await saveHostSettings(options.directories, state.settings, options);
}

/** Performs one step and saves what it found. */
async function performStep(
  position: { step: HostStep; number: number; count: number },
  state: SetupState,
  options: HostOptions,
): Promise<void> {
  const { step } = position;
  const { id } = step;
  options.signal.throwIfAborted();
  const startedAt = performance.now();
  options.onEvent?.({ type: "step-start", ...position });
  const onLine = (line: string): void => options.onEvent?.({ type: "step-output", id, line });
  const result = await performers[id](state, { ...options, onLine });
  await saveHostSettings(options.directories, state.settings, options);
  const elapsedMs = performance.now() - startedAt;
  options.onEvent?.({ type: "step-end", step, result, elapsedMs });
}

const performers: Readonly<Record<HostStepId, Performer>> = {
  "engine-install": async (state, options) => {
    await installEngine(state.facts.distribution, startOptions(options));
    state.settings = { ...state.settings, engine: { host: "", isInstalledByUs: true } };
    return "installed";
  },
  "engine-start": async (state, options) => {
    const engine = await startEngine(startOptions(options));
    state.engine = engine;
    const isInstalledByUs = state.settings.engine?.isInstalledByUs ?? false;
    state.settings = { ...state.settings, engine: { host: engine.host, isInstalledByUs } };
    return `Docker Engine ${engine.info.ServerVersion} at ${engine.host}`;
  },
  criu: async (state, options) => {
    const criu = await provideCriu(state.facts.distribution, options);
    state.settings = { ...state.settings, criu };
    return `CRIU ${criu.version} (${criu.source === "system" ? "the system's" : "beside the system"}), dump and restore tried`;
  },
  "oci-runtime": async (state, options) => {
    const engine = requireEngine(state);
    const daemon = await findDaemon(options);
    if (daemon === undefined) {
      throw new HostError("HOST_RUNTIME_NOT_REGISTERED", "no dockerd process is visible", {
        hint: "Run byom host setup on the host itself, not in a container",
      });
    }
    const { hugePages } = state.settings;
    const ociRuntime = await registerOciRuntime(engine, daemon, { ...options, hugePages });
    state.engine = { ...engine, info: await describeEngine(engine.docker, options) };
    state.settings = { ...state.settings, ociRuntime };
    return `dockerd knows the runtime ${ociRuntime.name}`;
  },
  registry: async (state, options) => {
    const former = state.settings.registry;
    const target = { engine: requireEngine(state), distribution: state.facts.distribution };
    const registry = await provideRegistry(
      former === undefined ? target : { ...target, former },
      options,
    );
    state.settings = { ...state.settings, registry };
    return `${registry.address} (${registry.kind})`;
  },
  "base-image": async (state, options) => {
    const engine = requireEngine(state);
    // The engine may have been down when the steps were computed.
    if (await hasAnyBaseImage(engine, state.settings, options.signal)) return "was there already";
    const made = baseImageTemplate.replace("{version}", defaultPythonVersion);
    if (await hasImage(engine.docker, made, options)) {
      state.settings = {
        ...state.settings,
        baseImages: { ...state.settings.baseImages, python: baseImageTemplate },
      };
      return `${made} was there already`;
    }
    const pulled = await tryPull(engine.docker, usualBaseImage, options);
    if (pulled.isPresent) return usualBaseImage;
    options.onLine(`${usualBaseImage} cannot be pulled: ${pulled.reason}`);
    const target = {
      engine,
      distribution: state.facts.distribution,
      pythonVersion: defaultPythonVersion,
    };
    const reference = await makeBaseImageIn(target, options);
    state.settings = {
      ...state.settings,
      baseImages: { ...state.settings.baseImages, python: baseImageTemplate },
    };
    return `${reference} from Debian's packages`;
  },
};

function requireEngine(state: SetupState): ConnectedEngine {
  if (state.engine !== undefined) return state.engine;
  throw new HostError("HOST_ENGINE_UNREACHABLE", "no container engine answers", {
    hint: "Start Docker, then run: byom host setup",
  });
}

function startOptions(options: StepOptions): Parameters<typeof startEngine>[0] {
  return { ...options, connect: options.connect ?? connectEngine };
}
