/** What can go wrong while the host is set up; stable, for scripts. */
export type HostErrorCode =
  | "HOST_COMMAND_FAILED"
  | "HOST_NOT_ROOT"
  | "HOST_PACKAGES_UNSUPPORTED"
  | "HOST_ENGINE_UNREACHABLE"
  | "HOST_ENGINE_START_FAILED"
  | "HOST_DAEMON_SETTINGS_INVALID"
  | "HOST_RUNTIME_NOT_REGISTERED"
  | "HOST_CRIU_UNUSABLE"
  | "HOST_REGISTRY_FAILED"
  | "HOST_BASE_IMAGE_UNSUPPORTED"
  | "HOST_SETTINGS_INVALID";

/** A failure of host set-up: what happened, and in `hint` what to do about it. */
export class HostError extends Error {
  override readonly name = "HostError";
  readonly code: HostErrorCode;
  readonly hint?: string;
  /** The last lines that the failing command or server printed. */
  readonly output?: string;

  constructor(
    code: HostErrorCode,
    message: string,
    options: { hint?: string; output?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.hint !== undefined) this.hint = options.hint;
    if (options.output !== undefined) this.output = options.output;
  }
}
