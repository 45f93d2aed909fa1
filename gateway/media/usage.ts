import { usageOf } from "../usage/usage.ts";

type Metrics = Readonly<Record<string, unknown>>;

/** Input tokens over the predictions of one call, as the model counted them, else guessed from the size of the text. */
export function inputTokens(
  metrics: readonly Metrics[],
  bytes: number,
): { readonly tokens: number; readonly isEstimated: boolean } {
  const counted = metrics.map(({ input_tokens: tokens }) => tokens);
  if (counted.length > 0 && counted.every((tokens) => typeof tokens === "number")) {
    return { tokens: counted.reduce((sum, tokens) => sum + tokens, 0), isEstimated: false };
  }
  const { inputTokens: tokens } = usageOf({ metrics: {}, inputBytes: bytes, outputBytes: 0 });
  return { tokens, isEstimated: true };
}

/** Tokens that a model counted itself over the predictions of one call; undefined unless it counted all of them. */
export function countedTokens(
  metrics: readonly Metrics[],
): { readonly input: number; readonly output: number } | undefined {
  let input = 0;
  let output = 0;
  for (const { input_tokens: read, output_tokens: written } of metrics) {
    if (typeof read !== "number" || typeof written !== "number") return undefined;
    input += read;
    output += written;
  }
  return metrics.length === 0 ? undefined : { input, output };
}

/** OpenAI's usage of images. */
export function imageUsage(tokens: {
  readonly input: number;
  readonly output: number;
}): Readonly<Record<string, unknown>> {
  return {
    input_tokens: tokens.input,
    output_tokens: tokens.output,
    total_tokens: tokens.input + tokens.output,
    input_tokens_details: { text_tokens: tokens.input, image_tokens: 0 },
  };
}
