import { randomBytes } from "node:crypto";

import type { Dispatcher } from "undici";

import { timestamp, type Clock } from "../clock.ts";
import type { Version } from "../deployment/version.ts";
import type { ContainerSpec, Engine } from "../engine/engine.ts";
import { StartError, type StartPhaseName } from "../errors.ts";
import type { InstanceEvent } from "../events.ts";
import type { DecisionLog } from "../snapshot/decision.ts";
import type { RestoreSlot, RestoreSlots } from "../snapshot/restore-slots.ts";
import type { Payoff, StartTime } from "../snapshot/payoff.ts";
import type { SecretStore } from "../secrets/secret.ts";
import type { InstanceIdentity } from "../snapshot/identity.ts";
import type { Snapshot, Snapshotter, StartPhase } from "../snapshot/snapshot.ts";
import type { InstanceStore } from "../store/instances.ts";
import { findExcuse, joinReasons, messageOf } from "./blame.ts";
import { chooseStart, type StartWish } from "./choose.ts";
import { diagnose } from "./diagnose.ts";
import { instanceIdentity } from "./identify.ts";
import type { ReadyInstance } from "./instance.ts";
import { waitUntilReady } from "./readiness.ts";
import { removeContainer } from "./remove.ts";
import { assertSecrets } from "./required-secrets.ts";
import { instanceSpec } from "./spec.ts";

/** What starting an instance needs of the platform. */
export interface InstanceContext {
  readonly engine: Engine;
  readonly snapshotter: Snapshotter;
  readonly payoff: Payoff;
  /** Absent: no instance has secrets. */
  readonly secrets?: Pick<SecretStore, "values" | "digest" | "list"> | undefined;
  /** Shared by all models of the host. */
  readonly restoreSlots: RestoreSlots;
  readonly instances: InstanceStore;
  /** Every step of a start is told to it; it never fails one. */
  readonly decisions: DecisionLog;
  readonly dispatcher: Dispatcher;
  readonly clock: Clock;
  readonly platformId: string;
  readonly network: string;
  readonly emit: (event: InstanceEvent) => void;
}

export interface StartRequest {
  readonly version: Version;
  readonly concurrency: number;
  /** How it must start, whatever would be chosen otherwise. */
  readonly wish?: StartWish | undefined;
  /** Secrets that must not be in a snapshot are delivered later: this instance is to be captured first. */
  readonly withholdsSecrets?: boolean | undefined;
  readonly signal: AbortSignal;
  /** Why the caller could not use a faster way, such as a resume that failed. */
  readonly reason?: string | undefined;
  /** Called as each step begins. */
  readonly onStep?: (step: StartStep) => void;
}

/** Where a start stands. */
export interface StartStep {
  /** Absent while it is not decided. */
  readonly mode?: "restored" | "cold";
  readonly step: StartPhaseName | "ready";
}

/** A restore takes seconds at most; one that hangs must leave time for the cold start behind it. */
const restoreTimeoutMs = 60_000;

/**
 * Brings up one instance: from its snapshot when there is one that fits, else cold, each falling through to the next
 * with the reason recorded. The container of a failed start is removed.
 * @throws StartError with the phase, the exit code, the out-of-memory flag and the last log lines; the signal's
 * reason when the caller gave up.
 */
export async function startInstance(
  context: InstanceContext,
  request: StartRequest,
): Promise<ReadyInstance> {
  const attempt = new StartAttempt(context, request);
  const watch = context.payoff.begin(attempt.subject);
  try {
    const instance = await attempt.run();
    watch.end(attempt.timing(instance));
    return instance;
  } catch (error) {
    watch.end();
    const failure = await attempt.explain(error);
    await attempt.discard();
    context.instances.remove(attempt.instanceId);
    context.emit({ ...attempt.subject, type: "instance-fail", message: failure.message });
    throw failure;
  }
}

