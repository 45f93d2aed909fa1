// What a restored instance is told, what it must not share, and what a hostile container can make of it. If these fail,
// a clone answers with another's identity, secrets or connection; or root writes where a container points.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import type { InstanceIdentity } from "../../../../runtime/snapshot/identity.ts";
import type {
  CompatibilityKey,
  Snapshot,
  Snapshotter,
} from "../../../../runtime/snapshot/snapshot.ts";
import { SnapshotLab, type Running } from "./snapshot-lab.ts";

const lab = new SnapshotLab("identity");
const warmUp = { input: { do: "sum" } };
const signal = AbortSignal.timeout(280_000);
const directory = await mkdtemp(path.join(tmpdir(), "byom-identity-"));
const skipReason = await lab.skipReason(directory);
if (skipReason !== undefined) console.log(`skipped: identity of clones: ${skipReason}`);

let snapshotter: Snapshotter;

afterAll(async () => {
  await lab[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

describe.skipIf(skipReason !== undefined)("the identity of a clone", () => {
  let key: CompatibilityKey;
  let snapshot: Snapshot;

  beforeAll(async () => {
    snapshotter = await lab.open(directory);
    const original = await lab.start();
    key = await lab.key(snapshotter, "sha256:none");
    snapshot = await snapshotter.capture({ ...original, key, warmUp }, { signal });
    expect(snapshot).toMatchObject({ status: "available" });
  });

  it("tells every clone who it is: identity, host name, environment, secrets and how long it slept", async () => {
    const clones = await Promise.all([restore(snapshot), restore(snapshot)]);
    for (const { containerId, address } of clones) {
      const answer = await lab.predict({ containerId, address }, { do: "identity" });
      const { environment, secrets, ...instance } = identityOf(containerId);
      const { MODE: mode } = environment;
      expect(answer).toMatchObject({
        environment: mode,
        osEnvironment: mode,
        token: secrets["TOKEN"],
        instance: { ...instance, startedAt: expect.any(String) },
        hostnames: [containerId.slice(0, 12)],
        resolves: address.replace(/:\d+$/, ""),
        told: { id: instance.id, token: secrets["TOKEN"], closedConnections: [] },
      });
      const { told } = answer as { told: { asleepSeconds: number } };
      expect(told.asleepSeconds).toBeGreaterThan(0);
    }
  });

  it("keeps identity and secrets out of the snapshot, and gives them back to the captured instance", async () => {
    const running = await lab.start();
    const identity = { ...identityOf(running.containerId), secrets: { TOKEN: "taken-b6a1d0f3" } };
    await snapshotter.introduce({ ...running, identity }, { signal });
    const otherKey = { ...key, weightsDigest: "sha256:introduced" };
    const made = await snapshotter.capture({ ...running, key: otherKey }, { signal });
    expect(made).toMatchObject({ status: "available" });
    const find = ["-rla", "taken-b6a1d0f3", path.join(directory, made.id)];
    expect(spawnSync("grep", find, { encoding: "utf8" }).stdout).toBe("");
    const archive = path.join(directory, made.id, "files.tar");
    const files = execFileSync("tar", ["--list", `--file=${archive}`], { encoding: "utf8" });
    expect(files).toContain("root/written");
    expect(files).not.toContain("instance.json");
    expect(await lab.predict(running, { do: "identity" })).toMatchObject({
      token: "taken-b6a1d0f3",
      instance: { id: identity.id },
      told: {},
    });
    await snapshotter.remove(made.id);
  });

  it("follows no link that the container laid in its way: nothing of the host is written", async () => {
    const running = await lab.start();
    const trap = await mkdtemp(path.join(tmpdir(), "byom-trap-"));
    const lay = `rm -rf /run/byom && mkdir -p ${trap} && ln -s ${trap} /run/byom`;
    execFileSync("docker", ["exec", running.containerId, "sh", "-c", lay]);
    const identity = identityOf(running.containerId);
    await expect(snapshotter.introduce({ ...running, identity }, { signal })).rejects.toThrow(
      "identity cannot be written",
    );
    expect(await readdir(trap)).toEqual([]);
    await rm(trap, { recursive: true });
  });

  it("asks no program of the host that a container's link names as a helper", async () => {
    const running = await lab.start();
    const trap = await mkdtemp(path.join(tmpdir(), "byom-trap-"));
    let called = 0;
    const server = createServer(() => (called += 1)).listen(path.join(trap, "host.sock"));
    const lay = `ln -s ${trap}/host.sock /run/byom/9.sock`;
    execFileSync("docker", ["exec", running.containerId, "sh", "-c", lay]);
    const otherKey = { ...key, weightsDigest: "sha256:trap" };
    const made = await snapshotter.capture({ ...running, key: otherKey }, { signal });
    expect(made).toMatchObject({ status: "available" });
    expect(called).toBe(0);
    server.close();
    await snapshotter.remove(made.id);
    await rm(trap, { recursive: true });
  });

  it("closes what the model had open to outside, tells every clone, and the model lives on", async () => {
    await using server = await listen();
    const running = await lab.start();
    const host = running.address.replace(/\d+:\d+$/, "1");
    await lab.predict(running, { do: "connect", host, port: server.port });
    const otherKey = { ...key, weightsDigest: "sha256:connected" };
    const made = await snapshotter.capture({ ...running, key: otherKey, warmUp }, { signal });
    expect(made).toMatchObject({ status: "available" });
    expect(await lab.engine.logs(running.containerId, { lines: 20, signal })).toContain(
      `byom: closed for the snapshot: ${host}:${server.port}.`,
    );
    const clone = await restore(made);
    const answer = await lab.predict(clone, { do: "identity" });
    expect(answer).toMatchObject({ told: { closedConnections: [`${host}:${server.port}`] } });
    await snapshotter.remove(made.id);
  });

  it("lets a model close its connection before and open another after, the original and each clone its own", async () => {
    await using server = await listen();
    const running = await lab.start();
    const ask = { do: "ask", host: running.address.replace(/\d+:\d+$/, "1"), port: server.port };
    expect(await lab.predict(running, ask)).toEqual({ answer: "connection 1" });
    const otherKey = { ...key, weightsDigest: "sha256:asked" };
    const made = await snapshotter.capture({ ...running, key: otherKey, warmUp }, { signal });
    expect(made).toMatchObject({ status: "available" });
    const clones = [await restore(made), await restore(made)];
    const answers = [];
    for (const each of [running, ...clones]) answers.push(await lab.predict(each, ask));
    expect(answers).toEqual([2, 3, 4].map((number) => ({ answer: `connection ${number}` })));
    expect(await lab.predict(running, ask)).toEqual({ answer: "connection 2" });
    const told = await lab.predict(clones[0] ?? running, { do: "identity" });
    expect(told).toMatchObject({ told: { closedConnections: [] } });
    await snapshotter.remove(made.id);
  });

  it("fails a capture with an open connection of another program, and names it", async () => {
    await using server = await listen();
    const running = await lab.start();
    const host = running.address.replace(/\d+:\d+$/, "1");
    await lab.predict(running, { do: "connect-elsewhere", host, port: server.port });
    const otherKey = { ...key, weightsDigest: "sha256:connected-elsewhere" };
    await server.connected;
    const failed = await snapshotter.capture({ ...running, key: otherKey }, { signal });
    expect(failed).toMatchObject({ status: "failed", sizeBytes: 0 });
    expect(failed.reason).toContain(`open connections: ${host}:${server.port}`);
    expect(await lab.predict(running, { do: "disconnect" })).toMatchObject({ seen: ["before"] });
  });
});

/** As the platform does it. */
async function restore(from: Snapshot): Promise<Running> {
  const containerId = await lab.engine.create(lab.spec(), { signal });
  await snapshotter.prepareRestore({ containerId, snapshot: from }, { signal });
  await lab.engine.start(containerId, { signal });
  expect(await snapshotter.outcome(containerId)).toMatchObject({ restored: true });
  const running = await lab.ready(containerId);
  const identity = identityOf(containerId);
  await snapshotter.prove({ ...running, snapshot: from, identity }, { signal });
  return running;
}

/** A server on the host that a container can reach. */
async function listen(): Promise<AsyncDisposable & { port: number; connected: Promise<void> }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    const answer = `connection ${sockets.push(socket)}`;
    socket.on("error", () => {}).on("data", () => socket.write(answer));
  }).listen(0, "0.0.0.0");
  const connected = new Promise<void>((resolve) => server.on("connection", () => resolve()));
  await new Promise((resolve) => server.on("listening", resolve));
  const { port } = server.address() as { port: number };
  return {
    port,
    connected,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function identityOf(containerId: string): InstanceIdentity {
  return {
    id: `i-${containerId.slice(0, 12)}`,
    containerId,
    modelId: "test/clone",
    version: 1,
    hostname: containerId.slice(0, 12),
    start: "restored",
    startedAt: new Date().toISOString(),
    environment: { MODE: `of ${containerId.slice(0, 12)}` },
    secrets: { TOKEN: `token of ${containerId.slice(0, 12)}` },
  };
}
