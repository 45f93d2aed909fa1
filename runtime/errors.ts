/** The facts that every failure of this room carries: a stable `code`, and what the reader can do about it. */
interface ErrorFacts {
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

export type AcquireErrorCode =
  | "model_not_found"
  | "start_failed"
  | "start_timeout"
  | "capacity"
  | "shutting_down";

/** A caller got no slot on an instance. `retryAfterMs` is set when waiting might help. */
export class AcquireError extends Error {
  override readonly name = "AcquireError";
  readonly code: AcquireErrorCode;
  readonly hint?: string;
  readonly retryAfterMs?: number;

  constructor(
    code: AcquireErrorCode,
    message: string,
    facts: ErrorFacts & { readonly retryAfterMs?: number | undefined } = {},
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
    if (facts.retryAfterMs !== undefined) this.retryAfterMs = facts.retryAfterMs;
  }
}

/** Where in its start an instance failed. */
export type StartPhaseName =
  | "image"
  | "create"
  | "engine-start"
  | "setup"
  | "prove"
  | "example"
  | "snapshot"
  | "traffic";

export interface StartFailure extends ErrorFacts {
  readonly phase: StartPhaseName;
  readonly exitCode?: number | undefined;
  readonly isOutOfMemory: boolean;
  /** The end of the container's output, oldest first. */
  readonly logLines: readonly string[];
}

/** An instance did not come up: `start_timeout` when its deadline passed, `start_failed` for everything else. */
export class StartError extends Error {
  override readonly name = "StartError";
  readonly code: "start_failed" | "start_timeout";
  readonly phase: StartPhaseName;
  readonly exitCode?: number;
  readonly isOutOfMemory: boolean;
  readonly logLines: readonly string[];
  readonly hint?: string;

  constructor(code: "start_failed" | "start_timeout", message: string, failure: StartFailure) {
    super(message, { cause: failure.cause });
    this.code = code;
    this.phase = failure.phase;
    if (failure.exitCode !== undefined) this.exitCode = failure.exitCode;
    this.isOutOfMemory = failure.isOutOfMemory;
    this.logLines = failure.logLines;
    if (failure.hint !== undefined) this.hint = failure.hint;
  }
}

/** A deployment was refused or failed; the version that served before still serves. */
export class DeployError extends Error {
  override readonly name = "DeployError";
  readonly code: "deploy_failed" | "deploy_in_progress";
  readonly modelId: string;
  readonly version?: number;
  readonly phase?: StartPhaseName;
  readonly exitCode?: number;
  readonly isOutOfMemory: boolean;
  readonly logLines: readonly string[];
  readonly hint?: string;

  constructor(
    code: "deploy_failed" | "deploy_in_progress",
    message: string,
    facts: Partial<StartFailure> & { readonly modelId: string; readonly version?: number },
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    this.modelId = facts.modelId;
    if (facts.version !== undefined) this.version = facts.version;
    if (facts.phase !== undefined) this.phase = facts.phase;
    if (facts.exitCode !== undefined) this.exitCode = facts.exitCode;
    this.isOutOfMemory = facts.isOutOfMemory ?? false;
    this.logLines = facts.logLines ?? [];
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

/** A model, version, instance, snapshot or key that the platform does not know. */
export class NotFoundError extends Error {
  override readonly name = "NotFoundError";
  readonly code:
    | "model_not_found"
    | "version_not_found"
    | "instance_not_found"
    | "snapshot_not_found"
    | "snapshot_key_not_found"
    | "key_not_found"
    | "secret_not_found";
  readonly hint?: string;

  constructor(code: NotFoundError["code"], message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

/** A request that makes no sense in the present state, such as a rollback without an earlier release. */
export class ConflictError extends Error {
  override readonly name = "ConflictError";
  readonly code: "no_earlier_release" | "last_admin_key" | "key_expired" | "invalid_transition";
  readonly hint?: string;

  constructor(code: ConflictError["code"], message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

/** The data directory cannot be used: another platform holds it, or a newer byom wrote it. */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code:
    | "data_directory_locked"
    | "database_too_new"
    | "database_corrupt"
    | "secrets_unreadable";
  readonly hint?: string;
  /** `data_directory_locked`: the process that holds it, where known. */
  readonly pid?: number;

  constructor(
    code: StoreError["code"],
    message: string,
    facts: ErrorFacts & { readonly pid?: number | undefined } = {},
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
    if (facts.pid !== undefined) this.pid = facts.pid;
  }
}

export type EngineErrorCode =
  | "engine_unreachable"
  | "engine_failed"
  | "image_not_found"
  | "image_pull_failed"
  | "container_not_found"
  | "container_name_taken"
  | "oci_runtime_missing"
  | "gpu_unavailable";

/** The container engine refused or failed. `statusCode` is the Engine API's, where there was an answer. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly code: EngineErrorCode;
  readonly statusCode?: number;
  readonly hint?: string;

  constructor(
    code: EngineErrorCode,
    message: string,
    facts: ErrorFacts & { readonly statusCode?: number | undefined } = {},
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.statusCode !== undefined) this.statusCode = facts.statusCode;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

export type SnapshotErrorCode =
  | "snapshot_unavailable"
  | "snapshot_damaged"
  | "snapshot_hook_failed"
  | "snapshot_helper_failed"
  | "snapshot_identity_failed"
  | "snapshot_warm_up_failed"
  | "snapshot_refused"
  | "snapshot_key_invalid"
  | "snapshot_capture_failed";

/** A capture, a restore or the proof after it did not succeed. The way on is always a cold start. */
export class SnapshotError extends Error {
  override readonly name = "SnapshotError";
  readonly code: SnapshotErrorCode;
  readonly hint?: string;

  constructor(code: SnapshotErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }
}

export type GpuErrorCode =
  | "gpu_unsupported"
  | "gpu_helper_failed"
  | "gpu_checkpoint_failed"
  | "gpu_restore_failed";

/** Device memory could not be taken out of a process or given back. `gpu_restore_failed`: the process must end. */
export class GpuError extends Error {
  override readonly name = "GpuError";
  readonly code: GpuErrorCode;
  readonly hint?: string;
  /** The driver's function that refused, such as `cuCheckpointProcessLock`, with its CUresult. */
  readonly call?: string;
  readonly status?: number;

  constructor(
    code: GpuErrorCode,
    message: string,
    facts: ErrorFacts & {
      readonly call?: string | undefined;
      readonly status?: number | undefined;
    } = {},
  ) {
    super(message, { cause: facts.cause });
    this.code = code;
    if (facts.hint !== undefined) this.hint = facts.hint;
    if (facts.call !== undefined) this.call = facts.call;
    if (facts.status !== undefined) this.status = facts.status;
  }
}
