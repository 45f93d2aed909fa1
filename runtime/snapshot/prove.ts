import { existsSync } from "node:fs";

import type { Clock } from "../clock.ts";
import { SnapshotError } from "../errors.ts";
import { askHelpers, assertAllSucceeded, restoredTimeoutMs, type HelperReply } from "./helper.ts";
import { writeIdentity } from "./identity-files.ts";
import { setHostname } from "./identity-hostname.ts";
import type { InstanceIdentity } from "./identity.ts";
import { readInitPid } from "./processes.ts";
import type { Snapshot, StartPhase } from "./snapshot.ts";
import { replayWarmUp } from "./warm-up.ts";

interface ProofContext {
  readonly runcRoot: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Makes a restored container an instance of its own before it takes traffic: identity and host name from outside, then
 * in every Python process environment, generators and hooks, then the example's answer compared.
 * @throws SnapshotError when anything of it fails: the instance must not serve.
 */
export async function proveInstance(
  input: {
    readonly containerId: string;
    readonly address: string;
    readonly snapshot: Snapshot;
    readonly identity: InstanceIdentity;
    /** Those that answered before the capture, as the container counts processes. */
    readonly helperPids: readonly number[];
  },
  { runcRoot, clock, signal }: ProofContext,
): Promise<readonly StartPhase[]> {
  const { containerId, address, snapshot, identity } = input;
  const startedAt = clock.monotonicMs();
  const initPid = await readInitPid(runcRoot, containerId);
  if (initPid === undefined) {
    throw new SnapshotError("snapshot_helper_failed", "the restored container does not run");
  }
  await Promise.all([
    writeIdentity(initPid, identity),
    setHostname(initPid, identity.hostname, { signal }),
  ]);
  const { secrets: _, ...instance } = identity;
  const replies = await askHelpers(
    initPid,
    { do: "restored", instance },
    { timeoutMs: restoredTimeoutMs, signal },
  );
  assertAllAnswered(replies, input.helperPids);
  assertAllSucceeded(replies, "after_restore");
  assertRenamed(replies, identity.hostname);
  const hooksAt = clock.monotonicMs();
  const hooks: StartPhase = { name: "hooks", ms: hooksAt - startedAt };
  if (snapshot.warmUp === undefined) return [hooks];
  await replayWarmUp(address, snapshot.warmUp, signal);
  return [hooks, { name: "warm-up", ms: clock.monotonicMs() - hooksAt }];
}

/**
 * Tells a container that came up cold, or that was captured and serves on, who it is. Where this process cannot reach
 * into containers (no root, an engine elsewhere) nothing is told, which only matters to an instance with secrets.
 * @throws SnapshotError when there are secrets and they cannot be delivered.
 */
export async function introduceInstance(
  input: { readonly containerId: string; readonly identity: InstanceIdentity },
  { runcRoot, signal }: Omit<ProofContext, "clock">,
): Promise<void> {
  signal.throwIfAborted();
  const { containerId, identity } = input;
  const hasSecrets = Object.keys(identity.secrets).length > 0;
  const initPid = await readInitPid(runcRoot, containerId);
  if (initPid === undefined) {
    if (!hasSecrets) return;
    throw new SnapshotError(
      "snapshot_identity_failed",
      "secrets cannot be delivered into the container from here",
      { hint: "run byom as root beside the container engine, or give the values as environment" },
    );
  }
  try {
    await writeIdentity(initPid, identity);
  } catch (error) {
    signal.throwIfAborted();
    // Of one that has ended, the caller will learn why.
    if (hasSecrets && existsSync(`/proc/${initPid}`)) throw error;
  }
}

function assertAllAnswered(replies: readonly HelperReply[], expected: readonly number[]): void {
  const silent = expected.filter((pid) => !replies.some((reply) => reply.pid === pid));
  if (silent.length === 0 && replies.length > 0) return;
  throw new SnapshotError(
    "snapshot_helper_failed",
    `Python processes did not answer after the restore: ${silent.join(", ")}`,
  );
}

/** Helpers of images built earlier do not say their name. */
function assertRenamed(replies: readonly HelperReply[], hostname: string): void {
  const other = replies.find(
    (reply) => reply.hostname !== undefined && reply.hostname !== hostname,
  );
  if (other === undefined) return;
  throw new SnapshotError(
    "snapshot_identity_failed",
    `process ${other.pid} has the host name ${other.hostname} instead of ${hostname}`,
  );
}
