import { baseImageTemplate } from "../base-image/make.ts";
import { type Directories, hostPaths } from "../directories.ts";
import { enginePackages } from "../engine/start.ts";
import type { HostNote, HostStep } from "../events.ts";
import { installCommand } from "../packages/distribution.ts";
import { defaultPythonVersion, type HostFacts, usualBaseImage } from "./facts.ts";

/** What a set-up would do, in order, and what it has to leave as it is. */
export interface HostPlan {
  readonly steps: readonly HostStep[];
  readonly notes: readonly HostNote[];
}

/** Decides from what was found; pure. No steps: the host is set up. */
export function planSteps(facts: HostFacts, directories: Directories): HostPlan {
  const steps: HostStep[] = [];
  const notes: HostNote[] = [];
  const willHaveEngine = planEngine(facts, steps, notes);
  if (!willHaveEngine) return { steps, notes };
  planSnapshots(facts, directories, steps, notes);
  if (!facts.isRegistryHealthy) steps.push(registryStep(directories));
  if (!facts.hasBaseImage) {
    if (facts.isRoot || facts.engine.docker !== undefined) steps.push(baseImageStep());
  }
  return { steps, notes };
}

/** True when an engine answers or will answer after the steps. */
function planEngine(facts: HostFacts, steps: HostStep[], notes: HostNote[]): boolean {
  if (facts.engine.docker !== undefined) return true;
  const why = facts.engine.reason;
  if (facts.engine.isExplicit) {
    notes.push({
      message: why,
      hint: "Start that engine, or unset DOCKER_HOST and DOCKER_CONTEXT so that byom sets up one on this host",
    });
    return false;
  }
  if (!facts.isRoot) {
    const hint = why.includes("permission denied")
      ? "Join the docker group (sudo usermod -aG docker $USER, then log in again), or run byom as root"
      : "Start Docker, or run once as root: sudo byom host setup";
    notes.push({ message: why, hint });
    return false;
  }
  if (!facts.isEngineInstalled) {
    steps.push({
      id: "engine-install",
      what: `install Docker Engine from ${facts.distribution.name}'s packages`,
      why: "no container engine answers and none is installed",
      command: installCommand(enginePackages, facts.distribution),
    });
  }
  steps.push({
    id: "engine-start",
    what: "start Docker Engine and wait until it answers",
    why: facts.isEngineInstalled ? "it is installed but does not answer" : "it was just installed",
    command: facts.startCommand,
  });
  return true;
}

function planSnapshots(
  facts: HostFacts,
  directories: Directories,
  steps: HostStep[],
  notes: HostNote[],
): void {
  if (facts.control?.isControllable === false) {
    const { reason, hint } = facts.control;
    if (facts.isCriuVerified && facts.isOciRuntimeCurrent) return;
    notes.push({ message: `no snapshots: ${reason}; cold and paused starts work`, hint });
    return;
  }
  const paths = hostPaths(directories);
  if (!facts.isCriuVerified) {
    steps.push({
      id: "criu",
      what: "find a CRIU that can dump and restore a process with TCP sockets on this kernel",
      why: facts.settings.criu === undefined ? "none was tried yet" : "kernel or CRIU changed",
      command: `criu check; where that fails: apt-get download + dpkg -x of Debian's newest into ${paths.criuPrefix}`,
    });
  }
  if (!facts.isOciRuntimeCurrent) {
    steps.push({
      id: "oci-runtime",
      what: `register the OCI runtime byom (${paths.ociRuntime}) with dockerd`,
      why: "it restores containers from snapshots",
      command: `add runtimes.byom to ${daemonSettingsFile(facts)}; kill -HUP dockerd`,
    });
  }
}

function daemonSettingsFile(facts: HostFacts): string {
  return facts.control?.isControllable
    ? facts.control.daemon.settingsFile
    : "/etc/docker/daemon.json";
}

function registryStep(directories: Directories): HostStep {
  return {
    id: "registry",
    what: `run a registry on loopback with its storage in ${hostPaths(directories).registryStorage}`,
    why: "models are pushed to it; none is configured (BYOM_REGISTRY) or it does not answer",
    command:
      "docker run registry:3; where it cannot be pulled: docker-registry from the distribution's package",
  };
}

function baseImageStep(): HostStep {
  const made = baseImageTemplate.replace("{version}", defaultPythonVersion);
  return {
    id: "base-image",
    what: `get a Python base image (${usualBaseImage})`,
    why: "models are built on it",
    command: `docker pull ${usualBaseImage}; where it cannot be pulled: mmdebstrap … | docker import - ${made}`,
  };
}
