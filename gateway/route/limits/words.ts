import type { Standing } from "./counter.ts";
import type { LimitRule } from "./rule.ts";

/** `60 requests per 60 s`, `4 calls at once`. */
export function measureWords(
  { measure, limit }: Pick<Standing, "measure" | "limit">,
  { windowMs }: LimitRule,
): string {
  if (measure === "concurrency") return `${limit} calls at once`;
  const window = `${windowMs / 1_000} s`;
  return measure === "usd" ? `${limit} USD per ${window}` : `${limit} ${measure} per ${window}`;
}
