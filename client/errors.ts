/** A call that the gateway or the model refused or could not finish; the message begins with Workers AI's code. */
export class InferenceUpstreamError extends Error {
  override readonly name: string = "InferenceUpstreamError";
  /** Workers AI's internal code, such as 5007 (no such model) or 3040 (out of capacity, try again). */
  readonly code: number | undefined;
  /** HTTP status. */
  readonly status: number;
  readonly requestId: string | undefined;
  /** Set when the same call may succeed after this many milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    facts: {
      readonly code?: number | undefined;
      readonly status: number;
      readonly requestId?: string | undefined;
      readonly retryAfterMs?: number | undefined;
    },
  ) {
    super(message);
    this.code = facts.code;
    this.status = facts.status;
    this.requestId = facts.requestId;
    this.retryAfterMs = facts.retryAfterMs;
  }
}

/** A stream that was cut and cannot be taken up again: its events are not kept any more, or it was cut too often. */
export class StreamExpiredError extends Error {
  override readonly name = "StreamExpiredError";
  /** Events that were read before the cut. */
  readonly eventsRead: number;

  constructor(message: string, facts: { readonly eventsRead: number; readonly cause?: unknown }) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.eventsRead = facts.eventsRead;
  }
}

/** The error in a refused answer, whichever of the gateway's shapes it has. */
export async function readError(response: Response): Promise<InferenceUpstreamError> {
  const text = await response.text();
  const { code, message } = readProblem(text);
  const retryAfter = Number(response.headers.get("retry-after-ms") ?? Number.NaN);
  return new InferenceUpstreamError(code === undefined ? message : `${code}: ${message}`, {
    code,
    status: response.status,
    requestId: response.headers.get("x-request-id") ?? undefined,
    retryAfterMs: Number.isFinite(retryAfter) ? retryAfter : undefined,
  });
}

function readProblem(text: string): { readonly code?: number; readonly message: string } {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { message: text };
  }
  if (typeof body !== "object" || body === null) return { message: text };
  const problem = body as {
    readonly internalCode?: unknown;
    readonly description?: unknown;
    readonly errors?: readonly { readonly code?: unknown; readonly message?: unknown }[];
    readonly detail?: unknown;
    readonly error?: unknown;
  };
  if (typeof problem.internalCode === "number") {
    return { code: problem.internalCode, message: String(problem.description) };
  }
  const first = Array.isArray(problem.errors) ? problem.errors[0] : undefined;
  if (first !== undefined) {
    const code = typeof first.code === "number" ? { code: first.code } : {};
    return { ...code, message: String(first.message) };
  }
  if (typeof problem.detail === "string") return { message: problem.detail };
  const { error } = problem;
  if (typeof error === "string") return { message: error };
  if (typeof error === "object" && error !== null && "message" in error) {
    return { message: String(error.message) };
  }
  return { message: text };
}
