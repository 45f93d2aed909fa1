import { z } from "zod";

import type { LegBegin, LegEnd } from "../../route/leg.ts";
import type { CostLine, LegCost } from "../accounts.ts";
import { outcomeOf, type Outcome } from "./outcome.ts";

/** One line of an upstream's list: a leg, and what it used or cost. */
export interface SettledLeg {
  /** The leg's id, which the upstream got as `x-client-request-id`. */
  readonly leg: string;
  /** What it cost, in 10⁻⁹ US dollars; absent: it is computed from the other numbers, at the prices of its day. */
  readonly nano_usd?: number;
  readonly input_tokens?: number;
  readonly output_tokens?: number;
  readonly cached_tokens?: number;
  readonly reasoning_tokens?: number;
  /** Whatever else the upstream counted (`images`, `predict_time`, …), by the names of metrics. */
  readonly [metric: string]: string | number | undefined;
}

const count = z.int().nonnegative();
const legIdCharactersMax = 200;

export const settledLegSchema: z.ZodType<SettledLeg> = z
  .object({
    leg: z.string().min(1).max(legIdCharactersMax),
    nano_usd: count.exactOptional(),
    input_tokens: count.exactOptional(),
    output_tokens: count.exactOptional(),
    cached_tokens: count.exactOptional(),
    reasoning_tokens: count.exactOptional(),
  })
  .catchall(z.number().nonnegative()) as unknown as z.ZodType<SettledLeg>;

/** What a settled leg is and costs. */
export function settlementOf(
  line: SettledLeg,
  begin: LegBegin,
  costOf: (leg: LegBegin, end: LegEnd) => LegCost,
): { readonly outcome: Outcome; readonly cost: LegCost } {
  const { leg: _leg, nano_usd: stated, ...metrics } = line;
  // The upstream lists it: it answered, and is paid.
  const end: LegEnd = { state: "succeeded", durationMs: 0, metrics };
  const computed = costOf(begin, end);
  const cost = stated === undefined ? computed : statedCost(stated, computed.lines);
  return { outcome: { ...outcomeOf(end, cost), state: "settled" }, cost };
}

/** The quantities stay, the amount is the upstream's. */
function statedCost(nanoUsd: number, lines: readonly CostLine[]): LegCost {
  return {
    nanoUsd,
    lines: [
      ...lines.map(({ unit, quantity }) => ({ unit, quantity, nanoUsd: 0 })),
      { unit: "stated", quantity: 1, nanoUsd },
    ],
    isEstimated: false,
    isPriced: true,
  };
}
