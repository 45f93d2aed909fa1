import { rename, rm, statfs, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

import { execa } from "execa";

/** Where CRIU keeps what it found out about the kernel (criu/kerndat.c). */
const cacheFile = "/run/criu.kdat";
/** `f_type` of a tmpfs; see statfs(2). */
const tmpfsType = 0x01021994;
/** The probes take some hundredths of a second. */
const probeTimeoutMs = 10_000;

/**
 * Makes CRIU's cache of what the kernel can do, where CRIU does not keep one by itself: it trusts only a tmpfs, which a
 * reboot empties, and in many containers and small virtual machines /run is none. Without the cache each dump and each
 * restore probes the kernel anew (40 ms of 80 were measured on two cores). Called at each start of the platform, so that
 * the cache is of the kernel that runs. CRIU checks that it is of its own build. Failing costs time only.
 */
export async function keepKernelCache(input: {
  /** Absolute path of CRIU. */
  readonly criu: string;
  readonly signal: AbortSignal;
  /** Default: CRIU's own; for tests. */
  readonly file?: string;
}): Promise<void> {
  const { criu, signal, file = cacheFile } = input;
  const found = await statfs(dirname(file)).catch(() => undefined);
  if (found === undefined || found.type === tmpfsType) return;
  // In a mount namespace of its own CRIU sees a /run that it trusts, and nobody else does.
  const script = `mount -t tmpfs tmpfs /run && { "$1" check >/dev/null 2>&1; cat ${cacheFile}; }`;
  const probe = await execa("unshare", ["--mount", "sh", "-c", script, "sh", criu], {
    reject: false,
    encoding: "buffer",
    stdin: "ignore",
    timeout: probeTimeoutMs,
    cancelSignal: signal,
  });
  if (probe.failed || probe.stdout.length === 0) {
    // One of an earlier kernel would be believed.
    await rm(file, { force: true }).catch(() => {});
    return;
  }
  const part = `${file}.byom-${process.pid}`;
  await writeFile(part, probe.stdout, { mode: 0o600 }).catch(() => {});
  await rename(part, file).catch(() => {});
}
