import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { listEngineAddresses } from "../../../../host/engine/address.ts";

const signal = new AbortController().signal;
let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "byom-home-"));
  const folder = createHash("sha256").update("gpu-box").digest("hex");
  const meta = join(home, ".docker/contexts/meta", folder);
  await mkdir(meta, { recursive: true });
  const host = "ssh://ada@gpu-box";
  await writeFile(
    join(meta, "meta.json"),
    JSON.stringify({ Endpoints: { docker: { Host: host } } }),
  );
});
afterEach(async () => {
  await rm(home, { recursive: true });
});

it("DOCKER_HOST is the only engine that is tried", async () => {
  const environment = { HOME: home, DOCKER_HOST: "tcp://far:2375", DOCKER_CONTEXT: "gpu-box" };
  expect(await listEngineAddresses(environment, { signal })).toEqual([
    { host: "tcp://far:2375", source: "DOCKER_HOST", isExplicit: true },
  ]);
});

it("the docker CLI's current context is followed", async () => {
  await writeFile(join(home, ".docker/config.json"), '{"currentContext":"gpu-box"}');
  expect(await listEngineAddresses({ HOME: home }, { signal })).toEqual([
    { host: "ssh://ada@gpu-box", source: "context gpu-box", isExplicit: true },
  ]);
});

it("the default context and a broken configuration mean the usual sockets, the system's first", async () => {
  for (const text of ['{"currentContext":"default"}', "{"]) {
    await writeFile(join(home, ".docker/config.json"), text);
    const addresses = await listEngineAddresses(
      { HOME: home, XDG_RUNTIME_DIR: "/run/user/7" },
      { signal },
    );
    expect(addresses.slice(0, 2).map((address) => address.host)).toEqual([
      "unix:///var/run/docker.sock",
      "unix:///run/user/7/docker.sock",
    ]);
    expect(addresses.every((address) => !address.isExplicit)).toBe(true);
  }
});
