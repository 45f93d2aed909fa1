import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";

/** One line from the terminal, not shown while it is typed. Rejects when aborted, also by Ctrl-C. */
export async function readHiddenLine(
  question: string,
  options: { readonly signal: AbortSignal },
): Promise<string> {
  process.stderr.write(question);
  // What readline would echo goes nowhere.
  const output = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  const interrupted = new AbortController();
  terminal.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  try {
    const signal = AbortSignal.any([options.signal, interrupted.signal]);
    return (await terminal.question("", { signal })).trim();
  } finally {
    terminal.close();
    process.stderr.write("\n");
  }
}
