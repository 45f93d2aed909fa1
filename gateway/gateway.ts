import type { IncomingMessage, ServerResponse } from "node:http";

import type { Administration } from "./admin/route.ts";
import { createAdminSurface } from "./admin/surface.ts";
import type { Catalog } from "./catalog/entry.ts";
import { StartHistory } from "./catalog/starts.ts";
import { GatewayError } from "./errors.ts";
import type { GatewayEvent, OnGatewayEvent } from "./events.ts";
import type { Call, Services, Surface } from "./http/call.ts";
import { journeyOf } from "./http/call-journeys.ts";
import { IncomingCall, readSegments } from "./http/incoming-call.ts";
import { errorHeaders, sendJson } from "./http/respond.ts";
import { randomId } from "./ids.ts";
import { authorize } from "./keys/authorize.ts";
import type { Keys } from "./keys/keys.ts";
import { defaultDeadlines, type Deadlines } from "./limits.ts";
import type { PredictionStore } from "./prediction/store.ts";
import { createServices } from "./services.ts";
import { createAnthropicSurface } from "./surface/anthropic/surface.ts";
import { createAiGatewaySurface } from "./surface/ai-gateway/surface.ts";
import { createCogSurface } from "./surface/cog/surface.ts";
import { createOpenAiSurface } from "./surface/openai/surface.ts";
import { createReplicateSurface } from "./surface/replicate/surface.ts";
import { createStreamsSurface } from "./surface/streams/surface.ts";
import { createWorkersAiSurface } from "./surface/workers-ai/surface.ts";
import { collectServiceMetrics } from "./telemetry/metrics/service-metrics.ts";
import { createMetricsSurface } from "./telemetry/metrics/surface.ts";
import type { OtlpOptions } from "./telemetry/otlp/exporter.ts";
import type { CallWatch } from "./telemetry/watch.ts";
import { legHeaders } from "./route/leg-headers.ts";
import type { RoutePolicy } from "./route/policy.ts";
import { createPools } from "./upstream/pools.ts";
import type { Providers } from "./upstream/provider/providers.ts";
import type { Deployments } from "./upstream/deployments.ts";
import type { Upstream } from "./upstream/upstream.ts";
import type { WebhookLimits } from "./webhook/limits.ts";

export interface GatewayOptions {
  readonly upstream: Upstream;
  /** Third parties; default: none. */
  readonly providers?: Providers;
  /** How a deployment is looked at and changed over Replicate's API; default: it is not. */
  readonly deployments?: Deployments;
  readonly catalog: Catalog;
  /** What `/api/v1/catalog`, `aliases`, `prices` and `providers` change; default: these paths are nobody's. */
  readonly administration?: Administration;
  readonly keys: Keys;
  readonly predictions: PredictionStore;
  /** Folder for event logs, uploaded files and the secret of stream URLs; made when it is missing. */
  readonly dataDirectory: string;
  /** Base URL that answers name, such as `https://models.example.com`; default: as the caller reached it. */
  readonly publicUrl?: string;
  /** Milliseconds since the epoch; default: the system's. */
  readonly clock?: () => number;
  /** Ids of predictions, requests and files; default: random ones. */
  readonly idSource?: () => string;
  /** Where routes share calls out: from 0 to 1, 1 not included; default: `Math.random`. */
  readonly randomSource?: () => number;
  readonly deadlines?: Partial<Deadlines>;
  /** How calls are carried over their upstreams where neither their route nor they themselves say it. */
  readonly policy?: Partial<RoutePolicy>;
  /**
   * Hosts, addresses and networks (`hooks.internal`, `10.0.0.0/8`) to which callers' URLs may lead although they are
   * private; default: none.
   */
  readonly allowedHosts?: readonly string[];
  readonly webhookLimits?: Partial<WebhookLimits>;
  readonly onEvent?: OnGatewayEvent;
  /** Where spans and metrics are sent; default: nowhere. */
  readonly otlp?: OtlpOptions;
  /** A token that opens `/metrics` and nothing else; default: only keys with the scope `admin` do. */
  readonly metricsToken?: string;
  /** Sees each leg and each call as the ledger and the logs do; default: nobody. */
  readonly watch?: CallWatch;
}

