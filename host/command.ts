import { execa } from "execa";
import type { Environment } from "./directories.ts";
import { HostError } from "./errors.ts";

/** Enough of a failed command's output to see why; the rest is in its own log. */
const outputLinesMax = 15;
/** A command that prints more than this is not one that we read whole. */
const outputBytesMax = 8 * 1024 * 1024;
/** Longest that one system command may take: a package download over a slow line. */
const commandTimeoutMs = 15 * 60_000;
/** After SIGTERM a command has this long before SIGKILL. */
const killDelayMs = 5_000;

export interface CommandOptions {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  readonly directory?: string;
  /** Called with each line of stdout and stderr as it comes. */
  readonly onLine?: (line: string) => void;
}

export interface CommandResult {
  /** 127 when the program is not there, 124 when it ran past its deadline. */
  readonly exitCode: number;
  readonly stdout: string;
  /** stdout and stderr in the order they came. */
  readonly output: string;
}

/** Runs a system command; any exit code is a result. Rejects only when the signal aborts. */
export async function tryCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<CommandResult> {
  const [program, ...args] = command;
  options.signal.throwIfAborted();
  const child = execa(program, args, {
    env: options.environment,
    extendEnv: false,
    stdin: "ignore",
    all: true,
    reject: false,
    cancelSignal: options.signal,
    timeout: options.timeoutMs ?? commandTimeoutMs,
    forceKillAfterDelay: killDelayMs,
    maxBuffer: outputBytesMax,
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  });
  if (options.onLine !== undefined) {
    const onLine = options.onLine;
    void (async () => {
      for await (const line of child.iterable({ from: "all" })) onLine(String(line));
    })().catch(() => {});
  }
  const result = await child;
  options.signal.throwIfAborted();
  const missing = result.code === "ENOENT";
  return {
    exitCode: missing ? 127 : result.timedOut ? 124 : (result.exitCode ?? 1),
    stdout: result.stdout ?? "",
    output: missing ? `${program}: not found` : (result.all ?? ""),
  };
}

/**
 * Runs a system command that must succeed; returns its stdout.
 * @throws HostError HOST_COMMAND_FAILED with the command and its last lines.
 */
export async function runCommand(
  command: readonly [string, ...string[]],
  options: CommandOptions & { hint?: string },
): Promise<string> {
  const result = await tryCommand(command, options);
  if (result.exitCode === 0) return result.stdout;
  const output = lastLines(result.output, outputLinesMax);
  throw new HostError(
    "HOST_COMMAND_FAILED",
    `\`${command.join(" ")}\` failed with exit code ${result.exitCode}`,
    { output, ...(options.hint === undefined ? {} : { hint: options.hint }) },
  );
}

/** The absolute path of a program, looked up on PATH plus the folders of system tools; undefined when absent. */
export async function findProgram(
  name: string,
  options: { environment: Environment },
): Promise<string | undefined> {
  const { access, constants } = await import("node:fs/promises");
  const folders = (options.environment["PATH"] ?? "").split(":");
  for (const folder of [...folders, "/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"]) {
    if (!folder.startsWith("/")) continue;
    const file = `${folder}/${name}`;
    if (
      await access(file, constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return file;
  }
  return undefined;
}

/** The last `count` lines of a text. */
export function lastLines(text: string, count: number): string {
  return text.trimEnd().split("\n").slice(-count).join("\n");
}
