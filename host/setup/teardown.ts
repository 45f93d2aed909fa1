import { access, rm, rmdir } from "node:fs/promises";
import { tryCommand } from "../command.ts";
import { hostPaths } from "../directories.ts";
import { connectEngine } from "../engine/connect.ts";
import { findDaemon, inspectControl } from "../engine/daemon.ts";
import { ociRuntimeName, unregisterOciRuntime } from "../engine/oci-runtime.ts";
import { enginePackages } from "../engine/start.ts";
import { HostError } from "../errors.ts";
import { aptEnvironment } from "../packages/distribution.ts";
import { removeRegistryContainer } from "../registry/container.ts";
import { stopRegistryProcess } from "../registry/process.ts";
import { loadOwnSettings, saveHostSettings } from "../settings.ts";
import type { HostOptions } from "./options.ts";

/** What was taken away, one line each. */
export interface TeardownReport {
  readonly removed: readonly string[];
}

/**
 * Takes back what set-up did: the OCI runtime's registration, CRIU, the registry's server. Models stay (registry storage,
 * base images, snapshots). With `purge` the registry's storage goes too, and Docker's packages if byom installed them.
 * @throws HostError HOST_NOT_ROOT when a runtime is registered and this user may not change dockerd's settings.
 */
export async function tearDownHost(
  options: HostOptions & { readonly purge?: boolean; readonly dryRun?: boolean },
): Promise<TeardownReport> {
  const { directories, environment, signal } = options;
  const isRoot = options.isRoot ?? process.getuid?.() === 0;
  const settings = await loadOwnSettings(directories, { signal });
  const paths = hostPaths(directories);
  const found = await (options.connect ?? connectEngine)({ environment, signal });
  const engine = found.docker === undefined ? undefined : found;
  const control = engine && (await inspectControl(engine, { isRoot, signal }));
  const daemon = control?.isControllable ? control.daemon : undefined;
  const settingsFile = daemon?.settingsFile ?? "/etc/docker/daemon.json";
  const removed: string[] = [];
  const perform = async (what: string, action: () => Promise<unknown>): Promise<void> => {
    signal.throwIfAborted();
    if (options.dryRun !== true && (await action()) === false) return;
    removed.push(what);
  };

  if (settings.ociRuntime !== undefined) {
    if (!isRoot) {
      throw new HostError("HOST_NOT_ROOT", "dockerd's settings can be changed by root only", {
        hint: "Run: sudo byom host teardown",
      });
    }
    const target = { settingsFile, ...(engine && { engine }), ...(daemon && { daemon }) };
    await perform(`runtime ${ociRuntimeName} from ${settingsFile}, ${paths.ociRuntime}`, () =>
      unregisterOciRuntime(target, options).then(() => true),
    );
  }
  if (settings.registry?.kind === "process") {
    await perform(`registry process at ${settings.registry.address}`, () =>
      stopRegistryProcess(options),
    );
  }
  if (settings.registry?.kind === "container" && engine !== undefined) {
    await perform(`registry container at ${settings.registry.address}`, () =>
      removeRegistryContainer(engine.docker, { signal }),
    );
  }
  const folders = [paths.criuPrefix, paths.bin, paths.registryPackage, paths.aptState];
  if (options.purge === true) folders.push(paths.registryStorage, paths.log);
  for (const folder of [...folders, paths.registryConfig]) {
    if (!(await exists(folder))) continue;
    await perform(folder, () => rm(folder, { recursive: true, force: true }));
  }
  if (options.purge === true && settings.engine?.isInstalledByUs === true) {
    await perform("Docker Engine's packages", () => purgeEngine(options));
  }
  if (options.purge === true)
    await perform(paths.settings, () => rm(paths.settings, { force: true }));
  else if (options.dryRun !== true) {
    const { criu: _criu, ociRuntime: _runtime, registry, ...kept } = settings;
    const configured = registry?.kind === "configured" ? { registry } : {};
    await saveHostSettings(directories, { ...kept, ...configured }, { signal });
  }
  if (options.purge === true && options.dryRun !== true) {
    // Goes only when nothing else, such as the platform's own files, lies in it.
    await rmdir(directories.data).catch(() => {});
  }
  return { removed };
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** Stops dockerd and removes its packages; images and containers under its root folder stay. */
async function purgeEngine(options: HostOptions): Promise<void> {
  const environment = aptEnvironment(options.environment);
  const daemon = await findDaemon(options);
  if (daemon !== undefined) process.kill(daemon.pid, "SIGTERM");
  const packages = enginePackages
    .map((name) => name.replace("?", ""))
    .filter((name) => name !== "iptables");
  for (const name of packages) {
    await tryCommand(["apt-get", "remove", "-y", "-q", name], { ...options, environment });
  }
}
