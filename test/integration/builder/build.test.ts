import { execFile } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp, readFile, rm, truncate, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  buildImage,
  connectEngine,
  EnvironmentBuildError,
  loadHostTrust,
  predict,
  pushBuiltImage,
  startLocalContainer,
} from "../../../builder/index.ts";
import type { BuilderEvent, DockerEngine, Image, PredictionEvent } from "../../../builder/index.ts";
import { createRegistryClient, isImageIndex } from "../../../registry-client/index.ts";
import { ensureBaseImage } from "../../support/base-image.ts";
import { createModelRepo } from "../../support/model-repo.ts";
import type { ModelRepo } from "../../support/model-repo.ts";
import { findProgram, startRegistry } from "../../support/registry.ts";

/**
 * The builder on the real parts: a model repo becomes an image with BuildKit and our own layers, runs, goes to a
 * registry and comes back the same. One environment serves all tests; it is built once.
 */

const run = promisify(execFile);
const suffix = randomUUID().slice(0, 8);
const imageName = `byom-test-build-${suffix}`;

const predictor = `
import hashlib
import cog
from cog import BaseRunner, ConcatenateIterator, Input

class Runner(BaseRunner):
    def setup(self):
        with open("weights/model.safetensors", "rb") as file:
            self.key = hashlib.sha256(file.read(1024)).hexdigest()[:8]

    @cog.streaming
    def run(self, name: str = Input(description="who to greet")) -> ConcatenateIterator[str]:
        print("greeting", name)
        for word in ["hello ", name]:
            yield word
`;

const cogYaml = `build:\n  python_version: "3.11"\nrun: run.py:Runner\n`;

let engine: DockerEngine;
let dataDirectory: string;
let repo: ModelRepo;
let image: Image;
const removable = new Set<string>([`${imageName}:latest`]);

beforeAll(async () => {
  await ensureBaseImage();
  engine = await connectEngine({ environment: process.env });
  dataDirectory = await mkdtemp(join(tmpdir(), "byom-test-data-"));
  repo = await createModelRepo({
    "cog.yaml": cogYaml,
    "run.py": predictor,
    "weights/model.safetensors": randomBytes(1024),
  });
  // Sparse: 128 MiB that cost no disk, large enough to be a layer of its own.
  await truncate(join(repo.directory, "weights/model.safetensors"), 128 * 1024 ** 2);
  image = await build(repo);
});

afterAll(async () => {
  for (const name of removable) await removeImage(name);
  await repo?.[Symbol.asyncDispose]();
  await rm(dataDirectory, { recursive: true, force: true });
});

async function build(
  source: ModelRepo,
  options: { events?: BuilderEvent[]; name?: string; signal?: AbortSignal } = {},
): Promise<Image> {
  const built = await buildImage({
    plan: await source.plan(options.name ?? imageName),
    engine,
    dataDirectory,
    trust: await loadHostTrust({ environment: process.env }),
    onEvent: (event) => options.events?.push(event),
    signal: options.signal,
  });
  // A later build takes the name; the image stays under its ID.
  removable.add(built.id);
  return built;
}

async function removeImage(name: string): Promise<void> {
  await engine.docker
    .getImage(name)
    .remove({ force: true })
    .catch(() => undefined);
}

function typesOf(events: readonly BuilderEvent[]): string[] {
  return events.map(({ type }) => type);
}

function digestsOf(built: Image): string[] {
  return built.layers.map(({ source }) => source.descriptor.digest);
}

