import { askCache, type CacheWish } from "../cache/ask.ts";
import type { Catalog } from "../catalog/entry.ts";
import { findModel, type FoundModel } from "../catalog/find.ts";
import { metadataOf } from "../http/aig-headers.ts";
import type { Call, Services } from "../http/call.ts";
import { noteJourney } from "../http/call-journeys.ts";
import { callPolicyOf, customCostOf, originOf } from "../http/call-origin.ts";
import { streamWishOf } from "../http/stream-headers.ts";
import { assertMayCall, mayCall } from "../keys/authorize.ts";
import type { AskedFacts } from "../route/dynamic/call-facts.ts";
import { checkInput } from "./input.ts";
import type { Run, RunRequest } from "./run.ts";

export type Input = Readonly<Record<string, unknown>>;

/**
 * The model or route that a caller named, if its key may call it; `asked` is what the surface knows of the call beside
 * its headers, for the conditions of routes.
 * @throws `GatewayError`: `model_not_found`, `forbidden`; of a route also `rate_limited`, `provider_not_configured`
 */
export function findCallable(
  call: Call,
  services: Services,
  model: string,
  asked: AskedFacts = {},
): FoundModel {
  const { router } = services;
  const routed = router.find(call, model, asked);
  if (routed !== undefined) return routed;
  const found = findModel(visibleCatalog(call, services.catalog), model);
  assertMayCall(call.key, found.entry.id);
  return router.withDefaults(call, { ...found, requestedModel: model }, asked);
}

/** The catalog whose lists, the hint of an error among them, hold only what the call's key may call. */
function visibleCatalog(call: Call, catalog: Catalog): Catalog {
  if (call.key?.models === undefined) return catalog;
  return {
    get: (modelId) => catalog.get(modelId),
    list: () => catalog.list().filter((entry) => mayCall(call.key, entry.id)),
    versions: (modelId) => {
      const entry = catalog.get(modelId);
      return catalog.versions?.(modelId) ?? (entry === undefined ? [] : [entry]);
    },
  };
}

/**
 * Begins a prediction for a call: input checked against the schema before anything is woken, the caller's key and its
 * own provider key and metadata (`cf-aig-metadata`, and what the surface was told) noted.
 * @throws `GatewayError`: `invalid_input`, `forbidden`, `capacity`, `shutting_down`
 */
export function startRun(
  call: Call,
  services: Services,
  options: {
    readonly model: FoundModel;
    readonly input: Input;
    /** What the surface was told about the cache beside the headers. */
    readonly cacheWish?: CacheWish | undefined;
  } & Partial<
    Pick<
      RunRequest,
      | "isDetached"
      | "isRecorded"
      | "context"
      | "id"
      | "metadata"
      | "deadline"
      | "deployment"
      | "webhook"
      | "inputFor"
      | "isWhole"
      | "overrides"
    >
  >,
): Run {
  const { model, input, isDetached = false, isRecorded = false, cacheWish, ...rest } = options;
  // A route has asked for each of its models.
  if (model.route === undefined) assertMayCall(call.key, model.entry.id);
  checkInput(model.entry, input);
  const content = { input, context: rest.context };
  const cache = askCache(call, { model, content, wish: cacheWish, policy: model.policy?.cache });
  const run = services.runner.start({
    ...rest,
    ...callFacts(call, services, model, rest),
    ...(cache !== undefined && { cache }),
    entry: model.entry,
    input,
    isDetached,
    isRecorded,
    ...(model.version === undefined ? {} : { version: model.version }),
  });
  noteJourney(call.response, run.journey);
  return run;
}

/**
 * What a call that begins now says about itself beside its input, and what the route that it came by says about its
 * way. It is counted against its limits from here on, until its journey ends or does not begin.
 * @throws `GatewayError`: `invalid_request` for a header that cannot be read, `rate_limited`
 */
export function callFacts(
  call: Call,
  services: Services,
  model: FoundModel,
  given: Pick<RunRequest, "metadata" | "overrides"> = {},
): Omit<RunRequest, "entry" | "input" | "isDetached" | "isRecorded"> {
  const { headers } = call.request;
  const { requestedModel, route, candidates, policy } = model;
  const metadata = { ...metadataOf(headers), ...given.metadata };
  const customCost = customCostOf(headers);
  const asked = callPolicyOf(headers);
  const stream = streamWishOf(headers);
  const detach = stream?.detach === undefined ? undefined : { detach: stream.detach };
  const overrides =
    (asked ?? detach) === undefined ? given.overrides : { ...asked, ...detach, ...given.overrides };
  const meter = services.router.admit(call, model, given.metadata);
  return {
    origin: originOf(call),
    ...(Object.keys(metadata).length > 0 && { metadata }),
    ...(call.key !== undefined && { keyId: call.key.id }),
    ...(call.providerKey !== undefined && { providerKey: call.providerKey }),
    ...(requestedModel !== undefined && { requestedModel }),
    ...(route !== undefined && { route }),
    ...(candidates !== undefined && { candidates }),
    ...(policy !== undefined && { policy }),
    ...(customCost !== undefined && { customCost }),
    ...(overrides !== undefined && { overrides }),
    ...(meter !== undefined && { meter }),
    ...(stream?.ttlMs !== undefined && { streamTtlMs: stream.ttlMs }),
  };
}
