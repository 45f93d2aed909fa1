import { timingSafeEqual } from "node:crypto";

import type { GatewayError } from "../../errors.ts";
import { allowMethods, type RenderedError, type Services, type Surface } from "../../http/call.ts";
import { authorize } from "../../keys/authorize.ts";

/**
 * `GET /metrics` in Prometheus' text format 0.0.4. It needs a key with the scope `admin`, or the operator's own token for
 * it (`BYOM_METRICS_TOKEN`), also from this machine: what comes through a proxy comes from this machine, too.
 */
export function createMetricsSurface(
  services: Services,
  options: { readonly token: string | undefined },
): Surface {
  return {
    name: "metrics",
    owns: ([first, ...rest]) => first === "metrics" && rest.length === 0,
    isOpen: () => true,
    handle(call) {
      allowMethods(call, "GET", "HEAD");
      const { authorization } = call.request.headers;
      if (!isToken(authorization, options.token)) {
        call.key = authorize(call.request.headers, services.keys, ["admin"]);
      }
      const text = services.telemetry.metrics.render();
      call.response.writeHead(200, {
        "content-type": "text/plain; version=0.0.4; charset=utf-8",
        "cache-control": "no-store",
      });
      call.response.end(call.method === "HEAD" ? undefined : text);
      return Promise.resolve();
    },
    renderError,
  };
}

function isToken(authorization: string | undefined, token: string | undefined): boolean {
  if (token === undefined || token === "" || authorization === undefined) return false;
  const expected = Buffer.from(`Bearer ${token}`);
  const given = Buffer.from(authorization);
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function renderError({ status, code, message, hint }: GatewayError): RenderedError {
  return { status, body: { error: { code, message, ...(hint !== undefined && { hint }) } } };
}
