import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const program = fileURLToPath(new URL("../../bin/byom.js", import.meta.url));

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** byom as a user runs it: another process, with a data directory of its own beside the host's set-up. */
export interface Byom {
  readonly dataDirectory: string;
  /** Runs one command to its end. */
  run(...args: readonly string[]): Promise<Finished>;
  /** Runs one command with `--json` and returns its document; rejects with stderr when it fails. */
  json<T = Record<string, unknown>>(...args: readonly string[]): Promise<T>;
  /** Starts a command and leaves it running. */
  start(...args: readonly string[]): Started;
  /** URL and admin key of the platform that `up` started. */
  access(): Promise<{ url: string; apiKey: string }>;
  /** Stops the platform and removes the data directory. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Started {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Resolves when it has printed this to stderr; rejects when it ends before. */
  seen(pattern: RegExp): Promise<RegExpExecArray>;
}

/** `launcher` is put before the command, such as `nsenter …`; it must become byom, not start it as its child. */
export async function createByom(
  environment: Readonly<Record<string, string>> = {},
  options: { readonly launcher?: readonly string[] } = {},
): Promise<Byom> {
  const dataDirectory = await mkdtemp(join(tmpdir(), "byom-test-"));
  const start = (...args: readonly string[]): Started => {
    const command = [...(options.launcher ?? []), process.execPath, program, ...args];
    const child = spawn(command[0] ?? "", command.slice(1), {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, BYOM_DATA_DIR: dataDirectory, NO_COLOR: "1", ...environment },
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const finished = new Promise<Finished>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (code, signal) =>
        resolve({ exitCode: code ?? (signal === "SIGKILL" ? 137 : 1), stdout, stderr }),
      );
    });
    const seen = async (pattern: RegExp): Promise<RegExpExecArray> => {
      const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
      const look = (): void => {
        const match = pattern.exec(stderr);
        if (match !== null) resolve(match);
      };
      child.stderr.on("data", look);
      child.on("close", () => reject(new Error(`ended without ${String(pattern)}:\n${stderr}`)));
      look();
      return await promise.finally(() => child.stderr.off("data", look));
    };
    return { process: child, finished, seen };
  };
  const run = (...args: readonly string[]): Promise<Finished> => start(...args).finished;
  return {
    dataDirectory,
    start,
    run,
    json: async <T>(...args: readonly string[]) => {
      const { exitCode, stdout, stderr } = await run(...args, "--json");
      if (exitCode !== 0)
        throw new Error(`byom ${args.join(" ")} ended with ${exitCode}:\n${stdout}${stderr}`);
      return JSON.parse(stdout) as T;
    },
    access: async () =>
      JSON.parse(await readFile(join(dataDirectory, "config/credentials.json"), "utf8")) as {
        url: string;
        apiKey: string;
      },
    [Symbol.asyncDispose]: async () => {
      await run("down");
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
