import { pushScope, type Scope } from "./auth/scope.ts";
import { RegistryResponseError } from "./errors.ts";
import type { Digest } from "./oci/digest.ts";
import { checkRepository } from "./oci/reference.ts";
import type { Transport } from "./transport/client.ts";
import type { ExchangeResponse } from "./transport/exchange.ts";
import { resolveAddress } from "./transport/redirect.ts";

/** Time for telling the registry that an upload is off, in milliseconds; it runs after an abort too. */
const cancelTimeoutMs = 2_000;

/** Opens an upload session; its address is in the answer's Location. */
export async function openUpload(
  transport: Transport,
  options: { readonly repository: string; readonly signal?: AbortSignal | undefined },
): Promise<ExchangeResponse> {
  const response = await transport.send({
    method: "POST",
    url: transport.address(`${checkRepository(options.repository)}/blobs/uploads/`),
    scopes: [pushScope(options.repository)],
    accept: [202],
    signal: options.signal,
  });
  await response.discard();
  return response;
}

/** Where the session goes on: always the newest Location, its query opaque. */
export function uploadLocation(transport: Transport, response: ExchangeResponse): URL | undefined {
  const address = response.header("location");
  if (address === undefined) return undefined;
  return resolveAddress({
    address,
    base: response.url,
    registry: transport.registry,
    what: "Location",
  });
}

/** The address of the commit. The registry's own query must survive byte for byte. */
export function withDigest(location: URL, digest: Digest): URL {
  const separator = location.search === "" ? "?" : "&";
  return new URL(`${location.href}${separator}digest=${encodeURIComponent(digest)}`);
}

/**
 * How many bytes a broken session has kept (GET on its address: 204 with `Range: 0-N`), with its new address.
 * Undefined when the session is gone, or when its count cannot be right: below what it acknowledged, above what
 * was sent, or `0-0`, which some registries say for none and for one byte.
 * @throws RegistryConnectionError when the registry is out of reach: then nothing is known of the session.
 */
export async function findAcknowledged(
  transport: Transport,
  options: {
    readonly location: URL;
    readonly scopes: readonly Scope[];
    readonly atLeast: number;
    readonly atMost: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<{ readonly location: URL; readonly acknowledgedBytes: number } | undefined> {
  let response: ExchangeResponse;
  try {
    response = await transport.send({
      method: "GET",
      url: options.location,
      scopes: options.scopes,
      accept: [204],
      signal: options.signal,
    });
  } catch (error) {
    options.signal?.throwIfAborted();
    if (error instanceof RegistryResponseError) return undefined;
    throw error;
  }
  await response.discard();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(response.header("range") ?? "")?.[1];
  const acknowledgedBytes = Number(last) + 1;
  if (
    !(
      acknowledgedBytes > 1 &&
      acknowledgedBytes >= options.atLeast &&
      acknowledgedBytes <= options.atMost
    )
  ) {
    return undefined;
  }
  return { location: uploadLocation(transport, response) ?? options.location, acknowledgedBytes };
}

/** Tells the registry that a session is off. Best effort: sessions expire by themselves. */
export async function cancelUpload(
  transport: Transport,
  location: URL,
  scopes: readonly Scope[],
): Promise<void> {
  try {
    const response = await transport.send({
      method: "DELETE",
      url: location,
      scopes,
      accept: [200, 202, 204, 404],
      tries: 1,
      signal: AbortSignal.timeout(cancelTimeoutMs),
    });
    await response.discard();
  } catch {
    // Some registries demand a right for this that pushing does not need.
  }
}
