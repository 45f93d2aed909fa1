import type { FileStore } from "../prediction/files.ts";
import type { Run } from "../prediction/run.ts";
import type { FrameRenderer } from "./follow.ts";

/** In which shape a stream was first written, as JSON: enough to write the same bytes again in another process. */
export interface StreamShape {
  readonly name: string;
  readonly facts: unknown;
}

export interface ShapeServices {
  readonly files: FileStore;
}

/** One way to write a run's events; everything that it needs beside them is in the run and the facts. */
export interface ShapeRenderer<Facts> {
  /** On disks: it must stay. */
  readonly name: string;
  readonly create: (run: Run, facts: Facts, services: ShapeServices) => FrameRenderer;
}

/** A run in a shape, for `follow`: how to write it, and how to write it again. */
export function inShape<Facts>(
  shape: ShapeRenderer<Facts>,
  options: { readonly run: Run; readonly facts: Facts; readonly services: ShapeServices },
): { readonly renderer: FrameRenderer; readonly shape: StreamShape } {
  const { run, facts, services } = options;
  return { renderer: shape.create(run, facts, services), shape: { name: shape.name, facts } };
}
