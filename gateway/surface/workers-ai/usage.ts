import type { Usage } from "../../usage/usage.ts";

/** Tokens as Workers AI and OpenAI count them; an estimate says so. */
export function usageBody(usage: Usage): Record<string, unknown> {
  const { inputTokens, outputTokens, cachedTokens, reasoningTokens, isEstimated } = usage;
  return {
    prompt_tokens: inputTokens,
    completion_tokens: outputTokens,
    total_tokens: inputTokens + outputTokens,
    ...(cachedTokens !== undefined && { prompt_tokens_details: { cached_tokens: cachedTokens } }),
    ...(reasoningTokens !== undefined && {
      completion_tokens_details: { reasoning_tokens: reasoningTokens },
    }),
    ...(isEstimated && { estimated: true }),
  };
}
