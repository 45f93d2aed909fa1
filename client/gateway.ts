import { readError } from "./errors.ts";
import { resumable } from "./resume.ts";
import { jsonRequest, type Transport } from "./transport.ts";
import type { GatewayOptions, Metadata } from "./types.ts";

/** One try of a call over the universal endpoint. */
export interface UniversalStep {
  /** A configured provider, or `byom` for a model of this platform. */
  readonly provider: string;
  /** The provider's real path; for `byom` a model's id or a path such as `chat/completions`. */
  readonly endpoint: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly query: unknown;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** What is known of one call. */
export interface GatewayLog {
  readonly id: string;
  readonly provider: string;
  readonly model: string;
  /** Milliseconds. */
  readonly duration: number;
  readonly status_code: number;
  readonly success: boolean;
  readonly tokens_in?: number;
  readonly tokens_out?: number;
  readonly metadata?: Metadata;
  readonly created_at: Date;
}

export interface LogPatch {
  readonly score?: number | null;
  readonly feedback?: -1 | 1 | null;
  readonly metadata?: Metadata | null;
}

/** As `env.AI.gateway(id)`. */
export interface Gateway {
  /** Steps tried in order until one answers; the answer as it came, a refusal included. A stream outlives its connection. */
  run(
    steps: UniversalStep | readonly UniversalStep[],
    options?: {
      readonly gateway?: Omit<GatewayOptions, "id">;
      readonly extraHeaders?: Readonly<Record<string, string>>;
      readonly signal?: AbortSignal;
    },
  ): Promise<Response>;
  /** Where the gateway takes calls in a provider's own shape. */
  getUrl(provider?: string): Promise<string>;
  getLog(logId: string): Promise<GatewayLog>;
  patchLog(logId: string, patch: LogPatch): Promise<void>;
}

export function createGateway(
  transport: Transport,
  { id, reconnectsMax }: { readonly id: string; readonly reconnectsMax: number },
): Gateway {
  const root = `/ai-gateway/gateways/${encodeURIComponent(id)}`;
  const result = async (path: string): Promise<unknown> =>
    ((await transport.json(path)) as { readonly result: unknown }).result;
  return {
    async run(steps, options = {}) {
      const body = Array.isArray(steps) ? (steps as readonly UniversalStep[]) : [steps];
      const request = jsonRequest("POST", body, options.signal);
      const headers = {
        "content-type": "application/json",
        ...headersOf(options.gateway ?? {}),
        ...options.extraHeaders,
      };
      const path = `/ai-gateway/universal/run/${encodeURIComponent(id)}`;
      const response = await transport.send(path, { ...request, headers });
      return resumable(response, {
        transport,
        gatewayId: id,
        reconnectsMax,
        signal: options.signal,
      });
    },
    async getUrl(provider = "universal") {
      const { url } = (await result(`${root}/url/${encodeURIComponent(provider)}`)) as {
        readonly url: string;
      };
      return url;
    },
    async getLog(logId) {
      const log = (await result(`${root}/logs/${encodeURIComponent(logId)}`)) as GatewayLog;
      return { ...log, created_at: new Date(log.created_at) };
    },
    async patchLog(logId, patch) {
      const path = `${root}/logs/${encodeURIComponent(logId)}`;
      const response = await transport.send(path, jsonRequest("PATCH", patch, undefined));
      if (!response.ok) throw await readError(response);
      await response.body?.cancel();
    },
  };
}

function headersOf(options: Omit<GatewayOptions, "id">): Record<string, string> {
  const { retries = {} } = options;
  const values: readonly (readonly [string, string | number | boolean | undefined])[] = [
    ["skip-cache", options.skipCache],
    ["cache-ttl", options.cacheTtl],
    ["cache-key", options.cacheKey],
    ["collect-log", options.collectLog],
    ["event-id", options.eventId],
    ["request-timeout", options.requestTimeoutMs],
    ["metadata", options.metadata === undefined ? undefined : JSON.stringify(options.metadata)],
    ["max-attempts", retries.maxAttempts],
    ["retry-delay", retries.retryDelayMs],
    ["backoff", retries.backoff],
  ];
  return Object.fromEntries(
    values.flatMap(([name, value]) =>
      value === undefined ? [] : [[`cf-aig-${name}`, String(value)]],
    ),
  );
}