/** One start: its container, its phases, and where it is. A class, because a failure needs all three. */
class StartAttempt {
  readonly instanceId: string = `i-${randomBytes(6).toString("hex")}`;
  readonly #context: InstanceContext;
  readonly #request: StartRequest;
  /** The caller's; joined with the deadline once the image is there, since a pull is not the model's doing. */
  #signal: AbortSignal;
  #deadline: AbortSignal | undefined;
  readonly #createdAt: string;
  readonly #phases: StartPhase[] = [];
  #containerId: string | undefined;
  #phase: StartPhaseName = "image";
  #mode: "restored" | "cold" | undefined;
  #setupLogs: string | undefined;
  #tried: Snapshot | undefined;

  constructor(context: InstanceContext, request: StartRequest) {
    this.#context = context;
    this.#request = request;
    this.#signal = request.signal;
    this.#createdAt = timestamp(context.clock);
  }

  get subject(): { modelId: string; version: number; instanceId: string } {
    const { modelId, number } = this.#request.version;
    return { modelId, version: number, instanceId: this.instanceId };
  }

  async run(): Promise<ReadyInstance> {
    const { clock, emit } = this.#context;
    const startedAt = clock.monotonicMs();
    this.#record("created");
    emit({ ...this.subject, type: "instance-start" });
    const spec = await this.#spec();
    this.#deadline = AbortSignal.timeout(this.#request.version.settings.setupTimeoutMs);
    this.#signal = AbortSignal.any([this.#signal, this.#deadline]);
    const { version, wish } = this.#request;
    const choice = { version, spec, wish, signal: this.#signal };
    const snapshot = await chooseStart(this.#context, choice);
    const reasons = [this.#request.reason, snapshot.reason];
    let origin: string | undefined;
    if (snapshot.snapshot !== undefined) {
      this.#tried = snapshot.snapshot;
      this.#decide("snapshot-found", "a snapshot of the same key is available");
      const slot = await this.#waitForSlot(snapshot.snapshot);
      const restored = await this.#restore(spec, snapshot.snapshot, slot).finally(slot.release);
      origin = restored.origin;
      reasons.push(restored.reason);
      if (restored.isRestored) return this.#ready("restored", restored.origin, startedAt, reasons);
    }
    this.#mode = "cold";
    if (origin === undefined) this.#decide("cold", `a cold start: ${joinReasons(reasons)}`);
    origin ??= await this.#startCold(spec);
    return this.#ready("cold", origin, startedAt, reasons);
  }

  /** What this start says about its way: nothing when a restore failed on the way to a cold start. */
  timing({ start: { mode, totalMs } }: ReadyInstance): StartTime | undefined {
    const imageMs = this.#phases.find(({ name }) => name === "image")?.ms ?? 0;
    const ms = totalMs - imageMs;
    if (mode === "cold") return this.#tried === undefined ? { mode, ms } : undefined;
    if (mode !== "restored" || this.#tried === undefined) return undefined;
    const isForUse = this.#request.wish !== "measured-restore";
    return { mode, ms, ...(isForUse && { snapshotId: this.#tried.id }) };
  }

  /** The error to reject with: the caller's own reason, or a StartError with everything that is known. */
  async explain(error: unknown): Promise<Error> {
    const { signal, version } = this.#request;
    if (signal.aborted)
      return signal.reason instanceof Error ? signal.reason : new Error("aborted");
    if (error instanceof StartError) return error;
    const name = `${version.modelId} version ${version.number}`;
    const isLate = this.#deadline?.aborted === true;
    const cause = error instanceof Error ? error.message : String(error);
    return await diagnose({
      engine: this.#context.engine,
      containerId: this.#containerId,
      phase: this.#phase,
      code: isLate ? "start_timeout" : "start_failed",
      message: isLate
        ? `${name} was not ready after ${version.settings.setupTimeoutMs / 1000} s (${this.#phase})`
        : `${name} did not start: ${cause}`,
      setupLogs: this.#setupLogs,
      cause: error,
    });
  }

  /** Removes the container, if there is one, and what an engine that died in its start has left of it. */
  async discard(): Promise<void> {
    const containerId = this.#containerId;
    if (containerId === undefined) return;
    const { engine, snapshotter } = this.#context;
    await removeContainer(engine, containerId, () => void snapshotter.forget(containerId));
    this.#containerId = undefined;
  }

  async #spec(): Promise<ContainerSpec> {
    const { engine, snapshotter, platformId, network, secrets } = this.#context;
    const { version, concurrency } = this.#request;
    assertSecrets(version, secrets);
    const image = await this.#measure("image", () =>
      engine.ensureImage(version.image, { signal: this.#signal }),
    );
    return instanceSpec({
      version,
      imageId: image.imageId,
      instanceId: this.instanceId,
      platformId,
      network,
      concurrency,
      ociRuntime:
        version.settings.snapshots === "off" ? undefined : snapshotter.capability.ociRuntime,
      secrets,
    });
  }

  async #create(spec: ContainerSpec): Promise<string> {
    // An engine that dies after it has made the container never tells its ID: until then its name stands for it.
    this.#containerId = spec.name;
    this.#containerId = await this.#measure("create", () =>
      this.#context.engine.create(spec, { signal: this.#signal }),
    );
    this.#record("starting");
    return this.#containerId;
  }

  async #startCold(spec: ContainerSpec): Promise<string> {
    const containerId = await this.#create(spec);
    await this.#measure("engine-start", () =>
      this.#context.engine.start(containerId, { signal: this.#signal }),
    );
    return await this.#setUp(containerId);
  }

  /** It learns who it is while Python starts, so that setup() can read it. */
  async #setUp(containerId: string): Promise<string> {
    return await this.#measure("setup", async () => {
      const identity = this.#identity(containerId, "cold");
      await this.#context.snapshotter.introduce(
        { containerId, identity },
        { signal: this.#signal },
      );
      return await this.#waitUntilReady(this.#signal);
    });
  }

