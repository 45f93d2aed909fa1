// The wait for a model at zero, with a real coglet in a real container that takes its time to set up: what a caller is
// told meanwhile and afterwards, how long it is held, and what becomes of the start when it is not held any longer.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";

import Docker from "dockerode";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";

import { createCatalog } from "../../../cli/catalog.ts";
import { createGateway, type Gateway } from "../../../gateway/index.ts";
import { createDockerEngine } from "../../../runtime/engine/docker.ts";
import { createRuntime, openStore, type Runtime, type Store } from "../../../runtime/index.ts";
import { MemoryPredictions } from "../../unit/gateway/harness.ts";
import { ensureCogletImage } from "../runtime/coglet-image.ts";

const docker = new Docker();
const signal = new AbortController().signal;
const modelId = "byom-test/sleeper";
const network = "byom-test-cold";
const setupSeconds = 3;
const dataDirectory = mkdtempSync(path.join(tmpdir(), "byom-cold-"));
let store: Store;
let runtime: Runtime;
const running: { gateway: Gateway; server: Server }[] = [];

beforeAll(async () => {
  const imageId = await ensureCogletImage(docker);
  store = openStore({ dataDirectory });
  const refuse = (): Promise<never> => Promise.reject(new Error("this host cannot snapshot"));
  runtime = createRuntime({
    engine: createDockerEngine({ docker, isUnixSocket: true }),
    snapshotter: {
      capability: { isAvailable: false, reason: "turned off in this test" },
      key: refuse,
      find: refuse,
      capture: refuse,
      prepareRestore: refuse,
      outcome: refuse,
      forget: () => Promise.resolve(),
      prove: refuse,
      introduce: () => Promise.resolve(),
      quarantine: refuse,
      list: () => Promise.resolve([]),
      remove: refuse,
      verify: refuse,
    },
    store,
    network,
  });
  await runtime.start({ signal });
  await runtime.deploy(
    {
      modelId,
      image: { imageId, reference: `registry.invalid/byom-test/sleeper@${imageId}` },
      weightsDigest: "sha256:none",
      example: { input: { text: "you" } },
      settings: { environment: { TEST_SETUP_SECONDS: String(setupSeconds) } },
    },
    { signal },
  );
});

afterEach(async () => {
  for (const { gateway, server } of running.splice(0)) {
    await gateway.close({ signal: AbortSignal.timeout(10_000) });
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
  await runtime.scaleToZero(modelId, { tier: "stopped" });
});

afterAll(async () => {
  await runtime.down({ signal });
  store.close();
  rmSync(dataDirectory, { recursive: true, force: true });
  await docker.getNetwork(network).remove();
});

/** The gateway before the runtime, with its own bound on the wait; resolves with its URL. */
async function listen(startMs?: number): Promise<string> {
  const gateway = createGateway({
    upstream: { acquire: (id, options) => runtime.acquire(id, options) },
    catalog: createCatalog(runtime),
    keys: { verify: () => ({ id: "key-1", name: "app", scopes: ["call"] }) },
    predictions: new MemoryPredictions(),
    dataDirectory: mkdtempSync(path.join(dataDirectory, "gateway-")),
    // A head at once, so that the whole wait is told.
    deadlines: { commitMs: 100 },
    ...(startMs !== undefined && { policy: { deadlines: { startMs } } }),
  });
  const server = createServer((request, response) => void gateway.handle(request, response));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  running.push({ gateway, server });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const headers = { authorization: "Bearer key", "content-type": "application/json" };
const body = JSON.stringify({ input: { text: "you" } });

const call = (url: string): Promise<Response> =>
  fetch(`${url}/models/${modelId}/predictions`, { method: "POST", headers, body });

/** What a caller who streams reads, comments and all. */
async function stream(url: string): Promise<string> {
  const created = await fetch(`${url}/v1/models/${modelId}/predictions`, {
    method: "POST",
    headers,
    body,
  });
  const { id } = (await created.json()) as { id: string };
  const response = await fetch(`${url}/v1/predictions/${id}/stream`, {
    headers: { ...headers, accept: "text/event-stream" },
  });
  return await response.text();
}

describe("a model at zero", () => {
  test("tells a caller who streams each step of its start, and one who joins it how long it waited", async () => {
    const url = await listen();
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    const before = await starts();
    const [text, plain] = await Promise.all([stream(url), call(url)]);
    const comments = text.split("\n").filter((line) => line.startsWith(": "));
    const steps = comments.flatMap((line) => /step=([\w-]+)/.exec(line)?.[1] ?? []);
    expect(steps).toContain("setup");
    expect(comments.some((line) => /^: starting; mode=cold; step=setup; ms=\d+$/.test(line))).toBe(
      true,
    );
    expect(text).toContain("hello you");
    expect(await plain.json()).toMatchObject({ status: "succeeded", output: "hello you" });
    expect(Number(plain.headers.get("x-byom-wait-ms"))).toBeGreaterThan(setupSeconds * 500);
    expect(plain.headers.get("x-byom-wait")).toMatch(/cold-setup;dur=\d/);
    expect(await starts()).toBe(before + 1);
    const warm = await call(url);
    expect(warm.headers.get("x-byom-start")).toBe("running");
    expect(warm.headers.get("x-byom-wait-ms")).toBeNull();
  });

  test("holds a caller no longer than the bound, and goes on starting for the one who comes back", async () => {
    const url = await listen(500);
    await runtime.scaleToZero(modelId, { tier: "stopped" });
    const before = await starts();
    const refused = await call(url);
    expect(refused.status).toBe(503);
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await refused.text()).toContain("did not start within 500 ms");
    await expect
      .poll(() => runtime.model(modelId).instances.map(({ state }) => state), { timeout: 30_000 })
      .toEqual(["ready"]);
    const again = await call(url);
    expect(await again.json()).toMatchObject({ status: "succeeded" });
    expect(await starts()).toBe(before + 1);
  });
});

/** Containers that were started for the model so far, by its instances' ids. */
const seen = new Set<string>();
function starts(): Promise<number> {
  for (const { id } of runtime.model(modelId).instances) seen.add(id);
  return Promise.resolve(seen.size);
}
