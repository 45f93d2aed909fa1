import { Pool, type Client } from "undici";

/** One way to the provider. */
export interface Route {
  readonly name: string;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
}

export interface Timing {
  /** To the first byte of the body. */
  readonly firstMs: number;
  readonly totalMs: number;
}

/** A conversation of some paragraphs, as an agent sends it. */
const history = Array.from({ length: 6 }, (_, index) => ({
  role: index % 2 === 0 ? "user" : "assistant",
  content: "The quick brown fox jumps over the lazy dog. ".repeat(8),
}));

export function requestBody(route: Route, options: { isStreamed: boolean; said?: string }): string {
  const messages = [...history, { role: "user", content: options.said ?? "Go on." }];
  return JSON.stringify({
    model: route.model,
    messages,
    temperature: 0.2,
    ...(options.isStreamed ? { stream: true } : {}),
  });
}

/** One call after another on one connection. */
export async function sequential(
  client: Client | Pool,
  route: Route,
  options: { calls: number; isStreamed: boolean },
): Promise<readonly Timing[]> {
  const body = requestBody(route, options);
  const timings: Timing[] = [];
  for (let call = 0; call < options.calls; call += 1) {
    timings.push(await one(client, route, body));
  }
  return timings;
}

/** Closed loop over a number of connections for a time. */
export async function closedLoop(
  route: Route,
  options: { connections: number; durationMs: number; isStreamed: boolean },
): Promise<{ calls: number; seconds: number }> {
  const pool = new Pool(route.origin, { connections: options.connections, pipelining: 1 });
  const body = requestBody(route, options);
  const startedAt = performance.now();
  const deadline = startedAt + options.durationMs;
  let calls = 0;
  const worker = async (): Promise<void> => {
    while (performance.now() < deadline) {
      await one(pool, route, body);
      calls += 1;
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  await pool.close();
  return { calls, seconds };
}

/** Opens streams that say one token and then nothing; what is returned closes them. */
export async function openStreams(route: Route, count: number): Promise<() => Promise<void>> {
  const pool = new Pool(route.origin, { connections: count, pipelining: 1, bodyTimeout: 0 });
  const body = requestBody(route, { isStreamed: true, said: "hold" });
  await Promise.all(
    Array.from({ length: count }, async () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      pool.dispatch(
        { path: route.path, method: "POST", headers: { ...route.headers }, body },
        {
          onRequestStart: () => undefined,
          onResponseStart: (_controller, status) => {
            if (status !== 200) reject(new Error(`${route.name} answered ${status}`));
          },
          onResponseData: () => resolve(),
          onResponseEnd: () => reject(new Error(`${route.name} ended a stream`)),
          onResponseError: (_controller, error) => reject(error),
        },
      );
      await promise;
    }),
  );
  return () => pool.destroy();
}

function one(client: Client | Pool, route: Route, body: string): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let firstMs = 0;
    client.dispatch(
      { path: route.path, method: "POST", headers: { ...route.headers }, body },
      {
        onRequestStart: () => undefined,
        onResponseStart: (_controller, status) => {
          if (status !== 200) reject(new Error(`${route.name} answered ${status}`));
        },
        onResponseData: () => {
          if (firstMs === 0) firstMs = performance.now() - startedAt;
        },
        onResponseEnd: () => resolve({ firstMs, totalMs: performance.now() - startedAt }),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}
