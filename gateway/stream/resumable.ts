import type { Run } from "../prediction/run.ts";
import type { FrameRenderer } from "./follow.ts";

/** How the answer of a run was first written, so that a reader who comes back gets the same bytes. */
const framesByRun = new WeakMap<Run, () => FrameRenderer>();

/** Notes the shape of a run's stream; the first reader's shape is the run's. */
export function rememberFrames(run: Run, create: () => FrameRenderer): void {
  if (!framesByRun.has(run)) framesByRun.set(run, create);
}

/** Undefined for a run whose answer was not a resumable stream. */
export function rememberedFrames(run: Run): (() => FrameRenderer) | undefined {
  return framesByRun.get(run);
}

const frameEnd = Buffer.from("\n\n");

/** Drops the first `count` events of a stream of bytes; an event ends with an empty line. */
export function createFrameSkipper(count: number): (bytes: Buffer) => Buffer {
  let left = count;
  return (bytes) => {
    let from = 0;
    while (left > 0) {
      const end = bytes.indexOf(frameEnd, from);
      if (end === -1) return Buffer.alloc(0);
      from = end + frameEnd.length;
      left -= 1;
    }
    return bytes.subarray(from);
  };
}
