/**
 * The helper that byom puts into images. It is imported by every Python process of a model's container: if it breaks or
 * delays one, the model does not start; if it misses a generator, clones of a snapshot share their random numbers.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

const helper = fileURLToPath(new URL("../../../../builder/python-helper", import.meta.url));
const hasPython = spawnSync("python3", ["--version"]).status === 0;
if (!hasPython) console.log("skipped: tests of the Python helper: python3 is not installed");

let directory: string;
let child: ChildProcess | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-helper-"));
});
afterEach(async () => {
  child?.kill("SIGKILL");
  await rm(directory, { recursive: true, force: true });
});

interface Reply {
  readonly ok: boolean;
  readonly pid: number;
  readonly did: readonly string[];
  readonly hooks: readonly { readonly name: string }[];
  readonly errors: readonly string[];
}

describe.skipIf(!hasPython)("the Python helper", () => {
  it("answers a ping in every process that imports it", async () => {
    const python = await start("");
    expect(await ask(python, { do: "ping" })).toMatchObject({ ok: true, pid: python.pid });
    const path = join(directory, `${python.pid}.sock`);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it("reseeds every generator that is loaded, and runs hooks in order with the instance's facts", async () => {
    const python = await start(`
import random, ssl, tempfile, uuid
from byom import after_restore, before_snapshot
random.seed(1)
uuid._node = 5

@before_snapshot
def first(): print("first", flush=True)
@before_snapshot
def second(): print("second", flush=True)
@after_restore
def third(instance): print("third", instance["id"], instance["asleepSeconds"] < 60, random.random(), uuid.uuid1().node, flush=True)
@after_restore
async def fourth(): print("fourth", flush=True)
`);
    const prepared = await ask(python, { do: "prepare" });
    expect(prepared.hooks.map((hook) => hook.name)).toEqual(["second", "first"]);
    expect(prepared.did).toContain("gc");
    const restored = await ask(python, { do: "restored", instance: { id: "i-1" } });
    expect(restored).toMatchObject({
      ok: true,
      did: ["environment", "platform", "resolver", "random", "uuid", "ssl", "tempfile", "libc"],
      hooks: [{ name: "third" }, { name: "fourth" }],
      errors: [],
    });
    const [a, b, third, fourth] = python.lines;
    expect([a, b, fourth]).toEqual(["second", "first", "fourth"]);
    // What random.seed(1) would have given, and the node that the snapshot remembered.
    expect(third).toMatch(/^third i-1 True /);
    expect(third).not.toContain(" 0.13436424411240122 ");
    expect(third).not.toMatch(/ 5$/);
  });

  it("calls the hooks of the predictor that the server made", async () => {
    const python = await start(
      `
import sys, types
module = types.ModuleType("user_predictor"); module.__file__ = "/src/predict.py"
class Predictor:
    def before_snapshot(self): print("before", flush=True)
    def after_restore(self): print("after", flush=True)
module.Predictor = Predictor; sys.modules["user_predictor"] = module
predictor = Predictor()
`,
      { COG_PREDICT_TYPE_STUB: "predict.py:Predictor" },
    );
    await ask(python, { do: "prepare" });
    const reply = await ask(python, { do: "restored", instance: {} });
    expect(reply.hooks.map((hook) => hook.name)).toEqual(["predictor.after_restore"]);
    expect(python.lines).toEqual(["before", "after"]);
  });

  it("tells a failing hook with its error, and runs the others", async () => {
    const python = await start(`
from byom import after_restore
@after_restore
def broken(): raise ValueError("no route")
@after_restore
def fine(): print("fine", flush=True)
`);
    const reply = await ask(python, { do: "restored", instance: {} });
    expect(reply).toMatchObject({
      ok: false,
      errors: ["broken: ValueError: no route < <string>:5 in broken"],
    });
    expect(python.lines).toEqual(["fine"]);
  });

  it.each(["not json", '{"do":"explode"}', "[]"])("survives a bad request: %s", async (line) => {
    const python = await start("");
    expect(await exchange(python, line)).toMatchObject({ ok: false });
    expect(await ask(python, { do: "ping" })).toMatchObject({ ok: true });
  });

  it("listens in a forked process too, under its own number", async () => {
    const python = await start(`
import os
pid = os.fork()
if pid == 0:
    import time; time.sleep(60)
print(pid, flush=True)
`);
    const forked = Number(python.lines[0]);
    await expect.poll(() => existsSync(join(directory, `${forked}.sock`))).toBe(true);
    expect(await ask({ pid: forked }, { do: "ping" })).toMatchObject({ pid: forked });
    expect(await ask(python, { do: "ping" })).toMatchObject({ pid: python.pid });
    process.kill(forked, "SIGKILL");
  });

  it("removes its socket at exit, and leaves no trace where it is turned off or nothing is served", async () => {
    expect(runOnce({}).status).toBe(0);
    expect(runOnce({ BYOM_HOOKS: "0" }).status).toBe(0);
    expect(await readdir(directory)).toEqual([]);
    const absent = join(directory, "absent");
    expect(runOnce({ BYOM_HOOKS_DIRECTORY: absent })).toMatchObject({ status: 0, stderr: "" });
    expect(existsSync(absent)).toBe(false);
    const served = { BYOM_HOOKS_DIRECTORY: absent, COG_PREDICT_TYPE_STUB: "predict.py:Predictor" };
    expect(runOnce(served).status).toBe(0);
    expect(existsSync(absent)).toBe(true);
  });

  it("never breaks a process, whatever the directory is", () => {
    const result = runOnce({
      BYOM_HOOKS_DIRECTORY: `${directory}/${"x".repeat(120)}`,
      COG_PREDICT_TYPE_STUB: "a:b",
    });
    expect(result).toMatchObject({ status: 0, stdout: "alive\n" });
    expect(result.stderr).toContain("byom: snapshot hooks are off");
  });

  it("loads no module that a bare interpreter has not: each costs every process its start", () => {
    const modules = (code: string): string[] =>
      spawnSync("python3", ["-c", `${code}import sys; print(*sorted(sys.modules), sep="\\n")`], {
        encoding: "utf8",
        env: environment({}),
      })
        .stdout.trim()
        .split("\n");
    const bare = new Set(modules(""));
    expect(modules("import byom._start; ").filter((name) => !bare.has(name))).toEqual(
      ["_socket", "atexit", "byom", "byom._start"].filter((name) => !bare.has(name)),
    );
  });
});

interface Python {
  readonly pid: number;
  readonly lines: string[];
}

/** A process that runs the code and then waits, as a server does. */
async function start(code: string, more: Record<string, string> = {}): Promise<Python> {
  const text = `import byom._start\n${code}\nprint("ready", flush=True)\nimport time; time.sleep(60)\n`;
  child = spawn("python3", ["-c", text], { env: environment(more) });
  const lines: string[] = [];
  let errors = "";
  child.stderr?.on("data", (part: Buffer) => (errors += part.toString()));
  await new Promise<void>((resolve, reject) => {
    child?.on("exit", (status) => reject(new Error(`python exited with ${status}: ${errors}`)));
    child?.stdout?.on("data", (part: Buffer) => {
      lines.push(...part.toString().trimEnd().split("\n"));
      const at = lines.indexOf("ready");
      if (at < 0) return;
      lines.splice(at, 1);
      resolve();
    });
  });
  return { pid: child.pid ?? 0, lines };
}

function runOnce(more: Record<string, string>): {
  status: number | null;
  stdout: string;
  stderr: string;
} {
  const result = spawnSync("python3", ["-c", 'import byom._start; print("alive")'], {
    encoding: "utf8",
    env: environment(more),
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

function environment(more: Record<string, string>): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    PYTHONPATH: helper,
    PYTHONDONTWRITEBYTECODE: "1",
    BYOM_HOOKS_DIRECTORY: directory,
    ...more,
  };
}

async function ask(python: { readonly pid: number }, request: object): Promise<Reply> {
  return await exchange(python, JSON.stringify(request));
}

async function exchange(python: { readonly pid: number }, line: string): Promise<Reply> {
  const socket = connect(join(directory, `${python.pid}.sock`));
  socket.write(`${line}\n`);
  let received = "";
  for await (const part of socket) received += String(part);
  return JSON.parse(received) as Reply;
}
