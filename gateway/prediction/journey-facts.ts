import type { JourneyFacts } from "../route/journey.ts";
import type { SpendFacts } from "../usage/accounts.ts";
import type { RunRequest } from "./run.ts";

/** What of a request says who pays, and how its way is told. */
export type PaidRequest = Pick<
  RunRequest,
  | "entry"
  | "origin"
  | "requestedModel"
  | "route"
  | "keyId"
  | "providerKey"
  | "metadata"
  | "customCost"
  | "meter"
>;

const noMetadata = {};

export function spendFacts(request: PaidRequest): SpendFacts {
  const { entry, keyId, route, metadata } = request;
  return {
    model: entry.id,
    metadata: metadata ?? noMetadata,
    ...(keyId !== undefined && { keyId }),
    ...(route !== undefined && { route }),
  };
}

export function journeyFacts(id: string, request: PaidRequest, isStreamed: boolean): JourneyFacts {
  const { entry, origin, requestedModel, route, keyId, metadata, customCost, meter } = request;
  return {
    id,
    requestedModel: requestedModel ?? entry.id,
    metadata: metadata ?? noMetadata,
    isStreamed,
    isCallersKey: request.providerKey !== undefined,
    ...(origin !== undefined && { origin }),
    ...(route !== undefined && { route }),
    ...(keyId !== undefined && { keyId }),
    ...(customCost !== undefined && { customCost }),
    ...(meter !== undefined && { meter }),
  };
}
