import type { IncomingMessage, ServerResponse } from "node:http";

import { GatewayError } from "../errors.ts";
import { callerProviderKey } from "./aig-headers.ts";
import type { Call } from "./call.ts";

/** A path's segments, decoded: `/v1/models/a%2Fb` has three. */
export function readSegments(path: string): readonly string[] {
  const segments = path.split("/").filter((segment) => segment !== "");
  return path.includes("%") ? segments.map(decode) : segments;
}

/** A request as the surfaces see it. What few of them look at is made when they do: most calls need none of it. */
export function createCall(options: {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly segments: readonly string[];
  readonly publicUrl: string | undefined;
  readonly idSource: () => string;
}): Call {
  const { request, response, segments, publicUrl } = options;
  const requestId = `req_${options.idSource()}`;
  response.setHeader("x-request-id", requestId);
  let query: URLSearchParams | undefined;
  let signal: AbortSignal | undefined;
  return {
    request,
    response,
    requestId,
    method: request.method ?? "GET",
    segments,
    get query() {
      query ??= new URLSearchParams((request.url ?? "").split("?")[1] ?? "");
      return query;
    },
    get baseUrl() {
      return (publicUrl ?? `http://${request.headers.host ?? "localhost"}`).replace(/\/+$/, "");
    },
    get signal() {
      signal ??= signalOf(response);
      return signal;
    },
    key: undefined,
    providerKey: callerProviderKey(request.headers),
  };
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
