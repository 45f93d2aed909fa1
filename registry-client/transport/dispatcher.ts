import { getCACertificates } from "node:tls";
import { Agent, EnvHttpProxyAgent, type Dispatcher } from "undici";

/** Proxies as the usual variables name them; empty or missing means none. */
export interface ProxySettings {
  /** Address of the proxy for http registries. */
  readonly http?: string | undefined;
  /** Address of the proxy for https registries. */
  readonly https?: string | undefined;
  /** Hosts to reach directly, comma-separated. Loopback hosts are always among them. */
  readonly no?: string | undefined;
}

/** Time for a TCP and TLS handshake, in milliseconds. */
const connectTimeoutMs = 15_000;
const loopbackHosts = "localhost,127.0.0.1,::1";

/** Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, of which curl and docker take the lower-case form first. */
export function proxyFromEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): ProxySettings {
  const read = (name: string): string | undefined =>
    environment[name] || environment[name.toUpperCase()];
  return { http: read("http_proxy"), https: read("https_proxy"), no: read("no_proxy") };
}

/** Connections of one client. HTTP/1.1 only: uploads over HTTP/2 are slower and some registries' proxies cut them. */
export function createDispatcher(options: {
  readonly certificateAuthority?: string | readonly string[] | undefined;
  readonly proxy?: ProxySettings | undefined;
}): Dispatcher {
  const { certificateAuthority, proxy } = options;
  // Storage that a registry redirects to may stand under public authorities.
  const tls =
    certificateAuthority === undefined
      ? {}
      : { ca: [...getCACertificates("default"), ...[certificateAuthority].flat()] };
  const connect = { timeout: connectTimeoutMs, ...tls };
  if (!proxy?.http && !proxy?.https) return new Agent({ allowH2: false, connect });
  return new EnvHttpProxyAgent({
    allowH2: false,
    connect,
    requestTls: connect,
    proxyTls: connect,
    // Never undefined: undici would look into the process's environment.
    httpProxy: proxy.http ?? "",
    httpsProxy: proxy.https ?? "",
    noProxy: proxy.no ? `${proxy.no},${loopbackHosts}` : loopbackHosts,
  });
}
