import type { IncomingHttpHeaders } from "node:http";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";

import type { GatewayError } from "../errors.ts";
import { noSuchPath, type Call, type RenderedError, type Surface } from "../http/call.ts";

/**
 * Lets another surface answer a call under a path of its own, such as `/v1/chat/completions` for
 * `/client/v4/accounts/ID/ai/v1/chat/completions`.
 * @throws `GatewayError` `not_found` when none of the surfaces has the path
 */
export async function delegate(
  call: Call,
  surfaces: readonly Surface[],
  segments: readonly string[],
): Promise<void> {
  const surface = surfaces.find((candidate) => candidate.owns(segments, call.method));
  if (surface === undefined) throw noSuchPath(call);
  await surface.handle(call.as({ segments }));
}

/** The failure of a delegated call in the shape of the surface that it was delegated to. */
export function renderDelegated(
  error: GatewayError,
  options: {
    readonly call: Call;
    readonly surfaces: readonly Surface[];
    readonly segments: readonly string[];
  },
): RenderedError | undefined {
  const { call, surfaces, segments } = options;
  const surface = surfaces.find((candidate) => candidate.owns(segments, call.method));
  return surface?.renderError(error, call.as({ segments }));
}

/** The call with another body, method and headers, as one step of several in one request. */
export function withRequest(
  call: Call,
  options: { readonly headers: IncomingHttpHeaders; readonly body: Buffer },
): Call {
  const request = new IncomingMessage(new Socket());
  request.method = "POST";
  request.url = call.request.url ?? "/";
  request.headers = { ...options.headers, "content-length": String(options.body.length) };
  request.push(options.body);
  request.push(null);
  return call.as({ request });
}
