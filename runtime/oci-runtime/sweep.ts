import { execa } from "execa";

import { renderWrapper } from "./wrapper.ts";

/** Killing, unmounting and removing take milliseconds; a host that hangs must not keep the platform from starting. */
const sweepTimeoutMs = 20_000;

/**
 * Removes what restores left whose wrapper was killed and whose container nobody deleted: half-restored processes,
 * CRIU's mounts, cgroups, markers, the huge page setting. Restores that are under way are left alone, whoever began
 * them. It is the wrapper's own cleaning, run without it. Never rejects, but for the signal's reason.
 */
export async function sweepRestores(host: WrapperHost, signal: AbortSignal): Promise<void> {
  await runWrapper(host, ["byom-sweep"], signal);
  signal.throwIfAborted();
}

/**
 * Removes what is left of a container that is gone from the engine. One that died in the middle of a start leaves what
 * it was told, and a shim with what runs below it, of which it knows nothing when it is back. Never rejects.
 */
export async function forgetContainer(host: WrapperHost, containerId: string): Promise<void> {
  const signal = AbortSignal.timeout(sweepTimeoutMs);
  await runWrapper(host, ["byom-forget", containerId], signal).catch(() => {});
}

/** Where the wrapper and what it wraps are on this host. */
export interface WrapperHost {
  readonly runc: string;
  readonly runcRoot: string;
  readonly criuDirectory: string;
  readonly stateDirectory: string;
}

async function runWrapper(
  { runcRoot, ...paths }: WrapperHost,
  command: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const script = await renderWrapper(paths);
  await execa("/bin/sh", ["-c", script, "sh", "--root", runcRoot, ...command], {
    reject: false,
    stdio: "ignore",
    timeout: sweepTimeoutMs,
    cancelSignal: signal,
  });
}
