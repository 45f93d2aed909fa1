import type { IncomingMessage, ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import type { Deadlines } from "../limits.ts";
import type { AnswerCache } from "../cache/answer-cache.ts";
import type { Catalog } from "../catalog/entry.ts";
import type { KeyIdentity, Keys } from "../keys/keys.ts";
import type { FileStore } from "../prediction/files.ts";
import type { PredictionRunner } from "../prediction/runner.ts";
import type { Relays } from "../prediction/relays.ts";
import type { Breakers } from "../route/breaker.ts";
import type { Router } from "../route/dynamic/router.ts";
import type { PredictionStore } from "../prediction/store.ts";
import type { ResponseKeeper } from "../surface/openai/responses/keeper.ts";
import type { Journal } from "../stream/journal.ts";
import type { StreamTokens } from "../stream/token.ts";
import type { OpenTelemetry } from "../telemetry/open-telemetry.ts";
import type { OpenAccounts } from "../usage/open-accounts.ts";
import type { Providers } from "../upstream/provider/providers.ts";
import type { Upstream } from "../upstream/upstream.ts";
import type { Deployments } from "../upstream/deployments.ts";
import type { WebhookSecret } from "../webhook/secret.ts";
import type { Webhooks } from "../webhook/webhooks.ts";
import type { AllowList } from "./url-guard.ts";

/** What every surface works with. */
export interface Services {
  readonly catalog: Catalog;
  readonly keys: Keys;
  readonly upstream: Upstream;
  readonly providers: Providers;
  readonly runner: PredictionRunner;
  readonly relays: Relays;
  /** Routes as data, and the limits of calls. */
  readonly router: Router;
  /** How upstreams have answered lately. */
  readonly breakers: Breakers;
  /** Streams that can be read again. */
  readonly journal: Journal;
  readonly predictions: PredictionStore;
  readonly files: FileStore;
  readonly streamTokens: StreamTokens;
  readonly webhooks: Webhooks;
  readonly webhookSecret: WebhookSecret;
  /** Responses of the Responses API, running and kept. */
  readonly responses: ResponseKeeper;
  readonly retention: { close(): void };
  /** Answers that stand for later calls. */
  readonly cache: AnswerCache;
  /** Budgets and the ledger. */
  readonly accounts: OpenAccounts;
  /** Logs, spans and metrics. */
  readonly telemetry: OpenTelemetry;
  /** Private hosts to which a caller's URL may lead (`url-guard.ts`). */
  readonly allowedHosts: AllowList;
  /** How deployments are changed over the API; absent: they are not. */
  readonly deployments?: Deployments;
  readonly deadlines: Deadlines;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
}

/** One HTTP request under way. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly method: string;
  /** The path's segments, decoded; `owner%2Fname` is one segment. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  /** Base URL under which the caller reaches the gateway, without a slash at the end. */
  readonly baseUrl: string;
  /** Aborts when the caller is gone. */
  readonly signal: AbortSignal;
  /** The name of the surface that answers it; set before it does. */
  surface: string;
  /** Set once the key has been checked. */
  key: KeyIdentity | undefined;
  /** The caller's own key for a third party (`x-byom-provider-key`); it is used once and never kept. */
  readonly providerKey: string | undefined;
  /** The same call to another path, or with another request in it: for a surface that leaves it to another one. */
  as(changes: CallChanges): Call;
}

export interface CallChanges {
  readonly segments?: readonly string[];
  readonly request?: IncomingMessage;
  readonly providerKey?: string | undefined;
}

/** One API shape: which paths are its own, how it answers, how it says that something failed. */
export interface Surface {
  readonly name: string;
  owns(segments: readonly string[], method?: string): boolean;
  /** Whether this call goes without a key (a signed URL). */
  isOpen?(call: Call): boolean;
  /** Answers the call; a thrown `GatewayError` is rendered by `renderError`. */
  handle(call: Call): Promise<void>;
  renderError(error: GatewayError, call: Call): RenderedError;
}

export interface RenderedError {
  readonly status: number;
  readonly body: unknown;
}

/** Throws `method_not_allowed` unless the call uses one of the methods. */
export function allowMethods(call: Call, ...methods: readonly string[]): void {
  if (methods.includes(call.method)) return;
  throw new GatewayError(
    "method_not_allowed",
    `${call.method} is not possible here; use ${methods.join(" or ")}.`,
  );
}

export function noSuchPath(call: Call): GatewayError {
  return new GatewayError("not_found", `There is no ${call.method} /${call.segments.join("/")}.`);
}
