import type { Deployment } from "../deployment/deployment.ts";
import type { MissingSnapshots } from "../deployment/capture-missing.ts";
import type { Version } from "../deployment/version.ts";
import { AcquireError } from "../errors.ts";
import { findFailure } from "../instance/health-check.ts";
import type { Instance, ReadyInstance } from "../instance/instance.ts";
import { resumeInstance } from "../instance/resume.ts";
import { startInstance, type InstanceContext } from "../instance/start.ts";
import { closedError, StartFailures } from "./failures.ts";
import { runningReport, type AcquireOptions, type Lease } from "./lease.ts";
import type { AutoscaleLimits } from "./limits.ts";
import { leastLoaded, Member } from "./member.ts";
import { mayRest } from "./rest.ts";
import { retireMember, untilIdle } from "./retire.ts";
import { WaitingList } from "./waiting.ts";

/** What a pool needs of the platform around it. */
export interface PoolContext extends InstanceContext {
  readonly limits: AutoscaleLimits;
  deployment(modelId: string): Deployment | undefined;
  version(modelId: string, number: number): Version | undefined;
  /** Makes the missing snapshot of an instance that nobody gets meanwhile. */
  readonly missingSnapshots: Pick<MissingSnapshots, "isDue" | "capture">;
}

/** The instances of one model: hands out their slots, starts them when callers wait, lets them go when none does. */
export class ModelPool {
  readonly modelId: string;
  readonly #context: PoolContext;
  readonly #members = new Map<string, Member>();
  readonly #waiting: WaitingList;
  /** At most one start per version at a time: callers of a model at zero join one wake-up. */
  readonly #starts = new Map<number, Promise<void>>();
  readonly #failures: StartFailures;
  readonly #stop = new AbortController();
  readonly #background = new Set<Promise<void>>();
  /** The next start passes snapshots by: somebody measures, or distrusts them. */
  #isNextStartCold = false;

  constructor(modelId: string, context: PoolContext) {
    this.modelId = modelId;
    this.#context = context;
    this.#waiting = new WaitingList(context.limits.queueMax);
    this.#failures = new StartFailures(modelId, context.limits);
  }

