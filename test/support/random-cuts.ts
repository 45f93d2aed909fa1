import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A seeded source of numbers in [0, 1): a failure can be played again. Source: mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d_2b_79_f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export interface RandomCutsOptions {
  readonly target: () => { readonly host: string; readonly port: number };
  readonly random: () => number;
  /** Share of the streams' connections that are cut. */
  readonly share: number;
  /** Within so many bytes after the head. */
  readonly withinBytes: number;
}

export interface RandomCuts extends AsyncDisposable {
  readonly origin: string;
  readonly cuts: number;
}

const headEnd = Buffer.from("\r\n\r\n");

/**
 * A TCP proxy that resets connections at random bytes of the streams that they carry; answers that are no streams pass
 * whole. One answer a connection.
 */
export async function startRandomCuts(options: RandomCutsOptions): Promise<RandomCuts> {
  const sockets = new Set<Socket>();
  let cuts = 0;
  const server = createServer((downstream) => {
    const upstream = connect(options.target());
    sockets.add(downstream);
    const end = (): void => {
      sockets.delete(downstream);
      // What a cut answer lacks, its reader must see: no orderly end.
      if (!downstream.writableEnded) downstream.resetAndDestroy();
      upstream.destroy();
    };
    downstream.on("error", end).on("close", end);
    upstream.on("error", end);
    downstream.pipe(upstream);
    let head: Buffer | undefined = Buffer.alloc(0);
    let leftBytes = Number.POSITIVE_INFINITY;
    upstream.on("data", (chunk: Buffer) => {
      let bytes = chunk;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk]);
        const at = head.indexOf(headEnd);
        if (at === -1) return;
        const isStream = head.toString("latin1", 0, at).includes("text/event-stream");
        const isCut = isStream && options.random() < options.share;
        const bodyAt = at + headEnd.length;
        if (isCut) leftBytes = bodyAt + Math.floor(options.random() * options.withinBytes);
        bytes = head;
        head = undefined;
      }
      if (bytes.length <= leftBytes) {
        leftBytes -= bytes.length;
        downstream.write(bytes);
        return;
      }
      cuts += 1;
      upstream.destroy();
      // So that what was carried arrives before the connection breaks.
      downstream.write(bytes.subarray(0, leftBytes), () => downstream.resetAndDestroy());
      leftBytes = 0;
    });
    upstream.on("end", () => downstream.end());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