describe("build", () => {
  test("gives the engine an image whose ID is the digest of our config and whose labels describe the model", async () => {
    const inspected = await engine.docker.getImage(`${imageName}:latest`).inspect();
    expect(inspected.Id).toBe(image.id);
    expect(image.layers.map(({ kind }) => kind)).toEqual(["weights", "code"]);
    expect(inspected.RootFS.Layers).toEqual([...image.environment.diffIds, ...digestsOf(image)]);
    const labels = inspected.Config.Labels;
    expect(labels["run.cog.version"]).toBeDefined();
    expect(labels["run.cog.pip_freeze"]).toContain("coglet==");
    expect(JSON.parse(labels["run.cog.openapi_schema"] ?? "")).toHaveProperty("openapi");
    expect(labels["byom.weights.digest"]).toBe(image.weightsDigest);
  });

  test("does nothing when nothing changed: no build, no byte hashed, nothing loaded", async () => {
    // A file written in the same clock step as its hash is not trusted; let the first build's files grow old.
    await build(repo);
    const events: BuilderEvent[] = [];
    const again = await build(repo, { events });
    expect(again.id).toBe(image.id);
    expect(typesOf(events)).toEqual(["environment-end", "image-load-end"]);
    expect(events).toMatchObject([{ isCached: true }, { isCached: true }]);
  });

  test("keeps every digest when files are only touched", async () => {
    const now = new Date();
    await utimes(join(repo.directory, "run.py"), now, now);
    await utimes(join(repo.directory, "weights/model.safetensors"), now, now);
    expect((await build(repo)).id).toBe(image.id);
  });

  test("a code edit changes the code layer alone and moves no weight", async () => {
    await repo.write("run.py", `${predictor}# edited\n`);
    const events: BuilderEvent[] = [];
    const edited = await build(repo, { events });
    expect(edited.environment).toEqual(image.environment);
    expect(edited.weightsDigest).toBe(image.weightsDigest);
    expect(digestsOf(edited)[0]).toBe(digestsOf(image)[0]);
    expect(digestsOf(edited)[1]).not.toBe(digestsOf(image)[1]);
    expect(typesOf(events)).not.toContain("environment-start");
    const load = events.find((event) => event.type === "image-load-start");
    expect(load?.sizeBytes).toBeLessThan(1024 ** 2);
    await repo.write("run.py", predictor);
    expect((await build(repo)).id).toBe(image.id);
  });

  test("gives the same image from a clone of the repo elsewhere", async () => {
    await using clone = await createModelRepo({
      "cog.yaml": cogYaml,
      "run.py": predictor,
      "weights/model.safetensors": await readFile(
        join(repo.directory, "weights/model.safetensors"),
      ),
    });
    const built = await build(clone);
    expect(digestsOf(built)).toEqual(digestsOf(image));
    expect(built.id).toBe(image.id);
  });

  test("runs: streams its output and says what it printed", async () => {
    await build(repo);
    await using container = await startLocalContainer({ engine, imageName });
    const events: PredictionEvent[] = [];
    const prediction = await predict({
      origin: container.origin,
      input: { name: "Ada" },
      onEvent: (event) => events.push(event),
    });
    expect(prediction.status).toBe("succeeded");
    expect(events.filter(({ type }) => type === "output")).toEqual([
      { type: "output", chunk: "hello " },
      { type: "output", chunk: "Ada" },
    ]);
    await expect(predict({ origin: container.origin, input: {} })).rejects.toMatchObject({
      code: "PREDICTION_REQUEST",
      statusCode: 422,
    });
    await container.stop();
    const left = await engine.docker.listContainers({
      all: true,
      filters: { id: [container.containerId] },
    });
    expect(left).toEqual([]);
  });

  test("a model whose setup() raises is reported with its traceback and leaves no container", async () => {
    await using broken = await createModelRepo({
      "cog.yaml": cogYaml,
      "run.py": predictor.replace("self.key =", "raise RuntimeError('no such weights') #"),
      "weights/model.safetensors": randomBytes(1024),
    });
    const name = `${imageName}-broken`;
    removable.add(`${name}:latest`);
    await build(broken, { name });
    await expect(startLocalContainer({ engine, imageName: name })).rejects.toMatchObject({
      code: "CONTAINER_SETUP",
      logs: expect.stringContaining("no such weights"),
    });
    const left = await engine.docker.listContainers({ all: true, filters: { ancestor: [name] } });
    expect(left).toEqual([]);
  });

  test("a package that does not exist fails with pip's own last lines and a hint", async () => {
    await using wrong = await createModelRepo({
      "cog.yaml": `${cogYaml}`.replace(
        "run:",
        "  python_packages:\n    - byom-no-such-package==9.9.9\nrun:",
      ),
      "run.py": predictor,
    });
    const error: unknown = await build(wrong, { name: `${imageName}-wrong` }).catch(
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(EnvironmentBuildError);
    const { log, step, hint } = error as EnvironmentBuildError;
    expect(step).toContain("pip install");
    expect(log.join("\n")).toContain("No matching distribution found for byom-no-such-package");
    expect(hint).toContain("cog.yaml");
  });

  test("installs what uv.lock says, and uv is not in the image", async () => {
    const digest = "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274";
    const wheel =
      "https://files.pythonhosted.org/packages/b7/ce/149a00dd41f10bc29e5921b496af8b574d8413afcd5e30dfa0ed46c2cc5e/" +
      "six-1.17.0-py2.py3-none-any.whl";
    await using source = await createModelRepo({
      "cog.yaml": 'build:\n  python_version: "3.11"\n',
      "pyproject.toml":
        '[project]\nname = "model"\nversion = "0.1"\nrequires-python = ">=3.11"\ndependencies = ["six"]\n',
      "uv.lock": `version = 1
revision = 5
requires-python = ">=3.11"

[[package]]
name = "model"
version = "0.1"
source = { virtual = "." }
dependencies = [
    { name = "six" },
]

[package.metadata]
requires-dist = [{ name = "six" }]

[[package]]
name = "six"
version = "1.17.0"
source = { registry = "https://pypi.org/simple" }
wheels = [
    { url = "${wheel}", hash = "sha256:${digest}", size = 11050 },
]
`,
    });
    const name = `${imageName}-lock`;
    removable.add(`${name}:latest`);
    await build(source, { name });
    const list = ["docker", "run", "--rm", name, "python", "-m", "pip", "freeze"] as const;
    const { stdout } = await run(list[0], list.slice(1));
    expect(stdout).toMatch(/^six==1\.17\.0$/m);
    expect(stdout).not.toMatch(/^uv==/m);
  });

  test("an aborted build stops with the abort's reason and leaves neither image nor lock", async () => {
    await using slow = await createModelRepo({
      "cog.yaml": cogYaml.replace("run:", `  run:\n    - "sleep 120; echo ${suffix}"\nrun:`),
      "run.py": predictor,
    });
    const controller = new AbortController();
    const reason = new Error("stopped by the test");
    const name = `${imageName}-slow`;
    const building = buildImage({
      plan: await slow.plan(name),
      engine,
      dataDirectory,
      trust: await loadHostTrust({ environment: process.env }),
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === "environment-step-start" && event.name.includes("sleep 120"))
          controller.abort(reason);
      },
    });
    await expect(building).rejects.toBe(reason);
    const images = await engine.docker.listImages({ filters: { reference: [name] } });
    expect(images).toEqual([]);
  });
});

