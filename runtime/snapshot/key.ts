import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";

import type { ContainerSpec } from "../engine/engine.ts";
import type { CompatibilityKey } from "./snapshot.ts";

/** The part of a key that is the same for every snapshot of this host. */
export interface HostKey {
  readonly cpuFeatures: string;
  readonly kernel: string;
  readonly criu: string;
  readonly ociRuntime: string;
  readonly cgroupVersion: string;
}

/** The key of an instance on this host. Pure. */
export function compatibilityKey(input: {
  readonly spec: ContainerSpec;
  readonly weightsDigest: string;
  readonly host: HostKey;
  /** Driver and models of the GPUs that it has; see `gpuKey`. */
  readonly gpu?: string | undefined;
}): CompatibilityKey {
  const { spec, host } = input;
  return {
    imageId: spec.imageId,
    weightsDigest: input.weightsDigest,
    ...host,
    gpu: spec.gpus === undefined ? "" : (input.gpu ?? JSON.stringify(spec.gpus)),
    mounts: spec.mounts.map((mount) => mount.target).toSorted(),
    environment: environmentDigest(spec),
  };
}

/** Equal keys have equal identities; the beginning of a snapshot's ID. */
export function keyIdentity(key: CompatibilityKey): string {
  const sorted = Object.entries(key).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return sha256(JSON.stringify(sorted)).slice(0, identityLength);
}

/** 64 bits: enough to tell the snapshots of one host apart. */
const identityLength = 16;

/** What changed from one key to another, for a reader: `kernel changed from 6.1.0 to 6.1.2`. */
export function explainDifference(from: CompatibilityKey, to: CompatibilityKey): readonly string[] {
  return names.flatMap(([field, name]) => {
    const before = readable(String(from[field]));
    const after = readable(String(to[field]));
    if (String(from[field]) === String(to[field])) return [];
    const isReadable = field !== "environment" && field !== "cpuFeatures";
    return [
      isReadable
        ? `${name} changed from ${before || "none"} to ${after || "none"}`
        : `${name} changed`,
    ];
  });
}

/** Digests by their beginning, as Docker shows them. */
function readable(value: string): string {
  return value.replace(/^(sha256:[0-9a-f]{12})[0-9a-f]+$/, "$1");
}

const names: readonly (readonly [keyof CompatibilityKey, string])[] = [
  ["imageId", "the image"],
  ["weightsDigest", "the weights"],
  ["cpuFeatures", "the CPU's features"],
  ["kernel", "the kernel"],
  ["criu", "CRIU"],
  ["ociRuntime", "the OCI runtime"],
  ["cgroupVersion", "the cgroup version"],
  ["gpu", "the GPUs"],
  ["mounts", "the mounts"],
  ["environment", "the environment or a resource limit"],
];

/**
 * Architecture and a digest of the CPU's features. glibc, MKL and torch choose code by them once, at start; a process
 * restored on a lesser CPU would die of SIGILL.
 */
export async function readCpuFeatures(path = "/proc/cpuinfo"): Promise<string> {
  const text = await readFile(path, "utf8");
  const line = /^(?:flags|Features)\s*:\s*(.*)$/m.exec(text)?.[1] ?? "";
  const sorted = line.split(/\s+/).toSorted().join(" ");
  return `${process.arch}-${sha256(sorted).slice(0, identityLength)}`;
}

/**
 * Limits count as environment: thread pools and caches are sized by them during setup(). Secrets count by a digest that
 * is keyed: nobody may try values against a key, which lies on the disk and travels.
 */
function environmentDigest(spec: ContainerSpec): string {
  const environment = Object.entries(spec.environment).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const { memoryBytes = null, cpus = null } = spec;
  const secrets = spec.secrets?.digest;
  return sha256(JSON.stringify({ environment, memoryBytes, cpus, secrets }));
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
