import { join } from "node:path";

import { AnswerCache } from "./cache/answer-cache.ts";
import type { Dispatcher } from "undici";

import type { OnGatewayEvent } from "./events.ts";
import type { GatewayOptions } from "./gateway.ts";
import type { Services } from "./http/call.ts";
import { createGuardedDispatcher, parseAllowList } from "./http/url-guard.ts";
import { randomId } from "./ids.ts";
import type { Deadlines } from "./limits.ts";
import { openFileStore } from "./prediction/files.ts";
import { keepBounds } from "./prediction/retention.ts";
import { PredictionRunner } from "./prediction/runner.ts";
import { Relays } from "./prediction/relays.ts";
import { Breakers } from "./route/breaker.ts";
import type { PredictionRecord } from "./prediction/store.ts";
import { Journal } from "./stream/journal.ts";
import { openRouter } from "./route/dynamic/open-router.ts";
import { openStreamTokens } from "./stream/token.ts";
import { cogPrediction } from "./surface/cog/prediction.ts";
import { ResponseKeeper } from "./surface/openai/responses/keeper.ts";
import { openResponseStore } from "./surface/openai/responses/store.ts";
import { predictionBody } from "./surface/replicate/prediction.ts";
import { openTelemetry } from "./telemetry/open-telemetry.ts";
import { watchCalls } from "./telemetry/watch.ts";
import { openAccounts } from "./usage/open-accounts.ts";
import { pricesOfLegs } from "./usage/prices.ts";
import type { Pools } from "./upstream/pools.ts";
import { createFetchFile } from "./upstream/provider/fetch-file.ts";
import { webhookLimits, type WebhookLimits } from "./webhook/limits.ts";
import { openWebhookSecret } from "./webhook/secret.ts";
import { Webhooks, type WebhooksOptions } from "./webhook/webhooks.ts";

/** Puts together what every surface works with. */
export function createServices(
  options: GatewayOptions,
  { deadlines, pools }: { readonly deadlines: Deadlines; readonly pools: Pools },
): Services {
  const providers = options.providers ?? { get: () => undefined, list: () => [] };
  const clock = options.clock ?? Date.now;
  const idSource = options.idSource ?? randomId;
  const onEvent = options.onEvent ?? (() => undefined);
  const common = { providers, deadlines, clock, idSource, onEvent, pools };
  const { router, catalog } = openRouter(options, common);
  const stores = openStores(options, common);
  const allowedHosts = parseAllowList(options.allowedHosts ?? []);
  const webhooks = openWebhooks(options, {
    secret: stores.webhookSecret,
    current: (id) => runner.record(id),
    render: (record) => renderPrediction(record, { ...stores, catalog }),
    allowedHosts,
    deadlines,
    clock,
    onEvent,
  });
  const accounts = openMoney(options, { ...stores, allowedHosts, deadlines, clock, onEvent });
  const telemetry = openTelemetry({
    dataDirectory: options.dataDirectory,
    clock,
    secrets: () => providers.list().flatMap(({ key }) => key ?? []),
    baseUrlOf: (provider) => providers.get(provider)?.baseUrl,
    ...(options.otlp !== undefined && { otlp: options.otlp }),
  });
  watchCalls(options.watch, { accounts, telemetry });
  const breakers = new Breakers({
    clock,
    onChange: (upstream) => onEvent({ type: "breaker-change", upstream }),
  });
  const calls = { ...common, accounts, telemetry, breakers, policy: options.policy };
  const { upstream, keys, predictions } = options;
  const { files } = stores;
  const runner: PredictionRunner = new PredictionRunner({
    ...calls,
    ...stores,
    upstream,
    catalog,
    predictions,
    prepareInput: (input) => files.inline(input),
    fetchFile: createFetchFile({ allow: allowedHosts, connectMs: deadlines.connectMs }),
    detachOutput: (output, predictionId) => files.detach(output, predictionId),
    webhooks,
  });
  return {
    ...stores,
    upstream,
    providers,
    catalog,
    keys,
    predictions,
    runner,
    relays: new Relays(calls),
    router,
    webhooks,
    responses: openResponses({ ...options, catalog }, { runner, clock, onEvent }),
    retention: keepBounds({ predictions, files, clock, onEvent }),
    accounts,
    telemetry,
    breakers,
    allowedHosts,
    deadlines,
    clock,
    ...(options.deployments === undefined ? {} : { deployments: options.deployments }),
  };
}