  /** Reserves a slot of the version, waking an instance when there is none. */
  async acquire(version: number, options: Omit<AcquireOptions, "version">): Promise<Lease> {
    this.#stop.signal.throwIfAborted();
    options.signal.throwIfAborted();
    const member = this.#memberWithSlot(version);
    if (member !== undefined && this.#waiting.first(version) === undefined) {
      return this.#lease(member, false);
    }
    this.#assertNotFailing(version);
    const facts = { version, nowMs: this.#nowMs, modelId: this.modelId };
    const joined = this.#waiting.join({ ...options, ...facts });
    this.#serve(version);
    return await joined;
  }

  /** Takes over a running instance: one that a deploy has proven, or one that outlived the platform before. */
  add(instance: ReadyInstance, state: "ready" | "paused" = "ready"): void {
    this.#members.set(instance.id, new Member(instance, this.#nowMs, state));
    this.#serve(instance.version);
  }

  /** An instance of the version runs when this resolves. Rejects as the start did. */
  async warm(version: number, signal: AbortSignal): Promise<void> {
    const lease = await this.acquire(version, { signal });
    lease.release("done");
  }

  instances(): readonly Instance[] {
    return [...this.#members.values()].map((member) => member.describe());
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** After the desired state changed: instances of versions without traffic finish their work and go. */
  retarget(): void {
    const traffic = this.#context.deployment(this.modelId)?.traffic ?? [];
    const isWanted = (version: number): boolean =>
      traffic.some((share) => share.version === version);
    for (const member of this.#members.values()) {
      if (!isWanted(member.version)) this.#drain(member, "another version took over");
    }
  }

  /** Takes every idle instance to `paused` or stops it; busy ones follow when they have finished. */
  async scaleToZero(
    tier: "paused" | "stopped",
    options: { nextStart?: "cold" } = {},
  ): Promise<void> {
    await Promise.allSettled(this.#starts.values());
    this.#isNextStartCold = options.nextStart === "cold";
    const members = [...this.#members.values()];
    const { clock, limits } = this.#context;
    if (tier === "paused") await untilIdle(members, { clock, timeoutMs: limits.drainTimeoutMs });
    await Promise.all(
      members.map(async (member) => {
        if (tier === "paused" && member.state === "ready") return await this.#pause(member);
        if (tier === "stopped") return await this.#retire(member, "scaled to zero");
      }),
    );
  }

  /** Looks at idle times, health, queues and the lower bound. Called every `tickMs`. */
  tick(): void {
    if (this.#stop.signal.aborted) return;
    for (const member of this.#members.values()) this.#tickMember(member);
    this.#waiting.expire({
      modelId: this.modelId,
      nowMs: this.#nowMs,
      timeoutMs: this.#context.limits.queueTimeoutMs,
      isExempt: (version) => this.#starts.has(version),
    });
    for (const version of this.#waiting.versions()) this.#serve(version);
    this.#keepMinimum();
  }

  /** No new slots; resolves when the last lease came back or the drain time is over, with containers gone or kept. */
  async stop(options: { keepInstances: boolean }): Promise<void> {
    this.#stop.abort(closedError(this.modelId));
    for (const waiter of this.#waiting.list()) waiter.fail(closedError(this.modelId));
    await Promise.allSettled(this.#starts.values());
    const members = [...this.#members.values()];
    const { clock, limits } = this.#context;
    if (options.keepInstances) {
      await untilIdle(members, { clock, timeoutMs: limits.drainTimeoutMs });
    } else {
      await Promise.all(members.map((member) => this.#retire(member, "the platform stops")));
    }
    await Promise.allSettled(this.#background);
  }

  /** Forgets its instances without waiting for their predictions; the containers are the caller's to remove. */
  async close(): Promise<void> {
    this.#stop.abort(closedError(this.modelId));
    for (const waiter of this.#waiting.list()) waiter.fail(closedError(this.modelId));
    this.#members.clear();
    await Promise.allSettled(this.#starts.values());
  }

  get #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  #of(version: number): readonly Member[] {
    return [...this.#members.values()].filter((member) => member.version === version);
  }

  #concurrency(): number {
    return this.#context.deployment(this.modelId)?.scaling.concurrency ?? 1;
  }

  #memberWithSlot(version: number): Member | undefined {
    return leastLoaded(this.#of(version), this.#concurrency());
  }

  #lease(member: Member, isWoken: boolean): Lease {
    member.take(this.#nowMs);
    let isReleased = false;
    return {
      origin: member.origin,
      instanceId: member.id,
      version: member.version,
      start: isWoken ? member.start : runningReport,
      release: (outcome) => {
        if (isReleased) return;
        isReleased = true;
        member.give(this.#nowMs);
        if (outcome === "failed" && member.isLive) this.#inBackground(() => this.#check(member));
        this.#serve(member.version);
      },
    };
  }

  /** Gives free slots to those who wait, in their order; starts an instance when that does not help them. */
  #serve(version: number, woken?: Member): void {
    let waiter = this.#waiting.first(version);
    for (; waiter !== undefined; waiter = this.#waiting.first(version)) {
      const member = this.#stop.signal.aborted ? undefined : this.#memberWithSlot(version);
      if (member === undefined) break;
      waiter.settle(this.#lease(member, member === woken));
    }
    if (waiter === undefined || this.#stop.signal.aborted || this.#starts.has(version)) return;
    const live = this.#of(version).filter((member) => member.isLive).length;
    const max = this.#context.deployment(this.modelId)?.scaling.max ?? 1;
    const hasWaitedLong = this.#nowMs - waiter.enqueuedAtMs >= this.#context.limits.scaleUpDelayMs;
    if (live === 0 || (live < max && hasWaitedLong)) this.#wake(version);
  }

  #wake(version: number): void {
    const start = this.#bringUp(version).then(
      (member) => {
        this.#starts.delete(version);
        this.#failures.forget(version);
        this.#serve(version, member);
        this.#waiting.announce(version, undefined);
      },
      (error: unknown) => {
        this.#starts.delete(version);
        this.#failWaiters(version, error);
        this.#waiting.announce(version, undefined);
      },
    );
    this.#starts.set(version, start);
  }

  async #bringUp(version: number): Promise<Member> {
    const { modelId } = this;
    const record = this.#context.version(modelId, version);
    if (!record) throw new AcquireError("model_not_found", `${modelId} has no version ${version}`);
    const paused = this.#of(version).find((member) => member.state === "paused");
    let reason: string | undefined;
    if (paused !== undefined) {
      this.#waiting.announce(version, { state: "starting", mode: "resumed", step: "unpause" });
      reason = await this.#resume(paused);
      if (reason === undefined) return paused;
    }
    const wish = this.#isNextStartCold ? "cold" : undefined;
    this.#isNextStartCold = false;
    const instance = await startInstance(this.#context, {
      version: record,
      wish,
      concurrency: this.#concurrency(),
      signal: this.#stop.signal,
      reason,
      onStep: (step) => this.#waiting.announce(version, { state: "starting", ...step }),
    });
    const member = new Member(instance, this.#nowMs);
    this.#members.set(member.id, member);
    return member;
  }

  /** Undefined when the paused instance serves again, else why it does not; it is gone then. */
  async #resume(member: Member): Promise<string | undefined> {
    try {
      await member.change(async () => {
        member.start = await resumeInstance(this.#context, member, {
          timeoutMs: this.#context.limits.resumeTimeoutMs,
          signal: this.#stop.signal,
        });
        member.moveTo("starting", this.#nowMs);
        member.moveTo("ready", this.#nowMs);
        this.#keep(member, "ready");
      });
      const { id: instanceId, modelId, version, start } = member;
      this.#context.emit({ modelId, version, instanceId, type: "instance-ready", start });
      return undefined;
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      const reason = `resume failed: ${error instanceof Error ? error.message : String(error)}`;
      await this.#crash(member, reason);
      return reason;
    }
  }

  #failWaiters(version: number, cause: unknown): void {
    const error = this.#failures.record(version, cause, this.#nowMs);
    if (this.#of(version).some((member) => member.isLive)) return;
    for (const waiter of this.#waiting.list(version)) waiter.fail(error);
  }

  #assertNotFailing(version: number): void {
    if (this.#starts.has(version) || this.#of(version).some((member) => member.isLive)) return;
    const refusal = this.#failures.refusal(version, this.#nowMs);
    if (refusal !== undefined) throw refusal;
  }

  #tickMember(member: Member): void {
    const { limits } = this.#context;
    const idleMs = this.#nowMs - member.sinceMs;
    if (member.state === "paused") {
      const stopTimeoutMs = this.#context.deployment(this.modelId)?.scaling.stopTimeoutMs ?? 0;
      if (idleMs >= stopTimeoutMs && !this.#starts.has(member.version)) {
        this.#inBackground(() => this.#retire(member, "idle"));
      }
    } else if (member.state === "ready" && !member.isHeld) {
      if (this.#mayRest(member, idleMs)) this.#inBackground(() => this.#rest(member));
      else if (this.#context.missingSnapshots.isDue(member, idleMs)) {
        this.#inBackground(() => this.#capture(member));
      } else if (this.#nowMs - member.checkedAtMs >= limits.livenessIntervalMs) {
        this.#inBackground(() => this.#check(member));
      }
    }
  }

  #mayRest(member: Member, idleMs: number): boolean {
    if (this.#waiting.first(member.version) !== undefined) return false;
    const live = this.#of(member.version).filter((other) => other.isLive).length;
    const deployment = this.#context.deployment(this.modelId);
    return mayRest({ deployment, version: member.version, live, idleMs });
  }

  async #rest(member: Member): Promise<void> {
    await this.#capture(member);
    if (member.state === "ready" && this.#waiting.first(member.version) === undefined) {
      await this.#pause(member);
    }
  }

  async #capture(member: Member): Promise<void> {
    const { missingSnapshots } = this.#context;
    await this.#hold(member, (signal) => missingSnapshots.capture(member, signal));
  }

  async #pause(member: Member): Promise<void> {
    member.moveTo("paused", this.#nowMs);
    try {
      await member.change(async () => {
        await this.#context.engine.pause(member.containerId, { signal: this.#stop.signal });
      });
      this.#keep(member, "paused");
      const { id: instanceId, modelId, version } = member;
      this.#context.emit({ modelId, version, instanceId, type: "instance-pause" });
    } catch {
      this.#stop.signal.throwIfAborted();
      await this.#retire(member, "idle, and the engine cannot pause it");
    }
  }

  /** Asks a doubtful instance how it is; one that does not serve is replaced. */
  async #check(member: Member): Promise<void> {
    if (member.isHeld) return;
    await this.#hold(member, async (signal) => {
      const failure = await findFailure(this.#context, member, signal);
      member.checkedAtMs = this.#nowMs;
      if (failure !== undefined && member.isLive) await this.#crash(member, failure);
    });
  }

  async #hold(member: Member, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
    member.isHeld = true;
    try {
      await work(this.#stop.signal);
    } finally {
      member.isHeld = false;
      this.#serve(member.version);
    }
  }

  async #crash(member: Member, reason: string): Promise<void> {
    const { id: instanceId, modelId, version } = member;
    member.moveTo("stopped", this.#nowMs);
    this.#context.emit({ modelId, version, instanceId, type: "instance-crash", reason });
    this.#members.delete(member.id);
    this.#serve(version);
    await retireMember(this.#context, member, { graceMs: 0 });
  }

  #drain(member: Member, reason: string): void {
    if (member.state === "draining" || member.state === "stopped") return;
    this.#inBackground(() => this.#retire(member, reason));
  }

  /** Lets an instance finish what it has, then stops and removes it. */
  async #retire(member: Member, reason: string): Promise<void> {
    if (member.state === "draining" || member.state === "stopped") return;
    const { id: instanceId, modelId, version } = member;
    const { limits, clock, emit } = this.#context;
    const wasPaused = member.state === "paused";
    member.moveTo("draining", this.#nowMs);
    emit({ modelId, version, instanceId, type: "instance-drain", reason });
    await untilIdle([member], { clock, timeoutMs: limits.drainTimeoutMs });
    member.moveTo("stopped", this.#nowMs);
    this.#members.delete(member.id);
    const graceMs = wasPaused ? 0 : limits.stopGraceMs;
    await member.change(() => retireMember(this.#context, member, { graceMs }));
    emit({ modelId, version, instanceId, type: "instance-stop", reason });
    this.#serve(version);
  }

  #keepMinimum(): void {
    const deployment = this.#context.deployment(this.modelId);
    if (deployment === undefined || deployment.scaling.min === 0) return;
    for (const { version } of deployment.traffic) {
      const live = this.#of(version).filter((member) => member.isLive).length;
      const isBackingOff = this.#failures.refusal(version, this.#nowMs) !== undefined;
      if (live < deployment.scaling.min && !this.#starts.has(version) && !isBackingOff) {
        this.#wake(version);
      }
    }
  }

  #keep(member: Member, state: "ready" | "paused"): void {
    const { id, modelId, version, containerId, createdAt, start } = member;
    this.#context.instances.put({ id, modelId, version, state, containerId, createdAt, start });
  }

  #inBackground(work: () => Promise<void>): void {
    const run = work()
      .catch(() => {})
      .finally(() => this.#background.delete(run));
    this.#background.add(run);
  }
}
