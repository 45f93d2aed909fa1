import { spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const helper = fileURLToPath(new URL("../../../../builder/python-helper", import.meta.url));

/** What the helper answers. */
export interface Reply {
  readonly ok: boolean;
  readonly pid: number;
  readonly hostname: string;
  readonly did: readonly string[];
  readonly hooks: readonly { readonly name: string }[];
  readonly errors: readonly string[];
  readonly closed: readonly string[];
}

/** A Python process with byom's helper, as a container has them. */
export class HelpedPython implements AsyncDisposable {
  /** What it printed, by line. */
  readonly lines: string[] = [];
  readonly directory: string;
  readonly #child: ChildProcess;
  #errors = "";
  #rest = "";
  #wake: () => void = () => {};

  private constructor(directory: string, child: ChildProcess) {
    this.directory = directory;
    this.#child = child;
  }

  /** Runs the code, and what stands in `later` for each line that is sent to it. Ends with its disposal. */
  static async start(
    code: string,
    options: { readonly environment?: Record<string, string>; readonly later?: string } = {},
  ): Promise<HelpedPython> {
    const directory = await mkdtemp(join(tmpdir(), "byom-helper-"));
    const later = (options.later ?? "pass").replaceAll("\n", "\n    ");
    const text = `import sys\nimport byom._start\n${code}\nprint("ready", flush=True)\nfor line in sys.stdin:\n    ${later}\n    print("ready", flush=True)\n`;
    const child = spawn("python3", ["-c", text], {
      env: {
        PATH: process.env["PATH"] ?? "",
        PYTHONPATH: helper,
        PYTHONDONTWRITEBYTECODE: "1",
        BYOM_HOOKS_DIRECTORY: directory,
        ...options.environment,
      },
    });
    const python = new HelpedPython(directory, child);
    child.stderr?.on("data", (part: Buffer) => (python.#errors += part.toString()));
    child.stdout?.on("data", (part: Buffer) => python.#read(part));
    await python.#untilReady();
    return python;
  }

  get stderr(): string {
    return this.#errors;
  }

  /** Runs `later` once and returns what it printed. */
  async again(): Promise<readonly string[]> {
    this.lines.length = 0;
    this.#child.stdin?.write("again\n");
    await this.#untilReady();
    return this.lines;
  }

  /** Waits for this many lines. */
  async printed(count: number): Promise<readonly string[]> {
    await this.#until(() => this.lines.length >= count);
    return this.lines;
  }

  async ask(request: object): Promise<Reply> {
    const socket = connect(join(this.directory, `${this.#child.pid}.sock`));
    socket.write(`${JSON.stringify(request)}\n`);
    let received = "";
    for await (const part of socket) received += String(part);
    return JSON.parse(received) as Reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await rm(this.directory, { recursive: true, force: true });
  }

  async #untilReady(): Promise<void> {
    await this.#until(() => {
      const at = this.lines.indexOf("ready");
      if (at >= 0) this.lines.splice(at, 1);
      return at >= 0;
    });
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#wake = resolve;
      const end = (status: number | null): void =>
        reject(new Error(`python exited with ${status}: ${this.#errors}`));
      this.#child.once("exit", end);
      await promise.finally(() => this.#child.off("exit", end));
    }
  }

  #read(part: Buffer): void {
    const parts = (this.#rest + part.toString()).split("\n");
    this.#rest = parts.pop() ?? "";
    this.lines.push(...parts);
    this.#wake();
  }
}
