import { readCriuVersion } from "../criu/probe.ts";
import { findProgram, tryCommand } from "../command.ts";
import { hostPaths } from "../directories.ts";
import { ociRuntimeName } from "../engine/oci-runtime.ts";
import { type HostFacts, inspectHost, usualBaseImage } from "../setup/facts.ts";
import type { HostOptions } from "../setup/options.ts";
import { configuredRegistry } from "../registry/provide.ts";
import {
  type HostCheckItem,
  type HostCheckReport,
  missing,
  ok,
  type StartMode,
  warn,
} from "./item.ts";
import { checkDisk, checkGpu, checkHugePages, checkUserfaultfd } from "./kernel.ts";

const setupHint = "Run: byom host setup";
const criuCheckTimeoutMs = 10_000;

/** Looks at everything that decides which start modes work here. Changes nothing; rejects only when the signal aborts. */
export async function checkHost(options: HostOptions): Promise<HostCheckReport> {
  let facts: HostFacts;
  try {
    facts = await inspectHost(options);
  } catch (error) {
    options.signal.throwIfAborted();
    const { message, hint } = error as Error & { hint?: string };
    return { items: [missing("host", message, hint ?? setupHint)], startModes: startModes() };
  }
  const checks: readonly [string, () => Promise<HostCheckItem> | HostCheckItem][] = [
    ["engine", () => checkEngine(facts)],
    ["oci runtime", () => checkOciRuntime(facts)],
    ["criu", () => checkCriu(facts, options)],
    ["userfaultfd", checkUserfaultfd],
    ["transparent huge pages", () => checkHugePages(facts.isRoot, facts.settings.hugePages)],
    ["gpu", () => checkGpu(options)],
    ["registry", () => checkRegistry(facts, options)],
    ["base image", () => checkBaseImage(facts)],
    ["root", () => checkRoot(facts)],
    ["disk", () => checkDisk(options.directories.data)],
  ];
  const items = await Promise.all(
    checks.map(async ([name, check]) => {
      try {
        return await check();
      } catch (error) {
        options.signal.throwIfAborted();
        return warn(name, `cannot be looked at: ${(error as Error).message}`);
      }
    }),
  );
  return { items, startModes: startModes(facts) };
}

function checkEngine(facts: HostFacts): HostCheckItem {
  const { engine } = facts;
  if (engine.docker === undefined) {
    const hint = engine.isExplicit
      ? "Start it, or unset DOCKER_HOST and DOCKER_CONTEXT"
      : setupHint;
    return missing("engine", engine.reason, hint);
  }
  const { info } = engine;
  const isContainerd = JSON.stringify(info.DriverStatus ?? []).includes("containerd.snapshotter");
  const store = isContainerd ? `containerd store (${info.Driver})` : info.Driver;
  const detail = `Docker ${info.ServerVersion}, ${store}, cgroup v${info.CgroupVersion} (${info.CgroupDriver}), ${engine.host}`;
  if (facts.control?.isControllable !== false || !facts.isRoot) return ok("engine", detail);
  return warn("engine", `${detail}; ${facts.control.reason}`, facts.control.hint);
}

function checkOciRuntime(facts: HostFacts): HostCheckItem {
  const name = "oci runtime";
  if (facts.engine.docker === undefined)
    return missing(name, "no engine to register it with", setupHint);
  const path = facts.engine.info.Runtimes?.[ociRuntimeName]?.path;
  if (path === undefined) {
    return missing(name, `${ociRuntimeName} is not registered`, controlHint(facts));
  }
  if (facts.isOciRuntimeCurrent) return ok(name, `${ociRuntimeName} at ${path}`);
  return warn(name, `${ociRuntimeName} at ${path} is of another version`, controlHint(facts));
}

async function checkCriu(facts: HostFacts, options: HostOptions): Promise<HostCheckItem> {
  const known = facts.settings.criu;
  if (known !== undefined && facts.isCriuVerified) {
    return ok(
      "criu",
      `${known.version} (${known.source}), dumped and restored TCP sockets on this kernel`,
    );
  }
  const criu = await findProgram("criu", {
    environment: {
      PATH: `${hostPaths(options.directories).bin}:${options.environment["PATH"] ?? ""}`,
    },
  });
  const version = criu && (await readCriuVersion(criu, options));
  if (criu === undefined || version === undefined) {
    return missing("criu", "not installed", controlHint(facts));
  }
  if (!facts.isRoot) return warn("criu", `${version}, not tried: needs root`, controlHint(facts));
  const check = await tryCommand([criu, "check"], { ...options, timeoutMs: criuCheckTimeoutMs });
  const verdict = check.exitCode === 0 ? "passes criu check" : "fails criu check";
  return warn(
    "criu",
    `${version} ${verdict}, no dump tried on this kernel yet`,
    controlHint(facts),
  );
}

function checkRegistry(facts: HostFacts, options: HostOptions): HostCheckItem {
  const known = facts.settings.registry;
  const address = configuredRegistry(options.environment, known) ?? known?.address;
  if (address === undefined)
    return missing("registry", "none", `${setupHint}, or set BYOM_REGISTRY`);
  if (facts.isRegistryHealthy) return ok("registry", `${address} (${known?.kind ?? "configured"})`);
  return missing("registry", `${address} does not answer`, `${setupHint}: it starts it again`);
}

function checkBaseImage(facts: HostFacts): HostCheckItem {
  const template = facts.settings.baseImages?.python;
  if (facts.hasBaseImage) return ok("base image", template ?? usualBaseImage);
  const hint = `${setupHint}, or from Debian's packages: byom host base-image`;
  return warn("base image", `${usualBaseImage} is not in the engine`, hint);
}

function checkRoot(facts: HostFacts): HostCheckItem {
  if (facts.isRoot) return ok("root", "yes");
  return warn("root", "no: snapshots are captured and restored by root", "Run byom up as root");
}

/** Restored needs engine, runtime and CRIU on this kernel, and root; the others need an engine only. */
function startModes(facts?: HostFacts): readonly StartMode[] {
  if (facts?.engine.docker === undefined) {
    const reason = `no container engine answers. ${setupHint}`;
    return (["cold", "paused", "restored"] as const).map((mode) => ({
      mode,
      isPossible: false,
      reason,
    }));
  }
  const reason = findObstacle(facts);
  return [
    { mode: "cold", isPossible: true },
    { mode: "paused", isPossible: true },
    reason === undefined
      ? { mode: "restored", isPossible: true }
      : { mode: "restored", isPossible: false, reason },
  ];
}

/** The first thing that stands in the way of restores. */
function findObstacle(facts: HostFacts): string | undefined {
  if (facts.control?.isControllable === false) {
    return `${facts.control.reason}. ${facts.control.hint}`;
  }
  if (!facts.isCriuVerified) return `no CRIU was tried on this kernel. ${setupHint}`;
  if (!facts.isOciRuntimeCurrent) return `the OCI runtime byom is not registered. ${setupHint}`;
  return undefined;
}

function controlHint(facts: HostFacts): string {
  return facts.control?.isControllable === false ? facts.control.hint : setupHint;
}
