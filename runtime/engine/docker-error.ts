import { EngineError, type EngineErrorCode } from "../errors.ts";

/**
 * Runs one call of the Engine API. An abort rejects with the signal's own reason, everything else with an
 * `EngineError` that says what byom was doing (`what`: `start container 3f…`).
 */
export async function callEngine<Result>(
  what: string,
  signal: AbortSignal,
  call: () => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted();
  try {
    return await call();
  } catch (error) {
    signal.throwIfAborted();
    throw translateDockerError(what, error);
  }
}

/** dockerode's errors in the words of this room. */
export function translateDockerError(what: string, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const { code, statusCode, message } = factsOf(error);
  if (statusCode === undefined && code !== undefined) {
    return new EngineError("engine_unreachable", `cannot ${what}: ${message}`, {
      cause: error,
      hint:
        code === "EACCES"
          ? "this user may not use the engine's socket: join the group `docker`, or run as root"
          : "start the engine, or set DOCKER_HOST; `byom doctor` shows what byom sees",
    });
  }
  const known = causes.find((cause) => cause.matches(statusCode, message));
  return new EngineError(known?.code ?? "engine_failed", `cannot ${what}: ${message}`, {
    cause: error,
    statusCode,
    hint: known?.hint,
  });
}

/** The Engine API's status code of an error; undefined when there was no answer. */
export function statusCodeOf(error: unknown): number | undefined {
  if (error instanceof EngineError) return error.statusCode;
  return factsOf(error).statusCode;
}

interface Cause {
  readonly code: EngineErrorCode;
  readonly hint: string;
  matches(statusCode: number | undefined, message: string): boolean;
}

/** What the Engine API tells apart only in its messages (moby: daemon/errors.go, daemon/devices.go). */
const causes: readonly Cause[] = [
  {
    code: "oci_runtime_missing",
    hint: "run `byom host setup`, which registers byom's OCI runtime with the engine",
    matches: (_, message) => /unknown (or invalid )?runtime/i.test(message),
  },
  {
    code: "gpu_unavailable",
    hint: "install the NVIDIA container toolkit, or deploy without GPUs",
    matches: (_, message) => /could not select device driver/i.test(message),
  },
  {
    code: "image_not_found",
    hint: "build or push the image first; `docker images` shows what the engine has",
    matches: (statusCode, message) => statusCode === 404 && /no such image/i.test(message),
  },
  {
    code: "container_not_found",
    hint: "it was removed by somebody else; byom starts another",
    matches: (statusCode) => statusCode === 404,
  },
  {
    code: "container_name_taken",
    hint: "remove the other container of this name",
    matches: (statusCode, message) =>
      statusCode === 409 && /name .* is already in use/i.test(message),
  },
];

function factsOf(error: unknown): {
  code: string | undefined;
  statusCode: number | undefined;
  message: string;
} {
  const facts = error as {
    code?: unknown;
    statusCode?: unknown;
    json?: { message?: unknown } | null;
    message?: unknown;
  };
  const own = facts.json?.message ?? facts.message;
  return {
    code: typeof facts.code === "string" ? facts.code : undefined,
    statusCode: typeof facts.statusCode === "number" ? facts.statusCode : undefined,
    message: typeof own === "string" ? own.trim() : String(error),
  };
}