/** What lies in the data directory and belongs to calls: streams, files, cached answers, and the secrets that sign. */
function openStores(
  { dataDirectory }: GatewayOptions,
  parts: {
    readonly clock: () => number;
    readonly idSource: () => string;
    readonly onEvent: OnGatewayEvent;
  },
): Pick<Services, "journal" | "files" | "cache" | "streamTokens" | "webhookSecret"> {
  const { clock, idSource, onEvent } = parts;
  return {
    journal: new Journal({ directory: join(dataDirectory, "streams"), clock, onEvent }),
    files: openFileStore({
      directory: join(dataDirectory, "files"),
      secretPath: join(dataDirectory, "file-secret"),
      idSource,
      clock,
    }),
    cache: new AnswerCache({
      directory: join(dataDirectory, "cache"),
      clock,
      onFail: (cause) => onEvent({ type: "cache-fail", cause }),
    }),
    streamTokens: openStreamTokens(join(dataDirectory, "stream-secret")),
    webhookSecret: openWebhookSecret(join(dataDirectory, "webhook-secret")),
  };
}

function openResponses(
  { dataDirectory, predictions, catalog }: GatewayOptions,
  parts: {
    readonly runner: PredictionRunner;
    readonly clock: () => number;
    readonly onEvent: OnGatewayEvent;
  },
): ResponseKeeper {
  const { runner, clock, onEvent } = parts;
  return new ResponseKeeper({
    store: openResponseStore({ path: join(dataDirectory, "responses.db"), clock }),
    runner,
    predictions,
    catalog,
    clock,
    onStoreFail: (predictionId, cause) => onEvent({ type: "store-fail", predictionId, cause }),
  });
}

function openMoney(
  { dataDirectory, catalog, webhookLimits: limits }: GatewayOptions,
  parts: Pick<Services, "allowedHosts" | "deadlines" | "clock" | "webhookSecret"> & {
    readonly onEvent: OnGatewayEvent;
  },
): Services["accounts"] {
  const { allowedHosts, deadlines, webhookSecret, clock, onEvent } = parts;
  return openAccounts({
    dataDirectory,
    clock,
    onEvent,
    pricesOf: pricesOfLegs(catalog),
    alerts: {
      webhookSecret,
      dispatcher: createWebhookDispatcher({ webhookLimits: limits }, { allowedHosts, deadlines }),
      ...(limits !== undefined && { webhookLimits: limits }),
    },
  });
}

function openWebhooks(
  { predictions, webhookLimits: limits }: GatewayOptions,
  parts: Pick<WebhooksOptions, "secret" | "current" | "render" | "clock" | "onEvent"> &
    Pick<Services, "allowedHosts" | "deadlines">,
): Webhooks {
  const { allowedHosts, deadlines, ...rest } = parts;
  return new Webhooks({
    predictions,
    dispatcher: createWebhookDispatcher({ webhookLimits: limits }, { allowedHosts, deadlines }),
    ...rest,
    ...(limits === undefined ? {} : { limits }),
  });
}

/** Connects only to where an URL that somebody gave may lead. */
function createWebhookDispatcher(
  { webhookLimits: limits }: { readonly webhookLimits?: Partial<WebhookLimits> | undefined },
  { allowedHosts, deadlines }: Pick<Services, "allowedHosts" | "deadlines">,
): Dispatcher {
  const { perOriginMax: connections } = { ...webhookLimits, ...limits };
  return createGuardedDispatcher({
    allow: allowedHosts,
    connections,
    connectMs: deadlines.connectMs,
  });
}

/** A prediction as the receiver of its webhook reads it. */
function renderPrediction(
  record: PredictionRecord,
  services: Pick<Services, "files" | "streamTokens" | "catalog">,
): unknown {
  const { format = "replicate", baseUrl = "" } = record.webhook ?? {};
  return format === "cog"
    ? cogPrediction(record, services.files, baseUrl)
    : predictionBody({ record, baseUrl, ...services });
}
