import { spawn, type ChildProcessByStdio } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

import { z } from "zod";

import { GpuError } from "../errors.ts";

/** What helper.py is asked; its answers are in the same file. */
export type GpuRequest =
  | { readonly do: "facts" | "initialize" }
  | { readonly do: "memory"; readonly pids: readonly number[] }
  | { readonly do: "lock"; readonly pid: number; readonly timeoutMs: number }
  | { readonly do: "state" | "checkpoint" | "unlock" | "restoreThread"; readonly pid: number }
  | {
      readonly do: "restore";
      readonly pid: number;
      readonly pairs: readonly (readonly [string, string])[];
    };

/** The helper's own file, which python3 runs. */
const helperFile: string = fileURLToPath(new URL("helper.py", import.meta.url));
const commandDefault: readonly string[] = ["python3", "-I", helperFile];

/** Lines of stderr that an error repeats. */
const lastLinesMax = 5;

/** An answer; what was asked for is among its other fields. */
interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly call?: string | undefined;
  readonly status?: number | undefined;
  readonly message?: string | undefined;
}

const replySchema: z.ZodType<Reply> = z.looseObject({
  id: z.number(),
  ok: z.boolean(),
  call: z.string().optional(),
  status: z.number().optional(),
  message: z.string().optional(),
});

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: GpuError) => void;
}

/**
 * The one process that talks to the driver: started with the first question, kept for all others, started again when
 * it has ended. It outlives no byom, since it ends with its standard input.
 */
export class GpuHelper {
  readonly #command: readonly string[];
  #running: Running | undefined;

  /** `command`: the helper's argv; for a driver in an unusual place, or another Python. */
  constructor(command: readonly string[] = commandDefault) {
    this.#command = command;
  }

  /**
   * @throws GpuError `gpu_helper_failed` when the helper does not start, ends, or does not answer in time (it is
   * ended then, because the driver holds it); `gpu_checkpoint_failed` with `call` and `status` when the driver
   * refuses. The signal's reason when aborted: the driver goes on with what it does.
   */
  async ask(
    request: GpuRequest,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<Reply> {
    const { timeoutMs, signal } = options;
    signal?.throwIfAborted();
    this.#running = this.#running?.isEnded === false ? this.#running : new Running(this.#command);
    const running = this.#running;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    const timer = setTimeout(() => {
      const problem = `the driver did not answer ${request.do} in ${timeoutMs / 1000} s`;
      reject(new GpuError("gpu_helper_failed", problem));
      running.end(problem);
    }, timeoutMs);
    const onAbort = (): void => {
      const reason: unknown = signal?.reason;
      reject(reason instanceof Error ? reason : new Error("aborted"));
    };
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      running.send(request, { resolve, reject });
      const reply = await promise;
      if (reply.ok) return reply;
      const { call = request.do, status, message = "no reason given" } = reply;
      const facts = { call, status };
      throw new GpuError("gpu_checkpoint_failed", `${call}: ${message}`, facts);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.end("byom stops");
    await running?.ended;
  }
}

class Running {
  readonly ended: Promise<void>;
  isEnded = false;
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #waiting = new Map<number, Waiting>();
  readonly #lastLines: string[] = [];
  #nextId = 1;

  constructor(command: readonly string[]) {
    const [program = "", ...args] = command;
    this.#child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const { stdin, stdout, stderr } = this.#child;
    stdin.on("error", () => {}); // said by the end of the process
    createInterface({ input: stdout }).on("line", (line) => this.#read(line));
    createInterface({ input: stderr }).on("line", (line) => {
      this.#lastLines.push(line);
      if (this.#lastLines.length > lastLinesMax) this.#lastLines.shift();
    });
    this.ended = new Promise((resolve) => {
      const finish = (problem: string): void => {
        this.#fail(problem);
        resolve();
      };
      this.#child.once("error", (error) => finish(describeSpawnFailure(program, error)));
      this.#child.once("close", (code, signal) =>
        finish(
          [`the GPU helper ended (${signal ?? `exit code ${code}`})`, ...this.#lastLines].join(
            ": ",
          ),
        ),
      );
    });
  }

  send(request: GpuRequest, waiting: Waiting): void {
    const id = this.#nextId++;
    this.#waiting.set(id, waiting);
    this.#child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
  }

  end(problem: string): void {
    this.#fail(problem);
    this.#child.kill("SIGKILL");
  }

  #read(line: string): void {
    const reply = replySchema.safeParse(parseJson(line)).data;
    if (reply === undefined)
      return this.end(`the GPU helper wrote no answer: ${line.slice(0, 200)}`);
    this.#waiting.get(reply.id)?.resolve(reply);
    this.#waiting.delete(reply.id);
  }

  #fail(problem: string): void {
    this.isEnded = true;
    for (const { reject } of this.#waiting.values()) {
      reject(new GpuError("gpu_helper_failed", problem, { hint: hintOf(problem) }));
    }
    this.#waiting.clear();
  }
}

function describeSpawnFailure(program: string, error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" ? `${program} is not installed` : `${program}: ${error.message}`;
}

function hintOf(problem: string): string | undefined {
  if (!problem.endsWith("is not installed")) return undefined;
  return "install python3 on the host: the helper that talks to the driver needs it";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
