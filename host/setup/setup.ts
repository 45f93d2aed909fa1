import { baseImageTemplate, makeBaseImageIn } from "../base-image/make.ts";
import { connectEngine } from "../engine/connect.ts";
import { HostError } from "../errors.ts";
import { detectDistribution } from "../packages/distribution.ts";
import { type HostSettings, loadOwnSettings, saveHostSettings } from "../settings.ts";
import { inspectHost } from "./facts.ts";
import type { HostOptions } from "./options.ts";
import { performSteps, rememberEngine, type SetupState } from "./perform.ts";
import { type HostPlan, planSteps } from "./plan.ts";

/** What a set-up did, or with `dryRun` would do. */
export interface SetupReport extends HostPlan {
  readonly settings: HostSettings;
}

/** Computes the steps that `setUpHost` would perform now; changes nothing. */
export async function planHostSetup(options: HostOptions): Promise<HostPlan> {
  return planSteps(await inspectHost(options), options.directories);
}

/**
 * Brings up what this host lacks: engine, CRIU, OCI runtime, registry, base image. Idempotent: what is there stays.
 * Without root, or with an engine that is not ours to change, the rest is set up and the notes say what is missing.
 * @throws HostError of the step that failed; the steps before it are done and recorded.
 */
export async function setUpHost(
  options: HostOptions & { readonly dryRun?: boolean },
): Promise<SetupReport> {
  const facts = await inspectHost(options);
  const plan = planSteps(facts, options.directories);
  const engine = facts.engine.docker === undefined ? undefined : facts.engine;
  const state: SetupState = { facts, engine, settings: facts.settings };
  if (options.dryRun === true) return { ...plan, settings: facts.settings };
  for (const note of plan.notes) options.onEvent?.({ type: "note", note });
  await performSteps(plan.steps, state, options);
  await rememberEngine(state, options);
  if (options.hugePages !== undefined) {
    await saveHostSettings(options.directories, state.settings, options);
  }
  return { ...plan, settings: state.settings };
}

/**
 * Makes the Python base image `byom-base/python:X.Y` from Debian's packages and records the template that makes the
 * builder use it. Returns its reference.
 * @throws HostError HOST_BASE_IMAGE_UNSUPPORTED | HOST_NOT_ROOT | HOST_ENGINE_UNREACHABLE | HOST_COMMAND_FAILED
 */
export async function makeBaseImage(
  options: HostOptions & { readonly pythonVersion: string },
): Promise<string> {
  const { directories, environment, signal, onEvent } = options;
  if (!(options.isRoot ?? process.getuid?.() === 0)) {
    throw new HostError("HOST_NOT_ROOT", "a base image is unpacked with root's rights", {
      hint: `Run: sudo byom host base-image ${options.pythonVersion}`,
    });
  }
  const engine = await (options.connect ?? connectEngine)({ environment, signal });
  if (engine.docker === undefined) {
    throw new HostError("HOST_ENGINE_UNREACHABLE", engine.reason, { hint: "Run: byom host setup" });
  }
  const onLine = (line: string): void => onEvent?.({ type: "step-output", id: "base-image", line });
  const distribution = await detectDistribution({ environment, signal });
  const target = { engine, distribution, pythonVersion: options.pythonVersion };
  const reference = await makeBaseImageIn(target, { environment, signal, onLine });
  const settings = await loadOwnSettings(directories, { signal });
  const baseImages = { ...settings.baseImages, python: baseImageTemplate };
  await saveHostSettings(directories, { ...settings, baseImages }, { signal });
  return reference;
}
