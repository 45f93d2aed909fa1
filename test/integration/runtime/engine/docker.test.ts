// The Docker engine as it is: limits that really hold, neighbours that cannot be reached, logs, and what is gone.
import Docker from "dockerode";
import { afterAll, describe, expect, it } from "vitest";

import { createDockerEngine } from "../../../../runtime/engine/docker.ts";
import type { ContainerSpec } from "../../../../runtime/engine/engine.ts";

const baseImage = "byom-base/python:3.11";
const network = "byom-test-engine";
const labels = { "byom.test": `engine-${process.pid}` };
const signal = AbortSignal.timeout(120_000);
const docker = new Docker();
const engine = createDockerEngine({ docker, isUnixSocket: true });
const image = await docker
  .getImage(baseImage)
  .inspect()
  .catch((error: Error) => error);
if (image instanceof Error) console.log(`skipped: engine integration: ${image.message}`);

/** Serves one byte on port 5000, as a model would. */
const serve =
  "import http.server; http.server.HTTPServer(('', 5000), http.server.SimpleHTTPRequestHandler).serve_forever()";
let serial = 0;
const images: string[] = [];

describe.skipIf(image instanceof Error)("the Docker engine", () => {
  afterAll(async () => {
    for (const { id } of await engine.list(labels, { signal })) await engine.remove(id, { signal });
    for (const id of images) await docker.getImage(id).remove();
    await docker.getNetwork(network).remove();
  });

  it("keeps instances apart on their network, each within its limits", async () => {
    const first = await run(serve);
    const address = await waitForAddress(first);
    await expect
      .poll(() =>
        fetch(`http://${address}/`).then(
          (r) => r.status,
          () => 0,
        ),
      )
      .toBe(200);
    const [host, port] = address.split(":");
    const second = await run(
      `import socket
try: socket.create_connection(("${host}", ${port}), 2); print("reached")
except OSError as error: print("apart:", error)
print(open("/proc/self/status").read())`,
    );
    const logs = await finished(second);
    expect(logs).toContain("apart:");
    expect(logs).toMatch(/NoNewPrivs:\s+1/);
    // CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID.
    expect(logs).toMatch(/CapEff:\s+00000000000000eb/);
  });

  it("tells an exit code, and holds a container to its memory limit", async () => {
    const exited = await run("raise SystemExit(7)");
    await finished(exited);
    expect(await engine.inspect(exited, { signal })).toMatchObject({
      status: "exited",
      exitCode: 7,
    });
    const hungry = await run("b = bytearray(1 << 30)\nfor i in range(0, 1 << 30, 4096): b[i] = 1");
    await finished(hungry);
    // Whether its flag for memory is set as well is a race in dockerd when the first process of a container dies of it;
    // for the processes of a model the runtime reads the cgroup's own count.
    expect(await engine.inspect(hungry, { signal })).toMatchObject({ exitCode: 137 });
  });

  it("pauses, finds by label, and removes what is gone without complaint", async () => {
    const id = await run(serve);
    await engine.pause(id, { signal });
    const found = await engine.list(labels, { signal });
    expect(found.find((state) => state.id === id)).toMatchObject({ status: "paused" });
    await engine.unpause(id, { signal });
    await engine.stop(id, { graceMs: 0, signal });
    await engine.stop(id, { graceMs: 0, signal });
    await engine.remove(id, { signal });
    await engine.remove(id, { signal });
    expect(await engine.inspect(id, { signal })).toBeUndefined();
  });
});

async function run(code: string): Promise<string> {
  serial += 1;
  const spec: ContainerSpec = {
    name: `byom-test-engine-${process.pid}-${serial}`,
    imageId: await imageRunning(code),
    labels,
    environment: {},
    mounts: [],
    network,
    memoryBytes: 128 << 20,
    pidsMax: 64,
  };
  const id = await engine.create(spec, { signal });
  await engine.start(id, { signal });
  return id;
}

/** The base image with this Python program as its command: committed, not built. */
async function imageRunning(code: string): Promise<string> {
  const container = await docker.createContainer({ Image: baseImage, Cmd: ["true"] });
  const change = `CMD ${JSON.stringify(["python3", "-u", "-c", code])}`;
  const committed = (await container.commit({ changes: change })) as { Id: string };
  await container.remove();
  images.push(committed.Id);
  return committed.Id;
}

async function waitForAddress(id: string): Promise<string> {
  const state = await engine.inspect(id, { signal });
  if (state?.address === undefined) throw new Error("the container has no address");
  return state.address;
}

async function finished(id: string): Promise<string> {
  await docker.getContainer(id).wait();
  return await engine.logs(id, { lines: 100, signal });
}
