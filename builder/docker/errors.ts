import { BuilderError, reasonOf } from "../errors.ts";

/** No container engine answered; `tried` says where byom looked and what it met there. */
export class EngineUnavailableError extends BuilderError {
  override readonly name = "EngineUnavailableError";
  readonly tried: readonly { readonly endpoint: string; readonly problem: string }[];

  constructor(options: {
    tried: readonly { readonly endpoint: string; readonly problem: string }[];
    hint?: string;
  }) {
    const places = options.tried.map(({ endpoint, problem }) => `${endpoint} (${problem})`);
    super(`no container engine answers: tried ${places.join(", ") || "nothing"}`, {
      code: "ENGINE_UNAVAILABLE",
      hint: options.hint ?? "start Docker, or let byom install it: byom host setup",
    });
    this.tried = options.tried;
  }
}

/** The engine refused a request that byom made; `statusCode` is HTTP's, when there was an answer. */
export class EngineRequestError extends BuilderError {
  override readonly name = "EngineRequestError";
  readonly operation: string;
  readonly statusCode: number | undefined;

  constructor(options: { operation: string; cause: unknown; hint?: string }) {
    super(`could not ${options.operation}: ${reasonOf(options.cause).trim()}`, {
      code: "ENGINE_REQUEST",
      hint: options.hint,
      cause: options.cause,
    });
    this.operation = options.operation;
    this.statusCode = statusCodeOf(options.cause);
  }
}

/** A step of the environment failed; `log` holds the last lines that it printed. */
export class EnvironmentBuildError extends BuilderError {
  override readonly name = "EnvironmentBuildError";
  /** The failing instruction, such as `[3/4] RUN pip install …`; undefined when no step had begun. */
  readonly step: string | undefined;
  readonly log: readonly string[];

  constructor(options: {
    step: string | undefined;
    log: readonly string[];
    problem: string;
    hint: string;
  }) {
    const where = options.step === undefined ? "" : ` at ${options.step}`;
    const lines = options.log.map((line) => `\n  ${line}`).join("");
    super(`the environment's build failed${where}: ${options.problem}${lines}`, {
      code: "ENVIRONMENT_BUILD",
      hint: options.hint,
    });
    this.step = options.step;
    this.log = options.log;
  }
}

/** The engine did not take the image that was loaded into it. */
export class ImageLoadError extends BuilderError {
  override readonly name = "ImageLoadError";
  readonly imageName: string;

  constructor(options: { imageName: string; problem: string; cause?: unknown }) {
    super(`the engine did not take the image ${options.imageName}: ${options.problem}`, {
      code: "IMAGE_LOAD",
      hint: "look at the free disk space of the engine (docker system df) and at its log",
      cause: options.cause,
    });
    this.imageName = options.imageName;
  }
}

/** A container of the image did not become ready; `logs` holds its last lines. */
export class ContainerSetupError extends BuilderError {
  override readonly name = "ContainerSetupError";
  readonly imageName: string;
  readonly logs: string;
  /** When the container has ended. */
  readonly exitCode: number | undefined;
  readonly isOutOfMemory: boolean;

  constructor(options: {
    imageName: string;
    problem: string;
    logs: string;
    exitCode?: number;
    isOutOfMemory?: boolean;
  }) {
    const logs = options.logs === "" ? "" : `\n${options.logs}`;
    super(`the model ${options.imageName} did not start: ${options.problem}${logs}`, {
      code: "CONTAINER_SETUP",
      hint:
        options.isOutOfMemory === true
          ? "give the engine more memory, or load a smaller model in setup()"
          : "correct setup(); byom exec runs a shell in the same environment",
    });
    this.imageName = options.imageName;
    this.logs = options.logs;
    this.exitCode = options.exitCode;
    this.isOutOfMemory = options.isOutOfMemory ?? false;
  }
}

/** The container refused the prediction, or the connection to it broke. */
export class PredictionRequestError extends BuilderError {
  override readonly name = "PredictionRequestError";
  /** HTTP's: 422 for inputs that do not fit, 409 when the model is busy; undefined for a broken connection. */
  readonly statusCode: number | undefined;

  constructor(options: { problem: string; statusCode?: number; cause?: unknown }) {
    super(`the prediction was not made: ${options.problem}`, {
      code: "PREDICTION_REQUEST",
      hint:
        options.statusCode === 422
          ? "compare the inputs with the predictor's signature: byom schema prints it"
          : "look at the model's logs",
      cause: options.cause,
    });
    this.statusCode = options.statusCode;
  }
}

/** The HTTP status in an error of dockerode. */
export function statusCodeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

/**
 * Runs one request to the engine and translates its failure. The reason of an abort passes untouched.
 * @throws EngineRequestError
 */
export async function requestEngine<T>(
  operation: string,
  options: { signal?: AbortSignal | undefined; hint?: string },
  request: () => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  try {
    return await request();
  } catch (error) {
    options.signal?.throwIfAborted();
    const { hint } = options;
    throw new EngineRequestError({
      operation,
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

/** As `requestEngine`, but undefined when the engine does not know the thing (HTTP 404). */
export async function findInEngine<T>(
  operation: string,
  options: { signal?: AbortSignal | undefined },
  request: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await requestEngine(operation, options, request);
  } catch (error) {
    if (error instanceof EngineRequestError && error.statusCode === 404) return undefined;
    throw error;
  }
}
