// What a model's author does on one machine, without the platform. If one of these fails, `byom` is no substitute for
// `cog` at the desk.
import { randomFillSync } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom } from "../support/byom.ts";
import { listContainers } from "../support/containers.ts";
import { createModelRepo, type ModelRepo } from "../support/model-repo.ts";
import { removeImage } from "../support/images.ts";

const imageName = "byom-test/local-run:latest";
/** More than the 64 MiB from which a weights file is a layer of its own. */
const weightsBytes = 70 * 1024 ** 2;

interface Built {
  readonly id: string;
  readonly weightsDigest: string;
  readonly layers: readonly { kind: string; digest: string; size: number }[];
}

let byom: Byom;
let withoutDocker: Byom;
let repo: ModelRepo;

beforeAll(async () => {
  byom = await createByom();
  withoutDocker = await createByom({ DOCKER_HOST: "unix:///nonexistent/docker.sock" });
  repo = await createModelRepo({
    "cog.yaml": 'build:\n  python_version: "3.11"\nrun: run.py:Runner\n',
    "run.py": runner("hello"),
    "weights/model.safetensors": randomFillSync(Buffer.alloc(weightsBytes)),
  });
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await withoutDocker[Symbol.asyncDispose]();
  await repo[Symbol.asyncDispose]();
  await removeImage(imageName);
});

describe("without Docker", () => {
  it("writes a model repo and plans it", async () => {
    const directory = join(withoutDocker.dataDirectory, "my-model");
    const { files } = await withoutDocker.json<{ files: string[] }>("init", directory);
    expect(files).toContain("cog.yaml");
    const plan = await withoutDocker.json("-C", directory, "plan");
    expect(plan).toMatchObject({ platform: "linux/amd64", problems: [] });
    expect(plan["openApiSchema"]).toBeDefined();
  });

  it("says that the engine is missing when it is needed, and how to get one", async () => {
    const { exitCode, stdout } = await withoutDocker.run("-C", repo.directory, "build", "--json");
    expect(exitCode).toBe(1);
    const { error } = JSON.parse(stdout) as { error: { message: string; hint: string } };
    expect(error.message).toContain("/nonexistent/docker.sock");
    expect(error.hint).not.toBe("");
  });
});

describe("byom run", () => {
  it("refuses an input that the model does not have before anything is built", async () => {
    const { exitCode, stdout, stderr } = await withoutDocker.run(
      "-C",
      repo.directory,
      "run",
      "-i",
      "nmae=x",
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain('unknown input "nmae"');
    expect(stderr).toContain("name");
  });

  it("prints the result alone on stdout, and leaves no container", async () => {
    const before = await listContainers("byom.role=run");
    const { exitCode, stdout, stderr } = await byom.run(...inRepo("run"), "-i", "name=Ada");
    expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 0, stdout: "hello Ada\n" });
    expect(stderr).not.toContain("hello Ada");
    expect(await listContainers("byom.role=run")).toEqual(before);
  });

  it("shows the model's own error, and fails", async () => {
    const { exitCode, stdout, stderr } = await byom.run(...inRepo("run"), "-i", "name=nobody");
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("nobody is there");
  });
});

describe("byom build", () => {
  it("says unchanged when nothing changed, and makes the same image", async () => {
    const first = await build();
    const { exitCode, stdout, stderr } = await byom.run(...inRepo("build"), "--json");
    expect(exitCode).toBe(0);
    expect((JSON.parse(stdout) as Built).id).toBe(first.id);
    expect(stderr).toContain("environment: unchanged");
    expect(stderr).toContain("image: unchanged");
  });

  it("keeps the weights in a layer of their own that a code edit does not move", async () => {
    const before = await build();
    await repo.write("run.py", runner("good morning"));
    const after = await build();
    expect(before.layers.map(({ kind }) => kind)).toEqual(["weights", "code"]);
    expect(before.layers[0]?.size).toBeGreaterThan(weightsBytes);
    expect(after.layers[0]).toEqual(before.layers[0]);
    expect(after.weightsDigest).toBe(before.weightsDigest);
    expect(after.layers[1]?.digest).not.toBe(before.layers[1]?.digest);
    expect(after.layers[1]?.size).toBeLessThan(100_000);
    expect(after.id).not.toBe(before.id);
  });

  it("makes another layer of weights that changed", async () => {
    const before = await build();
    const path = join(repo.directory, "weights/model.safetensors");
    const bytes = await readFile(path);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    await writeFile(path, bytes);
    const after = await build();
    expect(after.layers[0]?.digest).not.toBe(before.layers[0]?.digest);
    expect(after.layers[1]).toEqual(before.layers[1]);
  });

  it("makes an image that answers Cog's HTTP API under plain Docker", async () => {
    await repo.write("run.py", runner("good morning"));
    await build();
    await using container = await runPlainly(imageName);
    const health = async (): Promise<unknown> =>
      await fetch(`${container.origin}/health-check`).then(
        async (response) => ((await response.json()) as { status: string }).status,
        () => "unreachable",
      );
    await expect.poll(health, { timeout: 30_000 }).toBe("READY");
    const answer = await fetch(`${container.origin}/predictions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ input: { name: "Docker" } }),
    });
    expect(await answer.json()).toMatchObject({
      status: "succeeded",
      output: "good morning Docker",
    });
    const schema = await fetch(`${container.origin}/openapi.json`);
    expect(JSON.stringify(await schema.json())).toContain('"name"');
  });
});

/** Its greeting is what a code edit changes. */
function runner(greeting: string): string {
  return `from cog import BaseRunner, Input


class Runner(BaseRunner):
    def setup(self) -> None:
        with open("weights/model.safetensors", "rb") as file:
            assert len(file.read(16)) == 16

    def run(self, name: str = Input(description="Who to greet")) -> str:
        if name == "nobody":
            raise ValueError("nobody is there")
        return f"${greeting} {name}"
`;
}

function inRepo(command: string): string[] {
  return ["-C", repo.directory, command, "-t", imageName];
}

async function build(): Promise<Built> {
  return await byom.json<Built>(...inRepo("build"));
}

/** As `docker run -p 127.0.0.1::5000 IMAGE` would: nothing of byom takes part. */
async function runPlainly(image: string): Promise<{ origin: string } & AsyncDisposable> {
  const container = await new Docker().createContainer({
    Image: image,
    ExposedPorts: { "5000/tcp": {} },
    HostConfig: { PortBindings: { "5000/tcp": [{ HostIp: "127.0.0.1", HostPort: "" }] } },
  });
  const dispose = async (): Promise<void> => {
    await container.remove({ force: true, v: true });
  };
  try {
    await container.start();
    const { NetworkSettings } = await container.inspect();
    const port = NetworkSettings.Ports["5000/tcp"]?.[0]?.HostPort;
    return { origin: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
