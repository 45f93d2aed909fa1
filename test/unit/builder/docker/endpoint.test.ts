import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { connectEngine, EngineUnavailableError } from "../../../../builder/index.ts";
import { findEndpoints } from "../../../../builder/docker/endpoint.ts";
import { startFakeEngine } from "../../../support/fake-engine.ts";

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "byom-test-home-"));
});

afterEach(async () => {
  await rm(home, { recursive: true, force: true });
});

async function writeContext(name: string, host: string): Promise<string> {
  const id = createHash("sha256").update(name).digest("hex");
  const folder = join(home, ".docker", "contexts", "meta", id);
  await mkdir(folder, { recursive: true });
  const meta = { Name: name, Endpoints: { docker: { Host: host } } };
  await writeFile(join(folder, "meta.json"), JSON.stringify(meta));
  return id;
}

async function writeConfig(config: unknown): Promise<void> {
  await mkdir(join(home, ".docker"), { recursive: true });
  await writeFile(join(home, ".docker", "config.json"), JSON.stringify(config));
}

test("DOCKER_HOST alone decides, as for the docker command: no build lands on another engine", async () => {
  await writeContext("remote", "tcp://10.0.0.1:2376");
  await writeConfig({ currentContext: "remote" });
  const environment = { HOME: home, DOCKER_HOST: "tcp://10.9.9.9:2375" };
  expect(await findEndpoints(environment)).toEqual([
    { address: "tcp://10.9.9.9:2375", source: "DOCKER_HOST" },
  ]);
});

test("the chosen context is used, with its certificates", async () => {
  const id = await writeContext("remote", "tcp://10.0.0.1:2376");
  await writeConfig({ currentContext: "remote" });
  expect(await findEndpoints({ HOME: home })).toEqual([
    {
      address: "tcp://10.0.0.1:2376",
      source: 'Docker context "remote"',
      certificates: join(home, ".docker", "contexts", "tls", id, "docker"),
    },
  ]);
});

test("DOCKER_CONTEXT goes before the configured context, DOCKER_CONFIG moves the folder", async () => {
  await writeContext("lab", "unix:///run/lab.sock");
  await writeConfig({ currentContext: "other" });
  const environment = {
    HOME: "/nowhere",
    DOCKER_CONFIG: join(home, ".docker"),
    DOCKER_CONTEXT: "lab",
  };
  expect(await findEndpoints(environment)).toEqual([
    { address: "unix:///run/lab.sock", source: 'Docker context "lab"' },
  ]);
});

test("without a word from the user the usual sockets are tried: system, rootless, Docker Desktop", async () => {
  await writeConfig({ currentContext: "default" });
  const found = await findEndpoints({ HOME: home, XDG_RUNTIME_DIR: "/run/user/1000" });
  expect(found.map(({ address }) => address)).toEqual([
    "unix:///var/run/docker.sock",
    "unix:///run/user/1000/docker.sock",
    `unix://${home}/.docker/run/docker.sock`,
  ]);
});

test("a config file that is no JSON hides no engine", async () => {
  await mkdir(join(home, ".docker"));
  await writeFile(join(home, ".docker", "config.json"), "{");
  expect(await findEndpoints({ HOME: home })).toHaveLength(2);
});

test("an engine that answers is connected", async () => {
  await using fake = await startFakeEngine({});
  expect(fake.engine).toMatchObject({ version: "99.0", publishedHost: "127.0.0.1" });
});

test("no engine: the error names every place that was tried and the command that helps", async () => {
  const socket = join(home, "nothing.sock");
  const error: unknown = await connectEngine({
    environment: { DOCKER_HOST: `unix://${socket}` },
  }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(EngineUnavailableError);
  expect(error).toMatchObject({
    code: "ENGINE_UNAVAILABLE",
    hint: expect.stringContaining("byom host setup"),
    tried: [{ endpoint: `unix://${socket} from DOCKER_HOST`, problem: "nothing listens there" }],
  });
});

test("a context that does not exist is said to be missing instead of silently replaced", async () => {
  await expect(
    connectEngine({ environment: { HOME: home, DOCKER_CONTEXT: "gone" } }),
  ).rejects.toThrow('context:gone from Docker context "gone"');
});
