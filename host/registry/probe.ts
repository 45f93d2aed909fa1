import { createServer } from "node:net";
import { request } from "undici";

/** A registry on this host or in this network answers its version check at once. */
const probeTimeoutMs = 3_000;

/** Whether a registry answers `GET /v2/` there (OCI distribution spec, end-1); one that asks for a login is healthy too. */
export async function isRegistryHealthy(
  address: string,
  options: { signal: AbortSignal },
): Promise<boolean> {
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(probeTimeoutMs)]);
  for (const scheme of isLoopback(address) ? ["http"] : ["https", "http"]) {
    try {
      const response = await request(`${scheme}://${address}/v2/`, { signal });
      await response.body.dump();
      const isRegistry = "docker-distribution-api-version" in response.headers;
      if (response.statusCode === 200 || (response.statusCode === 401 && isRegistry)) return true;
    } catch {
      options.signal.throwIfAborted();
    }
  }
  return false;
}

/** The first of these ports on loopback that nobody listens on. */
export async function findFreePort(
  candidates: readonly number[],
  options: { signal: AbortSignal },
): Promise<number | undefined> {
  for (const port of candidates) {
    options.signal.throwIfAborted();
    if (await isFree(port)) return port;
  }
  return undefined;
}

function isLoopback(address: string): boolean {
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/.test(address);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "127.0.0.1", exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
