import { createServer, type Server } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { connectEngine } from "../../../../host/engine/connect.ts";
import { inspectControl } from "../../../../host/engine/daemon.ts";

const signal = new AbortController().signal;
let folder: string;
let server: Server;
let info: Record<string, unknown>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "byom-engine-"));
  info = {
    ServerVersion: "28.5.2",
    OperatingSystem: "Docker Desktop",
    KernelVersion: "6.10-linuxkit",
  };
  server = createServer((request, response) => {
    if (request.url === "/_ping") return response.end("OK");
    if (request.url === "/info") return response.end(JSON.stringify(info));
    throw new Error(`unexpected ${request.method} ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(join(folder, "docker.sock"), resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true });
});

it("Docker Desktop is taken as engine, and said to be out of reach for snapshots", async () => {
  const environment = { DOCKER_HOST: `unix://${join(folder, "docker.sock")}` };
  const engine = await connectEngine({ environment, signal });
  if (engine.docker === undefined) throw new Error(engine.reason);
  expect(engine.info).toMatchObject({ ServerVersion: "28.5.2", CgroupVersion: "1" });
  expect(await inspectControl(engine, { isRoot: true, signal })).toMatchObject({
    isControllable: false,
    reason: "Docker Desktop's engine runs in a virtual machine",
  });
});

it("an engine that does not answer is a reason, not an exception", async () => {
  const environment = { DOCKER_HOST: `unix://${join(folder, "none.sock")}` };
  expect(await connectEngine({ environment, signal })).toEqual({
    reason: expect.stringContaining("none.sock (DOCKER_HOST): no such socket"),
    isExplicit: true,
  });
});

it("an abort is passed on untouched", async () => {
  const reason = new Error("Ctrl-C");
  const aborted = AbortSignal.abort(reason);
  const environment = { DOCKER_HOST: `unix://${join(folder, "docker.sock")}` };
  await expect(connectEngine({ environment, signal: aborted })).rejects.toBe(reason);
});
