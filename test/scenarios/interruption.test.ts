// Ctrl-C in the middle, and two at once. If one of these fails, a user who stops a command is left with a build that
// goes on, a lock that nobody holds, or half a model; or two colleagues' pushes end in a mixture of both.
import { randomFillSync } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom, type Started } from "../support/byom.ts";
import { listContainers } from "../support/containers.ts";
import { removeImage } from "../support/images.ts";
import { createModelRepo, type ModelRepo } from "../support/model-repo.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

/** A step that would take a minute: whoever waits for it to end by itself is over this. */
const stepSeconds = `60.${process.pid}`;
const promptTimeoutMs = 45_000;
/** What the registry takes in seconds, so that there is a middle. */
const weightsBytes = 128 * 1024 ** 2;
const minimal = 'build:\n  python_version: "3.11"\nrun: run.py:Runner\n';

let byom: Byom;
let registry: TestRegistry;
let repo: ModelRepo;

beforeAll(async () => {
  registry = await startRegistry();
  byom = await createByom({ BYOM_REGISTRY: registry.host });
  repo = await createModelRepo({
    "interrupted-build/cog.yaml": withStep(`sleep ${stepSeconds}`),
    "interrupted-build/run.py": runner({ answer: "built" }),
    "interrupted-push/cog.yaml": minimal,
    "interrupted-push/run.py": runner({ answer: "pushed" }),
    "interrupted-push/weights/model.safetensors": randomFillSync(Buffer.alloc(weightsBytes)),
    "interrupted-deploy/cog.yaml": minimal,
    "interrupted-deploy/run.py": runner({ answer: "deployed", setupSeconds: 4 }),
    // The same name in two places, as two checkouts of one repo have.
    "one/interrupted-twice/cog.yaml": minimal,
    "one/interrupted-twice/run.py": runner({ answer: "one" }),
    "two/interrupted-twice/cog.yaml": minimal,
    "two/interrupted-twice/run.py": runner({ answer: "two" }),
  });
  await byom.json("up", "--detach", "--port", "0");
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await repo[Symbol.asyncDispose]();
  for (const name of ["build", "push", "deploy", "twice"])
    await removeImage(`cog-interrupted-${name}`);
});

describe("Ctrl-C in the middle of a build", () => {
  it(
    "stops the step, keeps no half image, and leaves the way free",
    async () => {
      const directory = join(repo.directory, "interrupted-build");
      for (const attempt of [1, 2]) {
        const started = byom.start("-C", directory, "build");
        const [, reference = ""] = await started.seen(/building (byom-environment:\w+)/);
        await expect.poll(findStep, { timeout: promptTimeoutMs }).toHaveLength(1);
        const stderr = await interrupt(started);
        expect(stderr, `attempt ${attempt}`).not.toContain("under way");
        await expect.poll(findStep, { timeout: promptTimeoutMs }).toEqual([]);
        await expect(new Docker().getImage(reference).inspect()).rejects.toThrow();
      }
      await repo.write("interrupted-build/cog.yaml", withStep("true"));
      const { environment } = await byom.json<{ environment: string }>("-C", directory, "build");
      await removeImage("cog-interrupted-build");
      await removeImage(environment);
    },
    2 * promptTimeoutMs,
  );
});

describe("Ctrl-C in the middle of a push", () => {
  it("leaves no version, and the next push of it is whole", async () => {
    const modelId = "interruption/pushed";
    const directory = join(repo.directory, "interrupted-push");
    const started = byom.start("-C", directory, "push", modelId);
    await expect.poll(bytesUnderWay, { timeout: promptTimeoutMs, interval: 20 }).toBeGreaterThan(0);
    const stderr = await interrupt(started);
    expect(stderr).not.toMatch(/^pushed /m);
    const tag = await fetch(`http://${registry.host}/v2/${modelId}/manifests/latest`);
    expect(tag.status).toBe(404);
    const versions = await byom.run("versions", modelId, "--json");
    expect(JSON.parse(versions.stdout)).toMatchObject({ error: { code: "model_not_found" } });

    const pushed = await byom.json("-C", directory, "push", modelId);
    expect(pushed).toMatchObject({ version: 1, isChanged: true });
    expect(await call(modelId)).toBe("pushed");
  });

  it("during the deploy removes the instance that was starting, and the next push deploys", async () => {
    const modelId = "interruption/deployed";
    const directory = join(repo.directory, "interrupted-deploy");
    const started = byom.start("-C", directory, "push", modelId);
    await started.seen(/deploy: starting instance/);
    await expect.poll(() => listContainers(`byom.model=${modelId}`)).toHaveLength(1);
    const stderr = await interrupt(started);
    expect(stderr).not.toContain("serves");
    await expect
      .poll(() => listContainers(`byom.model=${modelId}`), { timeout: promptTimeoutMs })
      .toEqual([]);

    const pushed = await byom.json("-C", directory, "push", modelId);
    expect(pushed).toMatchObject({ version: 1 });
    expect(await call(modelId)).toBe("deployed");
  });
});

