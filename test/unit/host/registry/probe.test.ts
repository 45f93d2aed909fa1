import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parse } from "yaml";
import { findFreePort, isRegistryHealthy } from "../../../../host/registry/probe.ts";
import { renderRegistryConfig } from "../../../../host/registry/process.ts";
import { configuredRegistry } from "../../../../host/registry/provide.ts";

const signal = new AbortController().signal;
let server: Server;
let address: string;
let answer: { status: number; headers: Record<string, string> };

beforeEach(async () => {
  answer = { status: 200, headers: {} };
  server = createServer((request, response) => {
    if (request.url !== "/v2/") throw new Error(`unexpected ${request.url}`);
    response.writeHead(answer.status, answer.headers).end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

it("a registry that asks for a login is one, any other server that does is not", async () => {
  expect(await isRegistryHealthy(address, { signal })).toBe(true);
  answer = { status: 401, headers: { "Docker-Distribution-Api-Version": "registry/2.0" } };
  expect(await isRegistryHealthy(address, { signal })).toBe(true);
  answer = { status: 401, headers: {} };
  expect(await isRegistryHealthy(address, { signal })).toBe(false);
});

it("a port that something else has is passed over", async () => {
  const taken = (server.address() as AddressInfo).port;
  expect(await findFreePort([taken], { signal })).toBeUndefined();
  expect(await findFreePort([taken, 0], { signal })).toBe(0);
});

it("BYOM_REGISTRY wins over the registry that byom runs, and is remembered", () => {
  const ours = { address: "127.0.0.1:5000", kind: "process" } as const;
  const configured = { address: "hub.corp:443", kind: "configured" } as const;
  expect(configuredRegistry({ BYOM_REGISTRY: "https://hub.corp/" }, ours)).toBe("hub.corp");
  expect(configuredRegistry({}, ours)).toBeUndefined();
  expect(configuredRegistry({}, configured)).toBe("hub.corp:443");
});

it("our registry listens on loopback only and can delete", () => {
  expect(parse(renderRegistryConfig("127.0.0.1:5000", "/data dir/registry"))).toEqual({
    version: 0.1,
    log: { level: "warn" },
    storage: { filesystem: { rootdirectory: "/data dir/registry" }, delete: { enabled: true } },
    http: { addr: "127.0.0.1:5000" },
  });
});
