// A Vitest reporter that says at the very end, in one line each, what failed: a log that is cut keeps its end.
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** Characters of a message; the whole one stands further up. */
const messageMax = 300;

export default class LastWords implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const lines = [
      ...modules.flatMap(failuresOf),
      ...unhandledErrors.map((error) => `unhandled: ${describe(error)}`),
    ];
    // After the summary, which another reporter writes in this turn.
    if (lines.length > 0) setImmediate(() => process.stderr.write(`\n${lines.join("\n")}\n`));
  }
}

function failuresOf(module: TestModule): string[] {
  const own = module
    .errors()
    .map((error) => `failed: ${module.relativeModuleId}: ${describe(error)}`);
  const tests = [...module.children.allTests("failed")].flatMap((test) =>
    (test.result().errors ?? []).map(
      (error) => `failed: ${module.relativeModuleId} > ${test.fullName}: ${describe(error)}`,
    ),
  );
  return [...own, ...tests];
}

function describe({ name, message, stack, stacks }: SerializedError): string {
  const first = stacks?.[0];
  const where = first === undefined ? stack?.split("\n")[1]?.trim() : `${first.file}:${first.line}`;
  return `${name ?? "error"}: ${message.slice(0, messageMax)} (${where ?? "no stack"})`;
}
