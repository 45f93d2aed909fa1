import { lookup } from "node:dns/promises";

import { GatewayError } from "../errors.ts";
import { checkUrl, isClosedAddress } from "../http/url-guard.ts";

/**
 * Checks the base URL of a provider that came over the API: https to public addresses, unless the operator says that
 * the server is an own one. A name that nobody knows now may be known later.
 * @throws GatewayError `invalid_request`
 */
export async function assertAllowedUrl(
  text: string,
  options: { readonly allowPrivate: boolean },
): Promise<void> {
  if (options.allowPrivate) return;
  try {
    const { hostname } = checkUrl(text, { parameter: "baseUrl" });
    const found = await lookup(hostname.replaceAll(/^\[|\]$/g, ""), { all: true }).catch(() => []);
    const closed = found.find(({ address }) => isClosedAddress(address));
    if (closed === undefined) return;
    const why = `baseUrl: ${hostname} is ${closed.address}, which is not a public address`;
    throw new GatewayError("invalid_request", why);
  } catch (error) {
    throw new GatewayError("invalid_request", (error as Error).message, {
      parameter: "baseUrl",
      hint: "If it is a server of your own, say so: --allow-private (allowPrivate: true).",
      cause: error,
    });
  }
}
