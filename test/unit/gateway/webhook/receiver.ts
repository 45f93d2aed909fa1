import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";

export interface Delivery {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** As JSON. */
  readonly told: Readonly<Record<string, unknown>>;
}

/** What a receiver does with a delivery: a status, a redirect, or nothing at all. */
export type Reaction = number | { readonly location: string } | "hang";

/** An app that is told by webhooks; the test decides how it reacts. */
export interface Receiver extends AsyncDisposable {
  readonly url: string;
  readonly deliveries: readonly Delivery[];
  /** How the next deliveries go; the last one stays. */
  react(...reactions: readonly Reaction[]): void;
}

export async function startReceiver(): Promise<Receiver> {
  const deliveries: Delivery[] = [];
  let reactions: Reaction[] = [200];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const { url: path = "", headers } = request;
      const told = JSON.parse(body) as Record<string, unknown>;
      deliveries.push({ path, headers, body, told });
      const reaction = (reactions.length > 1 ? reactions.shift() : reactions[0]) ?? 200;
      if (reaction === "hang") return;
      if (typeof reaction === "number") response.writeHead(reaction).end();
      else response.writeHead(302, { location: reaction.location }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    deliveries,
    react: (...next) => {
      reactions = [...next];
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
