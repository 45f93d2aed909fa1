/** Names under which callers give the bound of new tokens, the newest first. */
export const tokenLimitNames = ["max_completion_tokens", "max_tokens", "max_new_tokens"] as const;

/** The bound of new tokens that a chat request sets. */
export function tokenLimitOf(request: Readonly<Record<string, unknown>>): number | undefined {
  const limits = tokenLimitNames.map((name) => request[name]);
  return limits.find((limit) => typeof limit === "number");
}
