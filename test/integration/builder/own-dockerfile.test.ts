import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  buildImage,
  connectEngine,
  createPlan,
  loadConfig,
  loadHostTrust,
  predict,
  requireConfig,
  startLocalContainer,
} from "../../../builder/index.ts";
import type { BuilderEvent, DockerEngine, Image } from "../../../builder/index.ts";
import { baseImage, ensureBaseImage } from "../../support/base-image.ts";
import { createModelRepo } from "../../support/model-repo.ts";
import type { ModelRepo } from "../../support/model-repo.ts";

/** A repo that brings its own Dockerfile keeps everything that it does there, and is a model like any other on top. */

const run = promisify(execFile);
const imageName = `byom-test-dockerfile-${randomUUID().slice(0, 8)}`;
const made = new Set<string>([imageName]);

let engine: DockerEngine;
let dataDirectory: string;
let repo: ModelRepo;

beforeAll(async () => {
  await ensureBaseImage();
  engine = await connectEngine({ environment: process.env });
  dataDirectory = await mkdtemp(join(tmpdir(), "byom-test-data-"));
  repo = await createModelRepo({
    "cog.yaml": 'build:\n  python_version: "3.11"\nrun: run.py:Runner\n',
    "docker/Dockerfile": [
      `FROM ${baseImage} AS tools`,
      "RUN echo tools > /tools.txt",
      `FROM ${baseImage}`,
      "COPY --from=tools /tools.txt /opt/tools.txt",
      "COPY data.txt /opt/data.txt",
      "RUN useradd --create-home app",
      "ENV GREETING=hello",
      "USER app",
    ].join("\n"),
    // Docker takes the Dockerfile itself whatever is ignored.
    ".dockerignore": "docker\nsecret.txt\n",
    "data.txt": "one",
    "secret.txt": "hidden",
    "run.py": [
      "import getpass, os",
      "from cog import BaseRunner",
      "class Runner(BaseRunner):",
      "    def run(self, name: str) -> str:",
      "        read = lambda path: open(path).read().strip()",
      "        words = [name, os.environ['GREETING'], read('/opt/tools.txt'), read('/opt/data.txt')]",
      "        return ' '.join([*words, getpass.getuser()])",
    ].join("\n"),
  });
});

afterAll(async () => {
  for (const name of made) {
    await engine.docker
      .getImage(name)
      .remove({ force: true })
      .catch(() => undefined);
  }
  await repo?.[Symbol.asyncDispose]();
  await rm(dataDirectory, { recursive: true, force: true });
});

async function build(): Promise<{
  readonly image: Image;
  readonly events: readonly BuilderEvent[];
}> {
  const { directory } = repo;
  const config = requireConfig(await loadConfig({ directory }));
  const dockerfile = { value: "docker/Dockerfile", reason: "test" };
  const events: BuilderEvent[] = [];
  const image = await buildImage({
    plan: await createPlan({ config, directory, settings: { imageName, dockerfile } }),
    engine,
    dataDirectory,
    trust: await loadHostTrust({ environment: process.env }),
    onEvent: (event) => events.push(event),
  });
  made.add(image.id);
  made.add(image.environment.reference);
  for (const event of events) if (event.type === "environment-end") made.add(event.reference);
  return { image, events };
}

async function answer(): Promise<unknown> {
  await using container = await startLocalContainer({ engine, imageName });
  return (await predict({ origin: container.origin, input: { name: "Ada" } })).output;
}

test("the stages, files, variables and user of the Dockerfile hold, with Cog's server on top", async () => {
  await build();
  expect(await answer()).toBe("Ada hello tools one app");
  const { stdout } = await run("docker", ["inspect", imageName]);
  const [{ Config: config }] = JSON.parse(stdout) as [{ Config: Record<string, unknown> }];
  expect(config).toMatchObject({
    User: "app",
    Entrypoint: ["/usr/bin/tini", "--"],
    Cmd: ["python", "-m", "cog.server.http"],
    WorkingDir: "/src",
    Labels: { "run.cog.version": expect.any(String) },
  });
  const files = await run("docker", ["run", "--rm", "--entrypoint", "ls", imageName, "-a", "/src"]);
  expect(files.stdout).not.toContain("secret.txt");
});

test("an unchanged repo builds nothing, a changed file builds what it is in", async () => {
  const { events } = await build();
  expect(events.filter(({ type }) => type === "environment-start")).toEqual([]);
  await repo.write("data.txt", "two");
  await build();
  expect(await answer()).toBe("Ada hello tools two app");
});

test("a step that fails is named with its stage, and leaves no image", async () => {
  await repo.write("docker/Dockerfile", `FROM ${baseImage}\nCOPY nothing.txt /\n`);
  await expect(build()).rejects.toMatchObject({
    message: expect.stringContaining("nothing.txt"),
    hint: expect.stringContaining("your Dockerfile"),
  });
});
