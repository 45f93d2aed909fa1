/** The Docker engine against an Engine API that answers as moby does, and fails on any call nobody expected. */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { release, tmpdir } from "node:os";
import { join } from "node:path";

import Docker from "dockerode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { containerOptions } from "../../../../runtime/engine/container-options.ts";
import { demultiplex } from "../../../../runtime/engine/docker-log.ts";
import { createDockerEngine } from "../../../../runtime/engine/docker.ts";
import type { ContainerSpec, Engine } from "../../../../runtime/engine/engine.ts";
import { EngineError } from "../../../../runtime/errors.ts";

const signal = new AbortController().signal;
const spec: ContainerSpec = {
  name: "byom-greeter-v1",
  imageId: "sha256:image",
  ociRuntime: "byom",
  labels: { "byom.model": "a/b" },
  environment: { MODE: "fast" },
  mounts: [{ source: "/data/weights", target: "/weights", isReadOnly: true }],
  network: "byom",
  memoryBytes: 2 ** 30,
  cpus: 1.5,
  pidsMax: 100,
};

describe("the container's options", () => {
  it("hold a model in: no new privileges, few capabilities, limits without swap, no init, no restarts", () => {
    expect(containerOptions(spec, { isPublished: false })).toEqual({
      name: "byom-greeter-v1",
      Image: "sha256:image",
      Labels: { "byom.model": "a/b" },
      Env: ["MODE=fast"],
      ExposedPorts: { "5000/tcp": {} },
      Tty: false,
      OpenStdin: false,
      HostConfig: {
        SecurityOpt: ["no-new-privileges:true"],
        CapDrop: ["ALL"],
        CapAdd: ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"],
        PidsLimit: 100,
        ShmSize: 2 ** 31,
        Memory: 2 ** 30,
        MemorySwap: 2 ** 30,
        NanoCpus: 1_500_000_000,
        Runtime: "byom",
        NetworkMode: "byom",
        Mounts: [{ Type: "bind", Source: "/data/weights", Target: "/weights", ReadOnly: true }],
        Init: false,
        RestartPolicy: { Name: "no" },
        LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      },
    });
  });

  it("publish on loopback only, and ask for the GPUs that are named", () => {
    const { HostConfig } = containerOptions({ ...spec, gpus: ["0", "1"] }, { isPublished: true });
    expect(HostConfig?.PortBindings).toEqual({
      "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }],
    });
    expect(HostConfig?.DeviceRequests).toEqual([
      { DeviceIDs: ["0", "1"], Capabilities: [["gpu"]] },
    ]);
  });
});

it("reads a multiplexed log in order", () => {
  const frame = (stream: number, text: string): Buffer => {
    const header = Buffer.alloc(8);
    header[0] = stream;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };
  expect(demultiplex(Buffer.concat([frame(1, "out\n"), frame(2, "é\n"), frame(1, "end\n")]))).toBe(
    "out\né\nend\n",
  );
  expect(demultiplex(Buffer.alloc(0))).toBe("");
});

