import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { createRegistryClient, proxyFromEnvironment } from "../../../../registry-client/index.ts";
import { answer, startScriptedServer } from "../../../support/scripted-server.ts";

/** A proxy that answers plain requests itself, refuses tunnels, and writes down what it was asked for. */
async function startProxy(): Promise<
  { readonly url: string; readonly asked: string[] } & AsyncDisposable
> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    response.end();
  });
  server.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url}`);
    socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `http://127.0.0.1:${address.port}`,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

// Behind a company's proxy nothing else gets out; and a local registry must not be looked for out there.
test("a registry elsewhere is reached through the proxy, one on this machine is not", async () => {
  await using proxy = await startProxy();
  const settings = proxyFromEnvironment({ HTTP_PROXY: proxy.url, HTTPS_PROXY: proxy.url });
  const options = { proxy: settings, retry: { tries: 1 } };
  await using plain = createRegistryClient({
    ...options,
    registry: "registry.test:5000",
    isPlainHttp: true,
  });
  await plain.ping();
  await using secure = createRegistryClient({ ...options, registry: "registry.test" });
  await expect(secure.ping()).rejects.toMatchObject({ code: "connection-failed" });
  const far = ["GET http://registry.test:5000/v2/", "CONNECT registry.test:443"];
  expect(proxy.asked).toEqual(far);

  await using server = await startScriptedServer([answer("GET /v2/", 200)]);
  await using near = createRegistryClient({ ...options, registry: server.host });
  await near.ping();
  expect(proxy.asked).toEqual(far);
  server.verify();
});

test("the lower-case variable counts first, an empty one is none", () => {
  expect(
    proxyFromEnvironment({ http_proxy: "a", HTTP_PROXY: "b", https_proxy: "", NO_PROXY: "c" }),
  ).toEqual({ http: "a", https: undefined, no: "c" });
});
