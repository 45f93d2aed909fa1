import { once } from "node:events";
import { connect as connectSocket, createServer } from "node:net";

/** A TCP proxy that resets the first connection that carries more than so many bytes to the registry. */
export async function startCuttingProxy(
  target: string,
  afterBytes: number,
): Promise<{ readonly host: string; readonly cuts: number } & AsyncDisposable> {
  const [hostname, port] = target.split(":");
  let cuts = 0;
  const server = createServer((downstream) => {
    const upstream = connectSocket(Number(port), hostname);
    let carried = 0;
    const end = (): void => {
      downstream.destroy();
      upstream.destroy();
    };
    downstream.on("error", end).on("close", end);
    upstream.on("error", end).on("close", end);
    upstream.pipe(downstream);
    downstream.on("data", (chunk) => {
      carried += chunk.byteLength;
      if (cuts === 0 && carried > afterBytes) {
        cuts += 1;
        downstream.resetAndDestroy();
        upstream.resetAndDestroy();
        return;
      }
      if (!upstream.write(chunk)) {
        downstream.pause();
        upstream.once("drain", () => downstream.resume());
      }
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    host: `127.0.0.1:${address.port}`,
    get cuts() {
      return cuts;
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
    },
  };
}
