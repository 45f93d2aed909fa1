import { Writable } from "node:stream";
import { createOutput, type Output } from "../../../cli/output.ts";

/** An output whose two streams are kept as text. */
export interface CapturedOutput {
  readonly output: Output;
  readonly stdout: () => string;
  readonly stderr: () => string;
}

export function captureOutput(
  options: { isJson?: boolean; isColoured?: boolean } = {},
): CapturedOutput {
  const stdout = createSink();
  const stderr = createSink();
  const streams = {
    stdout: stdout.stream,
    stderr: stderr.stream,
    isColoured: options.isColoured ?? false,
  };
  return {
    output: createOutput(streams, options.isJson ?? false),
    stdout: stdout.text,
    stderr: stderr.text,
  };
}

function createSink(): { stream: Writable; text: () => string } {
  let text = "";
  const stream = new Writable({
    decodeStrings: false,
    write: (chunk: string, _encoding, done) => {
      text += chunk;
      done();
    },
  });
  return { stream, text: () => text };
}
