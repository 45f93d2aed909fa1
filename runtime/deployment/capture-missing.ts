import type { Member } from "../autoscale/member.ts";
import type { PoolContext } from "../autoscale/pool.ts";
import { captureSnapshot } from "./capture.ts";

/** After a try that failed: a caller's open connection, a busy disk. More tries than these are not made by a process. */
const retryAfterMs: readonly number[] = [30_000, 300_000];

/**
 * Snapshots of instances that run without one, because their version came to this host without being deployed here, or
 * because its snapshot was damaged or is of another kernel. Made in a moment without callers, one at a time on the host.
 */
export class MissingSnapshots {
  readonly #context: () => PoolContext;
  /** Members that need none: looked at once. */
  readonly #settled = new WeakSet<Member>();
  /** By model and version. */
  readonly #failures = new Map<string, { count: number; notBeforeMs: number }>();
  #isCapturing = false;

  constructor(context: () => PoolContext) {
    this.#context = context;
  }

  /** Whether now is the moment for this idle member. Cheap: asked on every tick. */
  isDue(member: Member, idleMs: number): boolean {
    const { limits } = this.#context();
    return idleMs >= limits.captureIdleMs && this.#mayTry(member);
  }

  /** Captures unless there is a snapshot, or tries are used up. Rejects only with the signal's reason. */
  async capture(member: Member, signal: AbortSignal): Promise<void> {
    if (!this.#mayTry(member)) return;
    this.#isCapturing = true;
    try {
      await this.#captureOne(member, signal);
    } finally {
      this.#isCapturing = false;
    }
  }

  #mayTry(member: Member): boolean {
    const { snapshotter, clock } = this.#context();
    if (this.#isCapturing || !snapshotter.capability.isAvailable) return false;
    if (this.#settled.has(member)) return false;
    const failure = this.#failures.get(keyOf(member));
    return failure === undefined || clock.monotonicMs() >= failure.notBeforeMs;
  }

  async #captureOne(member: Member, signal: AbortSignal): Promise<void> {
    const context = this.#context();
    const { modelId, version: number, id: instanceId } = member;
    const version = context.version(modelId, number);
    if (version === undefined) return;
    const captured = await captureSnapshot(context, {
      version,
      instance: member,
      concurrency: context.deployment(modelId)?.scaling.concurrency ?? 1,
      example: version.example,
      signal,
    });
    if (captured.snapshot === undefined) return this.#remember(member, captured.mayRetry === true);
    this.#settled.add(member);
    this.#failures.delete(keyOf(member));
    if (!captured.isNew) return;
    const { id: snapshotId, captureMs: ms } = captured.snapshot;
    context.emit({
      type: "snapshot-capture",
      modelId,
      version: number,
      instanceId,
      snapshotId,
      ms,
    });
  }

  #remember(member: Member, mayRetry: boolean): void {
    const count = (this.#failures.get(keyOf(member))?.count ?? 0) + 1;
    const delayMs = mayRetry ? retryAfterMs[count - 1] : undefined;
    const notBeforeMs =
      delayMs === undefined
        ? Number.POSITIVE_INFINITY
        : this.#context().clock.monotonicMs() + delayMs;
    this.#failures.set(keyOf(member), { count, notBeforeMs });
  }
}

function keyOf({ modelId, version }: Member): string {
  return `${modelId}@${version}`;
}
