// A Vitest reporter that says at the very end, in one line each, what failed and what
// passed only when it was tried again: a log that is cut keeps its end.
import type { Reporter, SerializedError, TestModule } from "vitest/node";

/** Characters of a message; the whole one stands further up. */
const messageMax = 300;

export default class LastWords implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const lines = [
      ...modules.flatMap(retriesOf),
      ...modules.flatMap(failuresOf),
      ...unhandledErrors.map((error) => `unhandled: ${describe(error)}`),
    ];
    // After the summary, which another reporter writes in this turn.
    // A test that failed twice in the same way is one line.
    const text = [...new Set(lines)].join("\n");
    if (text !== "") setImmediate(() => process.stderr.write(`\n${text}\n`));
  }
}

function retriesOf(module: TestModule): string[] {
  return [...module.children.allTests("passed")]
    .filter((test) => test.diagnostic()?.flaky === true)
    .map((test) => {
      const [first] = test.result().errors ?? [];
      const why = first === undefined ? "no error kept" : describe(first);
      return `passed at its second try: ${module.relativeModuleId} > ${test.fullName}: ${why}`;
    });
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
