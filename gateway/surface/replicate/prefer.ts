import { holdDefaultMs, holdMaxMs } from "../../limits.ts";

/** How long `Prefer: wait` or `wait=SECONDS` asks to hold the answer; 0 without it. */
export function holdMs(header: string | readonly string[] | undefined): number {
  const text = Array.isArray(header) ? header.join(",") : ((header as string | undefined) ?? "");
  const match = /(?:^|[,;\s])wait(?:=(\d+))?(?=$|[,;\s])/i.exec(text);
  if (match === null) return 0;
  if (match[1] === undefined) return holdDefaultMs;
  return Math.min(Math.max(1, Number(match[1])) * 1000, holdMaxMs);
}
