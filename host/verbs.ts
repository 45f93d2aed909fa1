import type { HostCheckReport } from "./capability/item.ts";
import type { HostOptions } from "./setup/options.ts";
import type { HostPlan } from "./setup/plan.ts";
import type { SetupReport } from "./setup/setup.ts";
import type { TeardownReport } from "./setup/teardown.ts";

// Every command of the CLI reads the host's settings, few set it up: what set-up needs is loaded when it is called.

/** Computes the steps that `setUpHost` would perform now; changes nothing. */
export async function planHostSetup(options: HostOptions): Promise<HostPlan> {
  return await (await import("./setup/setup.ts")).planHostSetup(options);
}

/**
 * Brings up what this host lacks: engine, CRIU, OCI runtime, registry, base image. Idempotent: what is there stays.
 * Without root, or with an engine that is not ours to change, the rest is set up and the notes say what is missing.
 * @throws HostError of the step that failed; the steps before it are done and recorded.
 */
export async function setUpHost(
  options: HostOptions & { readonly dryRun?: boolean },
): Promise<SetupReport> {
  return await (await import("./setup/setup.ts")).setUpHost(options);
}

/**
 * Takes back what set-up did: the OCI runtime's registration, CRIU, the registry's server. Models stay (the registry's
 * storage, base images, snapshots). With `purge` that storage goes too, and Docker's packages if byom installed them.
 * @throws HostError HOST_NOT_ROOT when a runtime is registered and this user may not change dockerd's settings.
 */
export async function tearDownHost(
  options: HostOptions & { readonly purge?: boolean; readonly dryRun?: boolean },
): Promise<TeardownReport> {
  return await (await import("./setup/teardown.ts")).tearDownHost(options);
}

/** Looks at everything that decides which start modes work here. Changes nothing; rejects only when the signal aborts. */
export async function checkHost(options: HostOptions): Promise<HostCheckReport> {
  return await (await import("./capability/check.ts")).checkHost(options);
}

/**
 * Makes the Python base image `byom-base/python:X.Y` from Debian's packages and records the template that makes the
 * builder use it. Returns its reference.
 * @throws HostError HOST_BASE_IMAGE_UNSUPPORTED | HOST_NOT_ROOT | HOST_ENGINE_UNREACHABLE | HOST_COMMAND_FAILED
 */
export async function makeBaseImage(
  options: HostOptions & { readonly pythonVersion: string },
): Promise<string> {
  return await (await import("./setup/setup.ts")).makeBaseImage(options);
}
