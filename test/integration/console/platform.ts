import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { createConsole } from "../../../console/index.ts";
import { createGateway, openAdministration } from "../../../gateway/index.ts";
import { startFakeCoglet, type FakeCoglet } from "../../unit/gateway/fake-coglet.ts";
import { FakeUpstream, MemoryPredictions } from "../../unit/gateway/harness.ts";
import { models } from "./models.ts";

export const callKey = "byom_call_key";

export interface ConsolePlatform {
  readonly url: string;
  readonly coglet: FakeCoglet;
  close(): Promise<void>;
}

/** Console and gateway on one port, with the bundled catalog beside the models of the tests, over a fake instance. */
export async function startConsolePlatform(): Promise<ConsolePlatform> {
  const directory = await mkdtemp(join(tmpdir(), "byom-console-"));
  const coglet = await startFakeCoglet();
  const upstream = new FakeUpstream();
  upstream.origin = coglet.origin;
  const administration = openAdministration({
    dataDirectory: directory,
    own: { get: (id) => models.find((model) => model.id === id), list: () => models },
    environment: {},
  });
  const gateway = createGateway({
    upstream,
    catalog: administration.catalog,
    providers: administration.providers,
    administration,
    keys: {
      verify: (secret) =>
        secret === callKey ? { id: "key-1", name: "app", scopes: ["call"] } : undefined,
    },
    predictions: new MemoryPredictions(),
    dataDirectory: directory,
    deadlines: { callerGraceMs: 50, cancelMs: 500 },
  });
  const serveConsole = createConsole();
  const server = createServer((request, response) => {
    const path = request.url?.split("?", 1)[0] ?? "/";
    if (serveConsole(request, response, path)) return;
    void gateway.handle(request, response).then((isHandled) => {
      if (!isHandled) response.writeHead(404).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    coglet,
    async close() {
      await gateway.close({ signal: AbortSignal.abort() });
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      administration.close();
      await coglet.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