describe("two pushes of one model at once", () => {
  it("both end clearly, and exactly one of them serves", async () => {
    const modelId = "interruption/twice";
    const push = async (answer: string): Promise<{ answer: string; pushed: Pushed }> => {
      const directory = join(repo.directory, answer, "interrupted-twice");
      const { exitCode, stdout } = await byom.run("-C", directory, "push", modelId, "--json");
      const pushed = JSON.parse(stdout) as Pushed;
      if (exitCode !== 0) expect(pushed).toMatchObject({ error: { code: "deploy_in_progress" } });
      return { answer, pushed };
    };
    const ended = await Promise.all([push("one"), push("two")]);
    const deployed = ended.filter(({ pushed }) => pushed.version !== undefined);
    expect(deployed.length).toBeGreaterThan(0);

    const { versions } = await byom.json<{ versions: { number: number; digest: string }[] }>(
      "versions",
      modelId,
    );
    const recorded = versions.map(({ number, digest }) => ({ version: number, digest }));
    for (const { pushed } of deployed)
      expect(recorded).toContainEqual({ version: pushed.version, digest: pushed.digest });
    expect(new Set(recorded.map(({ digest }) => digest)).size).toBe(recorded.length);

    const { models } = await byom.json<Status>("status");
    const traffic = models.find(({ id }) => id === modelId)?.deployment.traffic ?? [];
    expect(traffic.map(({ percent }) => percent)).toEqual([100]);
    const serving = deployed.find(({ pushed }) => pushed.version === traffic[0]?.version);
    for (const attempt of [1, 2, 3])
      expect(await call(modelId), `call ${attempt}`).toBe(serving?.answer);
  });
});

interface Pushed {
  readonly version?: number;
  readonly digest?: string;
}

interface Status {
  readonly models: readonly {
    readonly id: string;
    readonly deployment: { readonly traffic: readonly { version: number; percent: number }[] };
  }[];
}

function withStep(command: string): string {
  return minimal.replace("run:", `  run:\n    - ${command}\nrun:`);
}

function runner({ answer, setupSeconds = 0 }: { answer: string; setupSeconds?: number }): string {
  return `import time

from cog import BaseRunner


class Runner(BaseRunner):
    def setup(self) -> None:
        time.sleep(${setupSeconds})

    def run(self, text: str) -> str:
        return "${answer}"
`;
}

async function call(modelId: string): Promise<unknown> {
  return (await byom.json("call", modelId, "-i", "text=x"))["output"];
}

/** Sends what Ctrl-C sends, expects the exit code of an interruption, and returns what stood on stderr. */
async function interrupt(started: Started): Promise<string> {
  started.process.kill("SIGINT");
  const { exitCode, stdout, stderr } = await started.finished;
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 130, stdout: "" });
  expect(stderr).toMatch(/^interrupted$/m);
  return stderr;
}

/** Bytes of uploads that the registry has begun to receive and not yet finished. */
async function bytesUnderWay(): Promise<number> {
  const files = await readdir(join(registry.directory, "storage"), { recursive: true }).catch(
    () => [],
  );
  const sizes = files
    .filter((file) => /\/_uploads\/[^/]+\/data$/.test(file))
    .map(async (file) => (await stat(join(registry.directory, "storage", file))).size);
  const settled = await Promise.allSettled(sizes);
  return settled.reduce((sum, size) => sum + (size.status === "fulfilled" ? size.value : 0), 0);
}

/** Processes of this machine, containers included, that run the step itself rather than the shell around it. */
async function findStep(): Promise<readonly string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line === `sleep\0${stepSeconds}\0`);
}
