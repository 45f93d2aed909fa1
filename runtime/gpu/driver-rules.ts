import type { GpuFacts, GpuSelection } from "./gpu.ts";

/** What a driver must be for, oldest first: NVIDIA's cuda-checkpoint README, its issues 34, 35 and 56, CUDA's release notes. */
const driverRules = [
  { feature: "utility", since: "550", brings: "the command cuda-checkpoint" },
  { feature: "api", since: "570", brings: "cuCheckpointProcess*, a lock with a deadline" },
  {
    feature: "frameworks",
    since: "575.57",
    brings: "PyTorch, which 570 refuses with not supported",
  },
  { feature: "device-map", since: "580", brings: "other GPUs of the same model" },
  { feature: "ipc", since: "610", brings: "memory shared between processes (CUDA IPC, NCCL)" },
] as const;

type DriverFeature = (typeof driverRules)[number]["feature"];

/** Whether a driver such as `580.65.06` can do it. */
export function driverSupports(driver: string, feature: DriverFeature): boolean {
  const rule = driverRules.find((candidate) => candidate.feature === feature);
  return rule !== undefined && compareVersions(driver, rule.since) >= 0;
}

/** What newer drivers bring that this one lacks: `580 (other GPUs of the same model)`. */
export function missingFeatures(driver: string): readonly string[] {
  return driverRules
    .filter(({ since }) => compareVersions(driver, since) < 0)
    .map(({ since, brings }) => `${since} (${brings})`);
}

/** What the driver's libraries say of a host. */
export interface HostGpuFacts extends GpuFacts {
  /** libcuda has the checkpoint functions. */
  readonly hasCheckpoint: boolean;
  readonly isMpsRunning: boolean;
}

/** Why no process of this host can be captured with its GPU; undefined when it can. */
export function refuseHost(facts: HostGpuFacts): string | undefined {
  const { driver, devices, hasCheckpoint, isMpsRunning } = facts;
  if (devices.length === 0) return "the driver knows no GPU";
  if (!driverSupports(driver, "frameworks")) {
    const what = driverSupports(driver, "api") ? "PyTorch's memory" : "device memory";
    return `driver ${driver} cannot capture ${what}: 575.57 or newer can`;
  }
  if (!hasCheckpoint) {
    return `the driver's libcuda has no checkpoint functions, though its version is ${driver}`;
  }
  if (isMpsRunning) {
    return "processes under MPS cannot be captured: stop nvidia-cuda-mps-control";
  }
  return devices.every(({ isMig }) => isMig) ? migRefusal("every GPU") : undefined;
}

/** Why a container with these devices cannot be captured or restored; undefined when it can. */
export function refuseDevices(devices: GpuFacts["devices"]): string | undefined {
  if (devices.length === 0) return "the container has no GPU that the driver knows";
  const split = devices.filter(({ isMig }) => isMig);
  if (split.length === 0) return undefined;
  return migRefusal(split.map(({ index }) => `GPU ${index}`).join(", "));
}

/** A container's devices, in its order. What names none, such as a MIG device's UUID, is left out. */
export function selectDevices(facts: GpuFacts, gpus: GpuSelection): GpuFacts["devices"] {
  if (gpus === "all") return facts.devices;
  return gpus.flatMap((name) =>
    facts.devices.filter(
      ({ index, uuid }) => String(index) === name || (name.length > 3 && uuid.startsWith(name)),
    ),
  );
}

/** The `gpu` of a compatibility key: the exact driver, the models in order, hence their count. */
export function gpuKey(facts: GpuFacts, gpus: GpuSelection): string {
  const models = selectDevices(facts, gpus).map(({ model }) => model);
  return `driver ${facts.driver}: ${models.join(", ") || "no GPU"}`;
}

/** How a snapshot's devices become those of the host, or why they cannot. No pairs: they are the same ones. */
export function pairDevices(
  from: GpuFacts,
  to: GpuFacts,
): { readonly pairs: readonly (readonly [string, string])[] } | { readonly refusal: string } {
  if (from.driver !== to.driver) {
    return { refusal: `the driver changed from ${from.driver} to ${to.driver}` };
  }
  const before = from.devices.map(({ model }) => model).join(", ");
  const after = to.devices.map(({ model }) => model).join(", ");
  if (before !== after) return { refusal: `the GPUs changed from ${before} to ${after}` };
  // A map must name every device of the process, also those that stay (cuda-checkpoint --help, issue 35).
  const pairs = from.devices.map(({ uuid }, at) => [uuid, to.devices[at]?.uuid ?? ""] as const);
  if (pairs.every(([old, now]) => old === now)) return { pairs: [] };
  if (driverSupports(to.driver, "device-map")) return { pairs };
  return {
    refusal: `it was captured on other GPUs of this model, and driver ${to.driver} only restores onto the same: 580 or newer restores onto others`,
  };
}

function migRefusal(which: string): string {
  return `${which} is split (MIG), which the driver cannot capture: turn MIG off with nvidia-smi -mig 0`;
}

/** Numeric, part by part; a missing part is zero. */
function compareVersions(left: string, right: string): number {
  const parts = (text: string): number[] => text.split(".").map(Number);
  const [a, b] = [parts(left), parts(right)];
  for (let at = 0; at < Math.max(a.length, b.length); at++) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