export interface Gateway {
  /** Answers a request; false, with nothing done, when the path is not the gateway's. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /** Once it is known what was spent before, so that the first call meets its budget; to be awaited before the first one. */
  ready(options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * Takes up the predictions that a former process had accepted: those that had not begun run again, begun ones are
   * marked failed, and owed webhooks are delivered. To be called once the upstream can serve.
   */
  recover(): void;
  /** Closes the idle connections to an instance, for a snapshot or before it stops; waits for requests under way. */
  closeOrigin(origin: string): Promise<void>;
  /** Refuses new predictions and waits for those in flight; when the signal aborts, stops them. */
  close(options: { readonly signal: AbortSignal }): Promise<void>;
}

/** The gateway over one upstream: every API surface, the prediction runs behind them and their event logs. */
export function createGateway(options: GatewayOptions): Gateway {
  const deadlines = { ...defaultDeadlines, ...options.deadlines };
  const pools = createPools({ connectMs: deadlines.connectMs });
  const starts = new StartHistory();
  const services = createServices(observing(options, starts), { deadlines, pools });
  collectServiceMetrics(services);
  const surfaces = [
    createMetricsSurface(services, { token: options.metricsToken }),
    ...createAdministration(services, starts, options.administration),
    ...createSurfaces(services),
  ];
  const { publicUrl, idSource = randomId } = options;
  return {
    async handle(request, response) {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
      if (path === "/healthz") {
        sendJson(response, { body: { status: "ok" } });
        return true;
      }
      const segments = readSegments(path);
      const surface = surfaces.find((candidate) => candidate.owns(segments, request.method));
      if (surface === undefined) return false;
      const requestId = `req_${idSource()}`;
      response.setHeader("x-request-id", requestId);
      const call = new IncomingCall({ request, response, segments, publicUrl, requestId });
      await answer({ call, surface, services, onEvent: options.onEvent });
      return true;
    },
    ready: (ready) => services.accounts.budgets.restored(ready),
    recover() {
      // First what a former process owed: a prediction that fails now is told of by its own end.
      services.webhooks.recover();
      services.runner.recover();
      services.responses.recover();
    },
    closeOrigin: (origin) => pools.closeOrigin(origin),
    async close({ signal }) {
      services.retention.close();
      await Promise.all([services.runner.close({ signal }), services.relays.close({ signal })]);
      await services.webhooks.close({ signal });
      await services.responses.close();
      services.router.close();
      services.journal.close();
      await Promise.all([
        services.cache.close(),
        services.accounts.close(),
        services.telemetry.close(),
      ]);
      await pools.close({ isForced: signal.aborted });
    },
  };
}

/** Keeps how long models take to start, for the catalog. */
function observing(options: GatewayOptions, starts: StartHistory): GatewayOptions {
  return {
    ...options,
    onEvent(event) {
      if (event.type === "prediction-start") starts.record(event.model, event.start);
      options.onEvent?.(event);
    },
  };
}

function createAdministration(
  services: Services,
  starts: StartHistory,
  administration: Administration | undefined,
): readonly Surface[] {
  return administration === undefined
    ? []
    : [createAdminSurface(services, { administration, starts })];
}

/** Each path belongs to the first surface that owns it. */
function createSurfaces(services: Services): readonly Surface[] {
  // OpenAI's owns what no other one does under `/v1`, so it comes after those.
  const first = [
    createReplicateSurface(services),
    createStreamsSurface(services),
    createAnthropicSurface(services),
    createOpenAiSurface(services),
  ];
  return [
    ...first,
    createWorkersAiSurface(services, first),
    createAiGatewaySurface(services, first),
    createCogSurface(services),
  ];
}

async function answer(options: {
  readonly call: Call;
  readonly surface: Surface;
  readonly services: Services;
  readonly onEvent: OnGatewayEvent | undefined;
}): Promise<void> {
  const { call, surface, services, onEvent } = options;
  const startedAt = performance.now();
  let failure: GatewayError | undefined;
  call.surface = surface.name;
  const countRequest = services.telemetry.http.begin(surface.name);
  try {
    if (surface.isOpen?.(call) !== true) call.key = authorize(call.request.headers, services.keys);
    await surface.handle(call);
  } catch (error) {
    failure = GatewayError.from(error);
    sendError(call, surface, failure);
  }
  countRequest(call.response.statusCode);
  onEvent?.(requestEnd({ call, surface, failure, startedAt }));
}

/** After the head of an answer nothing can be said any more but that it is not complete. */
function sendError(call: Call, surface: Surface, failure: GatewayError): void {
  const { response } = call;
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { status, body } = surface.renderError(failure, call);
  const journey = journeyOf(response);
  const tried =
    journey === undefined ? {} : { "cf-aig-log-id": journey.facts.id, ...legHeaders(journey) };
  sendJson(response, { status, body, headers: { ...errorHeaders(failure), ...tried } });
}

function requestEnd(options: {
  readonly call: Call;
  readonly surface: Surface;
  readonly failure: GatewayError | undefined;
  readonly startedAt: number;
}): GatewayEvent {
  const { call, failure } = options;
  return {
    type: "request-end",
    requestId: call.requestId,
    method: call.method,
    path: `/${call.segments.join("/")}`,
    surface: options.surface.name,
    status: call.response.statusCode,
    durationMs: performance.now() - options.startedAt,
    ...(call.key === undefined ? {} : { keyId: call.key.id }),
    ...(failure === undefined ? {} : { error: { code: failure.code, message: failure.message } }),
    ...(failure?.code === "internal" ? { cause: failure.cause } : {}),
  };
}
