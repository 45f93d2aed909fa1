import type { GatewayCatalog } from "../catalog/catalog.ts";
import type { Catalog } from "../catalog/entry.ts";
import { ownProvider } from "../route/candidate.ts";
import type { LegBegin } from "../route/leg.ts";
import type { LegPrices } from "./meter.ts";

/** What a leg is charged by: the prices of its model at its provider that held when it began. */
export function pricesOfLegs(
  catalog: Catalog & Partial<Pick<GatewayCatalog, "pricesOf">>,
): (leg: LegBegin) => LegPrices {
  return ({ model, provider, upstreamModel, beganAtMs }) => {
    const entry = catalog.get(model);
    const prices =
      catalog.pricesOf === undefined
        ? entry?.prices
        : catalog.pricesOf({ model, provider, upstreamModel, atMs: beganAtMs });
    return {
      ...(prices !== undefined && { prices }),
      ...(provider === ownProvider && entry !== undefined && { hardware: entry.hardware }),
    };
  };
}