describe.skipIf(findProgram("docker-registry") === undefined)("push", () => {
  test("puts an image into a registry that others pull byte for byte, and moves nothing twice", async () => {
    await using registry = await startRegistry();
    await using client = createRegistryClient({ registry: registry.host });
    const built = await build(repo);
    const push = async (
      repository: string,
      events: BuilderEvent[] = [],
    ): ReturnType<typeof pushBuiltImage> =>
      await pushBuiltImage({
        image: built,
        engine,
        client,
        repository,
        tag: "v1",
        dataDirectory,
        onEvent: (event) => events.push(event),
      });
    const first = await push("acme/greeter");
    expect(first.uploadedBytes).toBeGreaterThan(128 * 1024 ** 2);
    const { manifest } = await client.getManifest("acme/greeter", "v1");
    if (isImageIndex(manifest)) throw new Error("a single image was pushed as an index");
    expect(manifest.config.digest).toBe(built.id);
    expect(manifest.layers.map(({ digest }) => digest)).toEqual([
      ...built.environment.diffIds,
      ...digestsOf(built),
    ]);

    const events: BuilderEvent[] = [];
    const second = await push("acme/greeter", events);
    expect(second).toMatchObject({ digest: first.digest, uploadedBytes: 0 });
    expect(typesOf(events)).toEqual(["image-push-end"]);

    const elsewhere: BuilderEvent[] = [];
    await push("acme/other", elsewhere);
    expect(typesOf(elsewhere)).not.toContain("environment-export-start");

    if (findProgram("skopeo") === undefined) return;
    const copied = join(registry.directory, "copied");
    const from = `docker://${registry.host}/acme/greeter@${first.digest}`;
    await run("skopeo", ["copy", "--src-tls-verify=false", from, `oci:${copied}:v1`]);
    const { stdout } = await run("skopeo", ["inspect", "--raw", `oci:${copied}:v1`]);
    expect(JSON.parse(stdout)).toMatchObject({ config: { digest: built.id } });
  });
});
