import type { Standing } from "./counter.ts";

/**
 * What a caller reads about its allowance, in the words of OpenAI's API: `x-ratelimit-limit-requests`,
 * `-remaining-requests`, `-reset-requests` and the same of tokens. Of several limits the tightest is told.
 */
export function limitHeaders(standings: readonly Standing[]): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (const measure of ["requests", "tokens"] as const) {
    const [tightest] = standings
      .filter((standing) => standing.measure === measure)
      .toSorted((a, b) => a.remaining - b.remaining || b.opensInMs - a.opensInMs);
    if (tightest === undefined) continue;
    headers[`x-ratelimit-limit-${measure}`] = String(tightest.limit);
    headers[`x-ratelimit-remaining-${measure}`] = String(Math.floor(tightest.remaining));
    headers[`x-ratelimit-reset-${measure}`] = formatSpan(tightest.resetMs);
  }
  return headers;
}

/** As OpenAI writes it: `450ms`, `6.2s`, `6m0s`, `1h2m3s`. */
export function formatSpan(ms: number): string {
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  if (ms < 60_000) return `${Math.ceil(ms / 100) / 10}s`;
  const seconds = Math.ceil(ms / 1_000);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60}s`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds % 60}s`;
}
