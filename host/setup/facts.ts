import { findProgram } from "../command.ts";
import { criuFingerprint } from "../criu/probe.ts";
import { hostPaths } from "../directories.ts";
import { connectEngine, type ConnectedEngine, type EngineAbsence } from "../engine/connect.ts";
import { type EngineControl, inspectControl } from "../engine/daemon.ts";
import { isOciRuntimeCurrent } from "../engine/oci-runtime.ts";
import { hasImage } from "../engine/pull.ts";
import { describeStart } from "../engine/start.ts";
import { type Distribution, detectDistribution } from "../packages/distribution.ts";
import { isRegistryHealthy } from "../registry/probe.ts";
import { configuredRegistry } from "../registry/provide.ts";
import { type HostSettings, loadHostSettings, loadOwnSettings } from "../settings.ts";
import type { HostOptions } from "./options.ts";

/** The Python of most cog.yaml files; its slim image is what the builder starts from by default. */
export const defaultPythonVersion = "3.11";
/** The usual base image. */
export const usualBaseImage: string = `python:${defaultPythonVersion}-slim`;

/** What is on this host, looked at before anything is decided. Nothing was changed to find it out. */
export interface HostFacts {
  readonly isRoot: boolean;
  readonly distribution: Distribution;
  readonly settings: HostSettings;
  readonly engine: ConnectedEngine | EngineAbsence;
  /** dockerd is installed, running or not. */
  readonly isEngineInstalled: boolean;
  /** How an installed engine is started here. */
  readonly startCommand: string;
  /** Undefined while no engine answers. */
  readonly control?: EngineControl;
  /** The CRIU of the settings is the one that was tried on this kernel. */
  readonly isCriuVerified: boolean;
  readonly isOciRuntimeCurrent: boolean;
  readonly isRegistryHealthy: boolean;
  /** The usual base image, or the one made from packages, is in the engine. */
  readonly hasBaseImage: boolean;
}

/** Looks at the host; takes some hundredths of a second when everything is up. Rejects only when the signal aborts. */
export async function inspectHost(options: HostOptions): Promise<HostFacts> {
  const { environment, signal, directories } = options;
  const isRoot = options.isRoot ?? process.getuid?.() === 0;
  const connect = options.connect ?? connectEngine;
  const [distribution, found, engine, dockerd, startCommand] = await Promise.all([
    detectDistribution({ environment, signal }),
    // Root changes its own set-up; other users see the one that root made.
    isRoot ? loadOwnSettings(directories, { signal }) : loadHostSettings(directories, { signal }),
    connect({ environment, signal }),
    findProgram("dockerd", { environment }),
    describeStart(environment),
  ]);
  // What is asked for now is what the rest is compared with.
  const settings =
    options.hugePages === undefined ? found : { ...found, hugePages: options.hugePages };
  const isUp = engine.docker !== undefined;
  const registry = configuredRegistry(environment, settings.registry) ?? settings.registry?.address;
  const [control, isCriuVerified, isCurrent, isHealthy, hasBase] = await Promise.all([
    isUp ? inspectControl(engine, { isRoot, signal }) : undefined,
    isVerified(settings, { ...options, isRoot }),
    isUp ? isOciRuntimeCurrent(engine, { ...options, hugePages: settings.hugePages }) : false,
    registry === undefined ? false : isRegistryHealthy(registry, { signal }),
    isUp ? hasAnyBaseImage(engine, settings, signal) : false,
  ]);
  return {
    isRoot,
    distribution,
    settings,
    engine,
    isEngineInstalled: dockerd !== undefined,
    startCommand,
    ...(control === undefined ? {} : { control }),
    isCriuVerified,
    isOciRuntimeCurrent: isCurrent,
    isRegistryHealthy: isHealthy && settings.registry?.address === registry,
    hasBaseImage: hasBase,
  };
}

async function isVerified(
  settings: HostSettings,
  options: HostOptions & { isRoot: boolean },
): Promise<boolean> {
  if (settings.criu === undefined) return false;
  const fingerprint = await criuFingerprint(settings.criu.path).catch(() => undefined);
  if (fingerprint !== settings.criu.verifiedFor) return false;
  const { bin, criu } = hostPaths(options.directories);
  return !options.isRoot || (await findProgram("criu", { environment: { PATH: bin } })) === criu;
}

/** Whether a Python base is in the engine: the usual one, or the one made on this host. */
export async function hasAnyBaseImage(
  engine: ConnectedEngine,
  settings: HostSettings,
  signal: AbortSignal,
): Promise<boolean> {
  const template = settings.baseImages?.python;
  const made = template?.replace("{version}", defaultPythonVersion);
  return (
    (made !== undefined && (await hasImage(engine.docker, made, { signal }))) ||
    (await hasImage(engine.docker, usualBaseImage, { signal }))
  );
}
