import { execa } from "execa";

import { renderWrapper } from "./wrapper.ts";

/** Killing, unmounting and removing take milliseconds; a host that hangs must not keep the platform from starting. */
const sweepTimeoutMs = 20_000;

/**
 * Removes what restores left whose wrapper was killed and whose container nobody deleted: half-restored processes,
 * CRIU's mounts, cgroups, markers, the huge page setting. Restores that are under way are left alone, whoever began
 * them. It is the wrapper's own cleaning, run without it. Never rejects, but for the signal's reason.
 */
export async function sweepRestores(options: {
  readonly runc: string;
  readonly runcRoot: string;
  readonly criuDirectory: string;
  readonly stateDirectory: string;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { runcRoot, signal, ...paths } = options;
  const script = await renderWrapper(paths);
  await execa("/bin/sh", ["-c", script, "byom-runc", "--root", runcRoot, "byom-sweep"], {
    reject: false,
    stdio: "ignore",
    timeout: sweepTimeoutMs,
    cancelSignal: signal,
  });
  signal.throwIfAborted();
}
