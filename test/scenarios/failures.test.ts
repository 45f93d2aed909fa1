// Versions that cannot start, pushed over one that serves. If one of these fails, a bad push takes a model down, or
// leaves its author without the reason.
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createByom, type Byom, type Finished } from "../support/byom.ts";
import { listContainers } from "../support/containers.ts";
import { removeImage } from "../support/images.ts";

const modelId = "failures/model";
const failing = ["setup-raises", "setup-exits", "setup-kills", "setup-hangs", "setup-eats-memory"];
const label = `byom.model=${modelId}`;
/** A failed push never takes longer than its model's deadline and this, whatever the machine does besides. */
const pushTimeoutMs = 90_000;

interface Failed {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint?: string;
    readonly details: {
      readonly version: number;
      readonly phase: string;
      readonly exitCode?: number;
      readonly isOutOfMemory: boolean;
      readonly logLines: readonly string[];
    };
  };
}

let byom: Byom;

beforeAll(async () => {
  byom = await createByom();
  await byom.json("up", "--detach", "--port", "0");
  await byom.json("-C", fixture("echo"), "push", modelId);
});

afterAll(async () => {
  await byom[Symbol.asyncDispose]();
  await Promise.all(["echo", ...failing].map((name) => removeImage(`cog-${name}`)));
});

describe("a version whose setup()", () => {
  it(
    "raises fails with the exception, and the version before serves on",
    async () => {
      const { error } = await pushFailing("setup-raises");
      expect(error).toMatchObject({ code: "deploy_failed", details: { phase: "setup" } });
      expect(error.details.isOutOfMemory).toBe(false);
      const reason = /FileNotFoundError: .*\/src\/weights-that-are-not-there\.bin/;
      expect(error.message).toMatch(reason);
      expect(error.details.logLines[0]).toBe("looking for weights");
      expect(error.details.logLines.at(-1)).toMatch(reason);
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );

  it(
    "ends its process fails at once, with what it printed",
    async () => {
      const { error } = await pushFailing("setup-exits");
      expect(error).toMatchObject({ code: "deploy_failed", details: { phase: "setup" } });
      expect(error.details.isOutOfMemory).toBe(false);
      expect(error.message).toContain("worker crashed");
      expect(error.details.logLines[0]).toBe("about to leave");
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );

  it(
    "takes the container down fails with its exit code",
    async () => {
      const { error } = await pushFailing("setup-kills");
      expect(error).toMatchObject({
        code: "deploy_failed",
        details: { phase: "setup", exitCode: 137, isOutOfMemory: false },
      });
      expect(error.details.logLines[0]).toBe("pulling the plug");
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );

  it(
    "hangs fails at its deadline, and is told which setting that is",
    async () => {
      const { error } = await pushFailing("setup-hangs");
      expect(error).toMatchObject({ code: "deploy_failed", details: { phase: "setup" } });
      expect(error.message).toContain("5");
      expect(error.hint).toContain("setup_timeout");
      expect(error.details.logLines.join("\n")).toContain("waiting for a licence server");
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );

  it(
    "takes more memory than it may have fails as out of memory",
    async () => {
      const { error } = await pushFailing("setup-eats-memory");
      expect(error).toMatchObject({
        code: "deploy_failed",
        details: { phase: "setup", isOutOfMemory: true },
      });
      expect(error.hint).toContain("memory");
      expect(error.details.logLines.join("\n")).toContain("loading");
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );

  it(
    "raises shows a person the same: the exception, what was printed and the way on, on stderr alone",
    async () => {
      const { exitCode, stdout, stderr } = await push("setup-raises");
      expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
      expect(stderr).toMatch(/^error: .*setup\(\) failed: FileNotFoundError/m);
      expect(stderr).toMatch(/^ +looking for weights$/m);
      expect(stderr).toMatch(/^try: /m);
      await expectFirstVersionAlone();
    },
    pushTimeoutMs,
  );
});

function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
}

async function push(name: string, ...flags: readonly string[]): Promise<Finished> {
  return await byom.run("-C", fixture(name), "push", modelId, ...flags);
}

/** Pushes a fixture that cannot start and returns the error that `--json` prints. */
async function pushFailing(name: string): Promise<Failed> {
  const { exitCode, stdout } = await push(name, "--json");
  expect({ exitCode, stdout }).toMatchObject({ exitCode: 1 });
  return JSON.parse(stdout) as Failed;
}

/** Version 1 answers, has all the traffic, and no container but its own is left, running or not. */
async function expectFirstVersionAlone(): Promise<void> {
  const called = await byom.json<{ output: unknown }>("call", modelId, "-i", "text=still here");
  expect(called.output).toBe("echo: still here");
  const { models } = await byom.json<{
    models: {
      deployment: { traffic: unknown };
      instances: { version: number; containerId: string }[];
    }[];
  }>("status");
  expect(models.map(({ deployment }) => deployment.traffic)).toEqual([
    [{ version: 1, percent: 100 }],
  ]);
  const instances = models.flatMap((model) => model.instances);
  expect(instances.map(({ version }) => version)).toEqual([1]);
  const containers = await listContainers(label);
  expect(containers).toEqual([{ id: instances[0]?.containerId, state: "running" }]);
}
