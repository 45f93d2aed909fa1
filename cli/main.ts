import { homedir } from "node:os";
import { resolve } from "node:path";
import type { ConfigInvalidError } from "../builder/index.ts";
import { commands } from "./commands/index.ts";
import type { Context } from "./context.ts";
import { describeError, exitCodes, UsageError } from "./errors.ts";
import { renderCommandHelp, renderHelp } from "./help.ts";
import { createOutput, type Output } from "./output.ts";
import { findCommand, parseCommandLine } from "./parse.ts";
import { version } from "./version.ts";

// A reader who has seen enough (`byom models list | head`) ends the command, not its stack trace.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  throw error;
});
process.exitCode = await main(process.argv.slice(2));

/** Runs one command line; the only place that reads the process. */
async function main(argv: readonly string[]): Promise<number> {
  const output = createOutput(
    {
      stdout: process.stdout,
      stderr: process.stderr,
      isColoured: process.stderr.isTTY === true && process.env["NO_COLOR"] === undefined,
    },
    argv.includes("--json"),
  );
  const interruption = listenForInterruption();
  try {
    await dispatch(argv, output, interruption);
    return exitCodes.ok;
  } catch (error) {
    if (interruption.aborted) {
      if (output.isJson)
        output.answer("", { error: { code: "interrupted", message: "interrupted" } });
      else output.note("interrupted");
      return exitCodes.interrupted;
    }
    await reportError(error, output);
    return error instanceof UsageError ? exitCodes.usage : exitCodes.failed;
  } finally {
    // Keep-alive sockets of a finished command must not hold the process open.
    process.stdout.write("", () => setTimeout(() => process.exit(), 50).unref());
  }
}

async function dispatch(
  argv: readonly string[],
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  const words = argv.filter((word) => word !== "--json");
  if (words.length === 0 || words[0] === "help" || isOneOf(words, ["--help", "-h"])) {
    return output.answer(
      renderHelp(commands),
      commands.map(({ name, summary }) => ({ name, summary })),
    );
  }
  if (isOneOf(words, ["--version", "version"]))
    return output.answer(`byom ${version}`, { version });
  const found = findCommand(commands, argv);
  if (found === undefined) {
    throw new UsageError(
      `there is no command "${words.join(" ")}"`,
      "byom --help lists the commands",
    );
  }
  const { entry, rest } = found;
  const command = await entry.load();
  const { flags, positionals } = parseCommandLine(entry.name, command, rest);
  if (flags.has("help"))
    return output.answer(renderCommandHelp(entry, command), { usage: command.usage });
  // Not at the top: the help and the version need none of the rooms, whose import costs a tenth of a second and more.
  const { resolveDirectories } = await import("../host/index.ts");
  const context: Context = {
    environment: process.env,
    directory: resolve(flags.text("directory") ?? "."),
    homeDirectory: homedir(),
    isRoot: process.getuid?.() === 0,
    directories: resolveDirectories(process.env, process.getuid?.() === 0),
    output,
    isVerbose: flags.has("verbose"),
    signal,
  };
  await command.run({ flags, positionals, context });
}

function isOneOf(words: readonly string[], flags: readonly string[]): boolean {
  return words.length === 1 && flags.includes(words[0] ?? "");
}

/** The first Ctrl-C or SIGTERM asks the work to stop; a second one ends the process at once. */
function listenForInterruption(): AbortSignal {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCodes.interrupted);
      controller.abort(new DOMException(`stopped by ${name}`, "AbortError"));
    });
  }
  return controller.signal;
}

/** Every problem of a file, or the last log lines of what failed. */
async function explain(error: unknown): Promise<readonly string[]> {
  if (isConfigInvalid(error)) {
    const { renderProblems } = await import("../builder/index.ts");
    return renderProblems(error.problems);
  }
  const { details, logLines } = error as { details?: { logLines?: unknown }; logLines?: unknown };
  const lines = logLines ?? details?.logLines;
  return Array.isArray(lines) ? lines.map(String) : [];
}

/** By its shape: the class would cost every command the import of the builder. */
function isConfigInvalid(error: unknown): error is ConfigInvalidError {
  return error instanceof Error && error.name === "ConfigInvalidError";
}

async function reportError(error: unknown, output: Output): Promise<void> {
  const described = describeError(error);
  if (output.isJson) output.answer("", { error: described });
  else {
    output.note(`${output.style("red", "error:")} ${described.message}`);
    for (const line of await explain(error)) output.note(`  ${line}`);
    if (described.hint !== undefined)
      output.note(`${output.style("cyan", "try:")} ${described.hint}`);
  }
  if (process.env["BYOM_DEBUG"] !== undefined && error instanceof Error)
    output.note(error.stack ?? "");
}
