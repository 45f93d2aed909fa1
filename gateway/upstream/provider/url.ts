import type { Provider } from "./providers.ts";

/**
 * The URL of a request: a path under the base URL, whose own path and query stay, or an absolute URL.
 * @throws `TypeError` for what is neither
 */
export function requestUrl(baseUrl: string, path: string): URL {
  if (/^https?:\/\//i.test(path)) return new URL(path);
  const url = new URL(baseUrl);
  const [pathname = "", query = ""] = path.split("?", 2);
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/${pathname.replace(/^\/+/, "")}`;
  for (const [name, value] of new URLSearchParams(query)) url.searchParams.append(name, value);
  return url;
}

/** Whether an origin is the provider's own: only there its key, and the operator's headers, may go. */
export function isOwnOrigin({ baseUrl }: Provider, origin: string): boolean {
  return new URL(baseUrl).origin === origin;
}

/** The origin of a base URL, without parsing it again for every call. */
export function originOf(baseUrl: string): string {
  const slashAt = baseUrl.indexOf("/", baseUrl.indexOf("://") + 3);
  return slashAt === -1 ? baseUrl : baseUrl.slice(0, slashAt);
}
