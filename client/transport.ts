import { readError } from "./errors.ts";

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Where the gateway listens, such as `https://models.example.com`; a `/v1` at its end is left out. */
  readonly baseUrl: string;
  /** Absent where something on the way adds it (a service binding with injected headers). */
  readonly apiKey?: string;
  /** The caller's own key for a third-party provider; used for the call, never kept. */
  readonly providerKey?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Such as a service binding's; default: the platform's. */
  readonly fetch?: Fetch;
}

/** HTTP to one gateway. */
export interface Transport {
  /** `path` begins with a slash, or is an absolute URL of the gateway. */
  send(path: string, init?: RequestInit): Promise<Response>;
  /** A JSON answer. @throws `InferenceUpstreamError` for every refusal */
  json(path: string, init?: RequestInit): Promise<unknown>;
}

export function createTransport(options: TransportOptions): Transport {
  const base = options.baseUrl.replace(/\/+$/, "").replace(/\/v1$/, "");
  // Called through the global each time, so that a test or an app may replace it later.
  const fetcher: Fetch = options.fetch ?? ((input, init) => fetch(input, init));
  const own: Record<string, string> = { ...options.headers };
  if (options.apiKey !== undefined) own["authorization"] = `Bearer ${options.apiKey}`;
  if (options.providerKey !== undefined) own["x-byom-provider-key"] = options.providerKey;
  const send = (path: string, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(own);
    new Headers(init.headers).forEach((value, name) => headers.set(name, value));
    return fetcher(path.startsWith("/") ? `${base}${path}` : path, { ...init, headers });
  };
  return {
    send,
    async json(path, init) {
      const response = await send(path, init);
      if (!response.ok) throw await readError(response);
      return response.status === 204 ? undefined : ((await response.json()) as unknown);
    },
  };
}

/** A request with a JSON body. */
export function jsonRequest(
  method: string,
  body: unknown,
  signal: AbortSignal | undefined,
): RequestInit {
  return {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    ...(signal !== undefined && { signal }),
  };
}

/** The signal of a request, where there is one. */
export function withSignal(signal: AbortSignal | undefined): RequestInit {
  return signal === undefined ? {} : { signal };
}
