import { mkdirSync, rmSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";

import type { Catalog } from "./catalog/entry.ts";
import { GatewayError } from "./errors.ts";
import type { GatewayEvent, OnGatewayEvent } from "./events.ts";
import { callerProviderKey } from "./http/aig-headers.ts";
import type { Call, Services, Surface } from "./http/call.ts";
import { errorHeaders, sendJson } from "./http/respond.ts";
import { randomId } from "./ids.ts";
import { authorize } from "./keys/authorize.ts";
import type { Keys } from "./keys/keys.ts";
import { defaultDeadlines, type Deadlines } from "./limits.ts";
import { openFileStore } from "./prediction/files.ts";
import { PredictionRunner } from "./prediction/runner.ts";
import type { PredictionStore } from "./prediction/store.ts";
import { openStreamTokens } from "./stream/token.ts";
import { createCogSurface } from "./surface/cog/surface.ts";
import { createOpenAiSurface } from "./surface/openai/surface.ts";
import { createReplicateSurface } from "./surface/replicate/surface.ts";
import { createWorkersAiSurface } from "./surface/workers-ai/surface.ts";
import { createPools } from "./upstream/pools.ts";
import type { Providers } from "./upstream/provider/providers.ts";
import type { Upstream } from "./upstream/upstream.ts";

export interface GatewayOptions {
  readonly upstream: Upstream;
  /** Third parties; default: none. */
  readonly providers?: Providers;
  readonly catalog: Catalog;
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
  readonly deadlines?: Partial<Deadlines>;
  readonly onEvent?: OnGatewayEvent;
}

export interface Gateway {
  /** Answers a request; false, with nothing done, when the path is not the gateway's. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<boolean>;
  /**
   * Takes up the predictions that a former process had accepted: those that had not begun run again, begun ones are
   * marked failed. To be called once the upstream can serve.
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
  const services = createServices(options, { deadlines, pools });
  const surfaces = [
    createReplicateSurface(services),
    createOpenAiSurface(services),
    createWorkersAiSurface(services),
    createCogSurface(services),
  ];
  const idSource = options.idSource ?? randomId;
  return {
    async handle(request, response) {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
      if (path === "/healthz") {
        sendJson(response, { body: { status: "ok" } });
        return true;
      }
      const segments = path
        .split("/")
        .slice(1)
        .filter((segment) => segment !== "")
        .map(decode);
      const surface = surfaces.find((candidate) => candidate.owns(segments));
      if (surface === undefined) return false;
      const call = createCall({ request, response, segments, options, idSource });
      await answer({ call, surface, services, onEvent: options.onEvent });
      return true;
    },
    recover: () => services.runner.recover(),
    closeOrigin: (origin) => pools.closeOrigin(origin),
    async close({ signal }) {
      await services.runner.close({ signal });
      await pools.close({ isForced: signal.aborted });
    },
  };
}

function createServices(
  options: GatewayOptions,
  { deadlines, pools }: { deadlines: Deadlines; pools: ReturnType<typeof createPools> },
): Services {
  const { upstream, catalog, keys, predictions, dataDirectory } = options;
  const providers = options.providers ?? { get: () => undefined, list: () => [] };
  const clock = options.clock ?? Date.now;
  const idSource = options.idSource ?? randomId;
  const streamsDirectory = join(dataDirectory, "streams");
  // Event logs belong to runs, which do not outlive their process.
  rmSync(streamsDirectory, { recursive: true, force: true });
  mkdirSync(streamsDirectory, { recursive: true });
  const files = openFileStore({
    directory: join(dataDirectory, "files"),
    secretPath: join(dataDirectory, "file-secret"),
    idSource,
    clock,
  });
  const runner = new PredictionRunner({
    upstream,
    providers,
    catalog,
    predictions,
    pools,
    deadlines,
    clock,
    idSource,
    streamsDirectory,
    onEvent: options.onEvent ?? (() => undefined),
    prepareInput: (input) => files.inline(input),
  });
  const streamTokens = openStreamTokens(join(dataDirectory, "stream-secret"));
  return {
    upstream,
    providers,
    catalog,
    keys,
    predictions,
    runner,
    files,
    streamTokens,
    deadlines,
    clock,
  };
}

function createCall(options: {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly segments: readonly string[];
  readonly options: GatewayOptions;
  readonly idSource: () => string;
}): Call {
  const { request, response } = options;
  const gone = new AbortController();
  response.once("close", () => {
    // A reason of our own: the default one costs a stack trace per call.
    if (!response.writableFinished) gone.abort(callerGone);
  });
  const host = request.headers.host ?? "localhost";
  const requestId = `req_${options.idSource()}`;
  response.setHeader("x-request-id", requestId);
  return {
    request,
    response,
    requestId,
    method: request.method ?? "GET",
    segments: options.segments,
    query: new URLSearchParams((request.url ?? "").split("?")[1] ?? ""),
    baseUrl: (options.options.publicUrl ?? `http://${host}`).replace(/\/+$/, ""),
    signal: gone.signal,
    key: undefined,
    providerKey: callerProviderKey(request.headers),
  };
}

const callerGone = new GatewayError("canceled", "The caller left.");

async function answer(options: {
  readonly call: Call;
  readonly surface: Surface;
  readonly services: Services;
  readonly onEvent: OnGatewayEvent | undefined;
}): Promise<void> {
  const { call, surface, services, onEvent } = options;
  const startedAt = performance.now();
  let failure: GatewayError | undefined;
  try {
    if (surface.isOpen?.(call) !== true) call.key = authorize(call.request.headers, services.keys);
    await surface.handle(call);
  } catch (error) {
    failure = GatewayError.from(error);
    sendError(call, surface, failure);
  }
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
  sendJson(response, { status, body, headers: errorHeaders(failure) });
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

/** A segment that is not valid percent-encoding is taken as it is; it will name nothing. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
