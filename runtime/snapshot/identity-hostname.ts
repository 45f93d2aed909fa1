import { readlink } from "node:fs/promises";

import { execa } from "execa";

import { SnapshotError } from "../errors.ts";

/** RFC 1123, section 2.1, and what the kernel takes (uname(2): 64 bytes). */
const hostnamePattern = /^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;

/**
 * Names the host of a container anew: a restored UTS namespace bears the name of the container that was captured. From
 * outside, so that the container needs no capability for it; programs are the host's, only the namespace is entered.
 * @throws SnapshotError `snapshot_identity_failed`
 */
export async function setHostname(
  initPid: number,
  hostname: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  if (!hostnamePattern.test(hostname)) throw failed(`${hostname} cannot be a host name`);
  const namespace = `/proc/${initPid}/ns/uts`;
  const [own, theirs] = await Promise.all([readlink("/proc/self/ns/uts"), readlink(namespace)]);
  if (own === theirs) throw failed("the container shares the host's name, which is left alone");
  try {
    await execa("nsenter", [`--uts=${namespace}`, "tee", "/proc/sys/kernel/hostname"], {
      input: hostname,
      stdout: "ignore",
      cancelSignal: signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw failed("the host name of the restored instance cannot be set", error);
  }
}

function failed(message: string, cause?: unknown): SnapshotError {
  return new SnapshotError("snapshot_identity_failed", message, {
    ...(cause === undefined ? {} : { cause }),
    hint: "nsenter of util-linux and root are needed",
  });
}
