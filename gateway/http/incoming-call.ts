import type { IncomingMessage, ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import { callerProviderKey } from "./aig-headers.ts";
import type { KeyIdentity } from "../keys/keys.ts";
import type { Call, CallChanges } from "./call.ts";

/** A path's segments, decoded: `/v1/models/a%2Fb` has three. */
export function readSegments(path: string): readonly string[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  return path.includes("%") ? segments.map(decode) : segments;
}

export interface CallOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly segments: readonly string[];
  readonly publicUrl: string | undefined;
  readonly requestId: string;
}

/** A request as the surfaces see it. What few of them look at is made when they do: most calls need none of it. */
export class IncomingCall implements Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly requestId: string;
  readonly method: string;
  readonly segments: readonly string[];
  providerKey: string | undefined;
  key: KeyIdentity | undefined;
  surface = "";
  readonly #publicUrl: string | undefined;
  #query: URLSearchParams | undefined;
  #signal: AbortSignal | undefined;

  constructor(options: CallOptions) {
    const { request, response, segments, publicUrl, requestId } = options;
    this.request = request;
    this.response = response;
    this.requestId = requestId;
    this.method = request.method ?? "GET";
    this.segments = segments;
    this.providerKey = callerProviderKey(request.headers);
    this.#publicUrl = publicUrl;
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams((this.request.url ?? "").split("?")[1] ?? "");
    return this.#query;
  }

  get baseUrl(): string {
    const host = this.request.headers.host ?? "localhost";
    return (this.#publicUrl ?? `http://${host}`).replace(/\/+$/, "");
  }

  get signal(): AbortSignal {
    this.#signal ??= signalOf(this.response);
    return this.#signal;
  }

  as(changes: CallChanges): Call {
    const { response, requestId } = this;
    const { segments = this.segments, request = this.request } = changes;
    const call = new IncomingCall({
      request,
      response,
      segments,
      publicUrl: this.baseUrl,
      requestId,
    });
    call.key = this.key;
    call.surface = this.surface;
    call.providerKey = changes.providerKey ?? this.providerKey;
    call.#signal = this.signal;
    return call;
  }
}

/** Aborts when the caller leaves before the answer is complete. */
function signalOf(response: ServerResponse): AbortSignal {
  const gone = new AbortController();
  const onClose = (): void => {
    // A reason of our own: the default one costs a stack trace per call.
    if (!response.writableFinished) gone.abort(callerGone);
  };
  if (response.closed || response.destroyed) onClose();
  else response.once("close", onClose);
  return gone.signal;
}

const callerGone = new GatewayError("canceled", "The caller left.");

/** A segment that is not valid percent-encoding is taken as it is; it will name nothing. */
function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
