import type { TrafficShare } from "./deployment.ts";

/**
 * Gives `version` its percentage and scales the others down to the rest, in whole percents that add up to 100.
 * The version with the largest share comes first.
 */
export function shiftTraffic(
  traffic: readonly TrafficShare[],
  version: number,
  percent: number,
): readonly TrafficShare[] {
  const others = traffic.filter((share) => share.version !== version);
  if (percent >= 100 || others.length === 0) return [{ version, percent: 100 }];
  const total = others.reduce((sum, share) => sum + share.percent, 0);
  const rest = 100 - percent;
  const scaled = others.map((share) => ({
    version: share.version,
    percent: Math.floor((share.percent * rest) / total),
  }));
  const first = scaled[0];
  if (first !== undefined) {
    first.percent += rest - scaled.reduce((sum, share) => sum + share.percent, 0);
  }
  return [...scaled, { version, percent }]
    .filter((share) => share.percent > 0)
    .toSorted((a, b) => b.percent - a.percent || b.version - a.version);
}
