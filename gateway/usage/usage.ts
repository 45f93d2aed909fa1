/** Tokens of one call. */
export interface Usage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Of the input tokens, those that a cache had; absent: not counted. */
  readonly cachedTokens?: number;
  /** Of the output tokens, those of the model's reasoning; absent: not counted. */
  readonly reasoningTokens?: number;
  /** Not counted by the model but guessed from the length of the text. */
  readonly isEstimated: boolean;
}

/** English text has about four bytes per token in common vocabularies; good for an order of magnitude only. */
const bytesPerToken = 4;

/** What the model itself recorded (`input_tokens`, `output_tokens`, `cached_tokens`, `reasoning_tokens`); undefined unless it recorded both. */
export function reportedUsage(metrics: Readonly<Record<string, unknown>>): Usage | undefined {
  const {
    input_tokens: inputTokens,
    output_tokens: outputTokens,
    cached_tokens: cachedTokens,
    reasoning_tokens: reasoningTokens,
  } = metrics;
  if (typeof inputTokens !== "number" || typeof outputTokens !== "number") return undefined;
  return {
    inputTokens,
    outputTokens,
    ...(typeof cachedTokens === "number" && { cachedTokens }),
    ...(typeof reasoningTokens === "number" && { reasoningTokens }),
    isEstimated: false,
  };
}

/** How many tokens a text of so many bytes may have. */
export function estimatedTokens(bytes: number): number {
  return Math.ceil(bytes / bytesPerToken);
}

/** The model's own count, else an estimate that says so. */
export function usageOf(options: {
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly inputBytes: number;
  readonly outputBytes: number;
}): Usage {
  return (
    reportedUsage(options.metrics) ?? {
      inputTokens: estimatedTokens(options.inputBytes),
      outputTokens: estimatedTokens(options.outputBytes),
      isEstimated: true,
    }
  );
}
