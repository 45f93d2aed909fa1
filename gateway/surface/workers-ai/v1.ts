import type { Call } from "../../http/call.ts";

/** What Cloudflare has under `…/ai/v1`, and what beside it costs nothing. */
const resources: ReadonlySet<string> = new Set([
  "chat",
  "completions",
  "responses",
  "messages",
  "embeddings",
  "images",
  "audio",
  "models",
]);

/**
 * The path that a call under `…/ai/v1` has on the surface that answers it. Anthropic's client writes the `v1` itself, so
 * there may be two.
 */
export function openAiPath(call: Call): readonly string[] | undefined {
  const [, , , , ai, root, ...rest] = call.segments;
  if (ai !== "ai" || root !== "v1") return undefined;
  const path = rest[0] === "v1" ? rest.slice(1) : rest;
  return resources.has(path[0] ?? "") ? ["v1", ...path] : undefined;
}
