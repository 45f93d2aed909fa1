import { BlockList, isIP } from "node:net";
import { RegistryError } from "../errors.ts";

/** Redirects followed for one request; browsers stop at 20, registries need one or two. */
export const redirectsMax = 5;

const privateAddresses = new BlockList();
for (const [network, prefix] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.168.0.0", 16],
] as const) {
  privateAddresses.addSubnet(network, prefix, "ipv4");
}
for (const [network, prefix] of [
  ["::", 127],
  ["fc00::", 7],
  ["fe80::", 10],
] as const) {
  privateAddresses.addSubnet(network, prefix, "ipv6");
}

/**
 * Resolves an address that a registry sent (Location or realm) and refuses what would lead elsewhere than a
 * registry may lead: other schemes, TLS dropped, credentials in it, private IP literals on another host.
 * The same host with `http` instead of `https` is a proxy that forgot about TLS: the scheme is kept.
 * @throws RegistryError `unsafe-address`.
 */
export function resolveAddress(options: {
  readonly address: string;
  readonly base: URL;
  readonly registry: URL;
  readonly what: "Location" | "token realm";
}): URL {
  const { address, base, registry, what } = options;
  const url = URL.canParse(address, base.href) ? new URL(address, base) : undefined;
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw unsafe(what, registry, "it is not an http address");
  }
  if (url.username !== "" || url.password !== "")
    throw unsafe(what, registry, "it holds credentials");
  if (url.protocol === "http:" && registry.protocol === "https:") {
    if (url.hostname !== registry.hostname || (url.port !== "" && url.port !== registry.port)) {
      throw unsafe(what, registry, "it leads from https to http");
    }
    url.protocol = "https:";
    url.port = registry.port;
  }
  if (
    url.hostname !== registry.hostname &&
    isPrivateLiteral(url.hostname) &&
    !isLoopbackHost(registry.hostname)
  ) {
    throw unsafe(what, registry, `it leads to the private address ${url.hostname}`);
  }
  url.hash = "";
  return url;
}

/** `localhost`, 127.0.0.0/8 and ::1, where Docker and we speak plain HTTP by default. */
export function isLoopbackHost(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  return (
    bare === "localhost" ||
    bare.endsWith(".localhost") ||
    bare === "::1" ||
    (isIP(bare) === 4 && bare.startsWith("127."))
  );
}

/** An address for people and logs: no query, which may hold signatures, and no credentials. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search === "" ? "" : "?…"}`;
}

function isPrivateLiteral(hostname: string): boolean {
  const bare = hostname.replace(/^\[|\]$/g, "");
  const family = isIP(bare);
  return family !== 0 && privateAddresses.check(bare, family === 4 ? "ipv4" : "ipv6");
}

function unsafe(what: string, registry: URL, reason: string): RegistryError {
  return new RegistryError({
    code: "unsafe-address",
    message: `${registry.host} sent a ${what} that is not followed: ${reason}`,
    hint: "check the registry's external URL setting (REGISTRY_HTTP_HOST, the proxy's X-Forwarded-Proto)",
  });
}
