// byom as scripts use it: exactly one JSON document on stdout with `--json`, errors included, and exit codes that mean
// something. The engine and the platform are out of reach here, so nothing is touched.
import { spawn } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { createTemporaryFolder } from "./temporary-folder.ts";

const program = fileURLToPath(new URL("../../../bin/byom.js", import.meta.url));
const templates = fileURLToPath(new URL("../../../templates", import.meta.url));

interface Finished {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function byom(
  argv: readonly string[],
  options: { readonly isStdoutClosed?: boolean } = {},
): Promise<Finished> {
  const child = spawn(process.execPath, [program, ...argv], {
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      PATH: process.env["PATH"],
      BYOM_DATA_DIR: createTemporaryFolder(),
      DOCKER_HOST: "unix:///nonexistent/docker.sock",
    },
  });
  if (options.isStdoutClosed === true) child.stdout.destroy();
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return { exitCode, stdout, stderr };
}

function createRepo(): string {
  const directory = createTemporaryFolder();
  cpSync(join(templates, "chat"), directory, { recursive: true });
  return directory;
}

describe("errors", () => {
  it.each([
    [["biuld"], 2, "usage"],
    [["versions"], 2, "usage"],
    [["build", "--tog"], 2, "usage"],
    [["--frobnicate"], 2, "usage"],
    [["status"], 1, "platform_unknown"],
    [["call", "me/chat", "-i", "prompt=hi"], 1, "platform_unknown"],
  ])("byom %j ends with %d and the code %s", async (argv, exitCode, code) => {
    const json = await byom([...argv, "--json"]);
    expect(json.exitCode).toBe(exitCode);
    expect(JSON.parse(json.stdout)).toMatchObject({
      error: { code, message: expect.stringMatching(/\S/), hint: expect.stringMatching(/\S/) },
    });
    const text = await byom(argv);
    expect(text.exitCode).toBe(exitCode);
    expect(text.stdout).toBe("");
    expect(text.stderr).toMatch(/^error: .+\ntry: .+\n$/);
  });

  it("lists every problem of a cog.yaml with its line, in text and in JSON", async () => {
    const directory = createRepo();
    writeFileSync(join(directory, "cog.yaml"), "build:\n  gpu: maybe\n  python_version: [3]\n");
    const text = await byom(["-C", directory, "plan"]);
    expect(text.exitCode).toBe(1);
    expect(text.stderr).toContain("cog.yaml:2 build.gpu");
    expect(text.stderr).toContain("cog.yaml:3 build.python_version");
    const json = await byom(["-C", directory, "plan", "--json"]);
    expect(json.exitCode).toBe(1);
    const { error } = JSON.parse(json.stdout) as { error: { details: { problems: unknown } } };
    expect(error.details.problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ line: 2, key: "build.gpu" }),
        expect.objectContaining({ line: 3, key: "build.python_version" }),
      ]),
    );
  });

  it("says which engines were tried when there is none", async () => {
    const { exitCode, stdout } = await byom(["-C", createRepo(), "build", "--json"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { message: expect.stringContaining("/nonexistent/docker.sock") },
    });
  });
});

describe("answers", () => {
  it.each([
    [["--version"]],
    [["--json", "--version"]],
    [["--help"]],
    [["-h"]],
    [[]],
    [["plan", "--help"]],
  ])("byom %j prints one JSON document with --json", async (argv) => {
    const { exitCode, stdout, stderr } = await byom([...argv, "--json"]);
    expect(stderr).toBe("");
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toBeTypeOf("object");
  });

  it("plans a repo without an engine or a network, its warnings beside the document", async () => {
    const directory = createRepo();
    writeFileSync(join(directory, "cog.yaml"), "run: run.py:Runner\nbiuld: {}\n", { flag: "a" });
    const { exitCode, stdout } = await byom(["plan", directory, "--json"]);
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toHaveProperty("error");
    const good = await byom(["plan", createRepo(), "--json"]);
    expect(good.exitCode).toBe(0);
    expect(JSON.parse(good.stdout)).toHaveProperty("environment");
  });

  it("ends quietly when its reader has seen enough, as with `| head`", async () => {
    const { exitCode, stderr } = await byom(["--help"], { isStdoutClosed: true });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  });

  it("writes a repo that can be planned", async () => {
    const directory = join(createTemporaryFolder(), "model");
    const { exitCode, stdout } = await byom(["init", directory, "--template", "ocr", "--json"]);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ directory, template: "ocr" });
    expect((await byom(["-C", directory, "plan"])).exitCode).toBe(0);
    const again = await byom(["init", directory, "--template", "ocr", "--json"]);
    expect(again.exitCode).toBe(1);
    expect(JSON.parse(again.stdout)).toMatchObject({ error: { code: "files_exist" } });
  });
});