describe("the engine", () => {
  let directory: string;
  let server: Server;
  let engine: Engine;
  /** `METHOD path` to answers, in order; the last one stays. */
  let answers: Record<string, readonly (readonly [number, unknown])[]>;
  let calls: string[];

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-engine-"));
    answers = { "GET /info": [[200, info({})]] };
    calls = [];
    server = createServer((request, response) => {
      const call = `${request.method} ${request.url?.replace(/\?.*$/, "")}`;
      calls.push(call);
      const [answer = [599, { message: `unexpected ${call}` }], ...rest] = answers[call] ?? [];
      if (rest.length > 0) answers[call] = rest;
      response.writeHead(answer[0], { "content-type": "application/json" });
      response.end(`${JSON.stringify(answer[1])}\r\n`);
    });
    const socketPath = join(directory, "docker.sock");
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    engine = createDockerEngine({ docker: new Docker({ socketPath }), isUnixSocket: true });
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await rm(directory, { recursive: true, force: true });
  });

  const info = (more: object): object => ({
    ServerVersion: "20.10.24",
    Runtimes: { runc: {}, byom: {} },
    CgroupVersion: "1",
    OperatingSystem: "Debian",
    KernelVersion: release(),
    DockerRootDir: tmpdir(),
    NCPU: 2,
    MemTotal: 1024,
    ...more,
  });
  const container = (more: object): object => ({
    Id: "abc",
    Name: "/byom-greeter-v1",
    Image: "sha256:image",
    Config: { Labels: { a: "b" } },
    State: { Status: "running", Pid: 42, OOMKilled: false, ExitCode: 0 },
    NetworkSettings: {
      Networks: { byom: { IPAddress: "172.18.0.2" } },
      Ports: { "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: "32768" }] },
    },
    ...more,
  });

  it("reaches containers by their own address on its own kernel", async () => {
    answers["GET /containers/abc/json"] = [[200, container({})]];
    expect(await engine.info({ signal })).toMatchObject({
      isLocal: true,
      runtimes: ["runc", "byom"],
    });
    expect(await engine.inspect("abc", { signal })).toEqual({
      id: "abc",
      name: "byom-greeter-v1",
      imageId: "sha256:image",
      labels: { a: "b" },
      status: "running",
      isOutOfMemory: false,
      pid: 42,
      address: "172.18.0.2:5000",
    });
  });

  it.each([
    { OperatingSystem: "Docker Desktop" },
    { KernelVersion: "other" },
    { DockerRootDir: "/nowhere" },
  ])(
    "goes through a published port, and claims no process, when it is elsewhere: %o",
    async (elsewhere) => {
      answers["GET /info"] = [[200, info(elsewhere)]];
      answers["GET /containers/abc/json"] = [[200, container({})]];
      const state = await engine.inspect("abc", { signal });
      expect(state).toMatchObject({ address: "127.0.0.1:32768" });
      expect(state).not.toHaveProperty("pid");
    },
  );

  it("makes its network once, closed between containers", async () => {
    answers["GET /networks/byom"] = [[404, { message: "network byom not found" }]];
    answers["POST /networks/create"] = [[201, { Id: "n" }]];
    answers["POST /containers/create"] = [[201, { Id: "abc" }]];
    expect(await engine.create(spec, { signal })).toBe("abc");
    await engine.create(spec, { signal });
    expect(calls.filter((call) => call.includes("networks"))).toEqual([
      "GET /networks/byom",
      "POST /networks/create",
    ]);
  });

  it("removes a container whose creation was interrupted: the engine makes it all the same", async () => {
    answers["GET /networks/byom"] = [[200, { Id: "n" }]];
    answers["POST /containers/create"] = [[201, { Id: "abc" }]];
    answers["DELETE /containers/abc"] = [[204, {}]];
    const controller = new AbortController();
    // Aborted while the engine has the request and has not answered yet.
    server.prependListener("request", ({ url }) => {
      if (url?.startsWith("/containers/create") === true) controller.abort(new Error("enough"));
    });
    await expect(engine.create(spec, { signal: controller.signal })).rejects.toThrow("enough");
    expect(calls.at(-1)).toBe("DELETE /containers/abc");
  });

  it("takes a container that is gone, or was stopped, for stopped and removed", async () => {
    answers["POST /containers/abc/stop"] = [
      [304, {}],
      [404, { message: "No such container: abc" }],
    ];
    answers["DELETE /containers/abc"] = [
      [404, { message: "No such container: abc" }],
      [409, { message: "removal of container abc is already in progress" }],
    ];
    answers["GET /containers/abc/json"] = [[404, { message: "No such container: abc" }]];
    await engine.stop("abc", { graceMs: 1, signal });
    await engine.stop("abc", { graceMs: 1, signal });
    await engine.remove("abc", { signal });
    await engine.remove("abc", { signal });
    expect(await engine.inspect("abc", { signal })).toBeUndefined();
  });

  it.each([
    [400, "Unknown runtime specified byom", "oci_runtime_missing"],
    [500, 'could not select device driver "" with capabilities: [[gpu]]', "gpu_unavailable"],
    [404, "No such image: sha256:image", "image_not_found"],
    [
      409,
      'Conflict. The container name "/a" is already in use by container "b"',
      "container_name_taken",
    ],
    [500, "no space left on device", "engine_failed"],
  ])("says what %i %j means", async (statusCode, message, code) => {
    answers["GET /networks/byom"] = [[200, {}]];
    answers["POST /containers/create"] = [[statusCode, { message }]];
    const error = await engine.create(spec, { signal }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({ code, statusCode });
    expect((error as Error).message).toBe(`cannot create container byom-greeter-v1: ${message}`);
  });

  it("pulls only what the engine does not have, and tells a failure inside the pull", async () => {
    const image = { imageId: "sha256:image", reference: "registry.example/a/b@sha256:d" };
    answers["GET /images/sha256:image/json"] = [
      [200, { Id: "sha256:image", Config: { Labels: null, Env: ["A=1"] } }],
    ];
    expect(await engine.ensureImage(image, { signal })).toEqual({
      imageId: "sha256:image",
      labels: {},
      environment: ["A=1"],
    });
    expect(calls).not.toContain("POST /images/create");
    answers["GET /images/sha256:image/json"] = [[404, { message: "No such image" }]];
    answers["POST /images/create"] = [[200, { error: "manifest unknown" }]];
    await expect(engine.ensureImage(image, { signal })).rejects.toMatchObject({
      code: "image_pull_failed",
    });
  });

  it("rejects with the caller's own reason when aborted", async () => {
    const reason = new Error("the user left");
    await expect(engine.start("abc", { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const controller = new AbortController();
    server.removeAllListeners("request");
    server.on("request", () => controller.abort(reason));
    await expect(engine.start("abc", { signal: controller.signal })).rejects.toBe(reason);
  });

  it("says that nobody answers", async () => {
    const docker = new Docker({ socketPath: join(directory, "absent.sock") });
    const absent = createDockerEngine({ docker, isUnixSocket: true });
    await expect(absent.info({ signal })).rejects.toMatchObject({
      code: "engine_unreachable",
      hint: expect.stringContaining("start the engine") as string,
    });
  });
});
