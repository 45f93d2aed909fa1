import { Pool } from "undici";

/** Connections to instances, one pool per origin. */
export interface Pools {
  /** @param connectMs default: the gateway's; connections that have less time to open are kept apart */
  get(origin: string, connectMs?: number): Pool;
  /**
   * Waits for the requests under way to that origin, then closes its connections: a snapshot of an instance is
   * taken with no TCP connection open. The next call opens new ones.
   */
  closeOrigin(origin: string): Promise<void>;
  /** Closes all; with `isForced` requests under way fail. */
  close(options: { isForced: boolean }): Promise<void>;
}

/** Idle connections are dropped after this; uvicorn-like servers keep theirs at least that long, coglet for ever. */
const keepAliveMs = 4_000;
/** Longest keep-alive a server's hint may ask for. */
const keepAliveMaxMs = 60_000;

export function createPools(options: { readonly connectMs: number }): Pools {
  const pools = new Map<string, Pool>();
  return {
    get(origin, connectMs) {
      const key = connectMs === undefined ? origin : `${origin} ${connectMs}`;
      let pool = pools.get(key);
      if (pool === undefined) {
        pool = new Pool(origin, {
          connectTimeout: connectMs ?? options.connectMs,
          keepAliveTimeout: keepAliveMs,
          keepAliveMaxTimeout: keepAliveMaxMs,
          // Slots are counted by the lease, so a second limit here could only make callers wait unseen.
          connections: null,
          pipelining: 1,
        });
        pools.set(key, pool);
      }
      return pool;
    },
    async closeOrigin(origin) {
      const own = [...pools].filter(([key]) => key === origin || key.startsWith(`${origin} `));
      for (const [key] of own) pools.delete(key);
      await Promise.all(own.map(([, pool]) => pool.close()));
    },
    async close({ isForced }) {
      const all = [...pools.values()];
      pools.clear();
      await Promise.all(all.map((pool) => (isForced ? pool.destroy() : pool.close())));
    },
  };
}