  #identity(containerId: string, start: InstanceIdentity["start"]): InstanceIdentity {
    const { clock, secrets } = this.#context;
    const { version, withholdsSecrets } = this.#request;
    return instanceIdentity({
      version,
      instanceId: this.instanceId,
      containerId,
      start,
      startedAtMs: clock.now(),
      secrets,
      withholdsSecrets: start === "cold" && withholdsSecrets,
    });
  }

  /** The wait is a phase only where there was one. */
  async #waitForSlot(snapshot: Snapshot): Promise<RestoreSlot> {
    const { clock, restoreSlots } = this.#context;
    const startedAt = clock.monotonicMs();
    const slot = await restoreSlots.acquire(snapshot.sizeBytes, { signal: this.#signal });
    if (slot.hasWaited) this.#phases.push({ name: "slot", ms: clock.monotonicMs() - startedAt });
    return slot;
  }

  /**
   * Restores into a new container and lets it prove itself. Where that fails and the OCI runtime has already started
   * the container cold by itself, that container is the instance, otherwise a new one will be.
   */
  async #restore(
    spec: ContainerSpec,
    snapshot: Snapshot,
    slot: RestoreSlot,
  ): Promise<
    | { isRestored: true; origin: string; reason?: undefined }
    | { isRestored: false; origin: string | undefined; reason: string }
  > {
    const { engine, snapshotter } = this.#context;
    this.#mode = "restored";
    const containerId = await this.#create(spec);
    const signal = AbortSignal.any([this.#signal, AbortSignal.timeout(restoreTimeoutMs)]);
    try {
      await snapshotter.prepareRestore({ containerId, snapshot }, { signal });
      this.#decide("marker-written", `the OCI runtime is told to restore ${containerId}`);
      await this.#measure("engine-start", () => engine.start(containerId, { signal }));
      const outcome = await snapshotter.outcome(containerId);
      await this.#context.decisions.collect(this.instanceId, containerId);
      this.#phases.push(...outcome.phases);
      if (!outcome.restored) {
        const reason = await this.#blame(snapshot, outcome.reason ?? "the restore failed");
        this.#mode = "cold";
        slot.release();
        return { isRestored: false, origin: await this.#setUp(containerId), reason };
      }
      const origin = await this.#measure("ready", () => this.#waitUntilReady(signal));
      const address = new URL(origin).host;
      this.#tell("prove");
      const identity = this.#identity(containerId, "restored");
      const proof = { containerId, address, snapshot, identity, gpus: spec.gpus };
      this.#phases.push(...(await snapshotter.prove(proof, { signal })));
      this.#decide("proved", "helpers, hooks and the recorded example answered as they must");
      return { isRestored: true, origin };
    } catch (error) {
      await this.#context.decisions.collect(this.instanceId, containerId);
      this.#signal.throwIfAborted();
      if (this.#phase === "setup") throw error;
      const reason = await this.#blame(snapshot, error);
      await this.discard();
      return { isRestored: false, origin: undefined, reason };
    }
  }

  /** Quarantines the snapshot unless something else is to blame. Says why the restore failed. */
  async #blame(snapshot: Snapshot, error: unknown): Promise<string> {
    const { engine, snapshotter, emit } = this.#context;
    const reason = messageOf(error);
    const excuse = await findExcuse(engine, { containerId: this.#containerId ?? "", error });
    if (excuse !== undefined) {
      this.#decide("snapshot-kept", `${excuse}: ${reason}`);
      return `the restore failed, ${excuse}: ${reason}`;
    }
    await snapshotter.quarantine(snapshot, reason).catch(() => {});
    emit({ ...this.subject, type: "snapshot-quarantine", snapshotId: snapshot.id, reason });
    this.#decide("quarantined", reason);
    return `snapshot failed: ${reason}`;
  }

  async #waitUntilReady(signal: AbortSignal): Promise<string> {
    const { engine, dispatcher, clock } = this.#context;
    const readiness = await waitUntilReady({
      engine,
      containerId: this.#containerId ?? "",
      dispatcher,
      clock,
      signal,
    });
    if (readiness.isReady) return readiness.origin;
    this.#setupLogs = readiness.setupLogs;
    throw new Error(readiness.reason);
  }

  #ready(
    mode: "restored" | "cold",
    origin: string,
    startedAt: number,
    reasons: readonly (string | undefined)[],
  ): ReadyInstance {
    const reason = joinReasons(reasons);
    const start = {
      mode,
      ...(reason === "" ? {} : { reason }),
      phases: this.#phases,
      totalMs: this.#context.clock.monotonicMs() - startedAt,
    };
    const { instanceId: id, ...model } = this.subject;
    const containerId = this.#containerId ?? "";
    const record = { id, ...model, createdAt: this.#createdAt, containerId, start };
    this.#context.instances.put({ ...record, state: "ready" });
    this.#context.emit({ ...this.subject, type: "instance-ready", start });
    return { ...record, state: "ready", origin };
  }

  #decide(what: string, text: string): void {
    const tried = this.#tried === undefined ? {} : { snapshotId: this.#tried.id };
    this.#context.decisions.add(this.instanceId, { by: "platform", what, text, ...tried });
  }

  #record(state: "created" | "starting"): void {
    const { modelId, version } = this.subject;
    this.#context.instances.put({
      id: this.instanceId,
      modelId,
      version,
      state,
      ...(this.#containerId === undefined ? {} : { containerId: this.#containerId }),
      createdAt: this.#createdAt,
    });
  }

  async #measure<Result>(
    name: StartPhaseName | "ready",
    work: () => Promise<Result>,
  ): Promise<Result> {
    const { clock } = this.#context;
    this.#phase = name === "ready" ? "prove" : name;
    this.#tell(name);
    const startedAt = clock.monotonicMs();
    const result = await work();
    this.#phases.push({ name, ms: clock.monotonicMs() - startedAt });
    return result;
  }

  #tell(step: StartStep["step"]): void {
    const mode = this.#mode;
    this.#request.onStep?.(mode === undefined ? { step } : { mode, step });
  }
}
