import { BuilderError } from "../errors.ts";

/** A file of the model repo was written while a layer was made of it. */
export class FileChangedError extends BuilderError {
  override readonly name = "FileChangedError";
  readonly path: string;

  constructor(options: { path: string; change: string; cause?: unknown }) {
    super(`${options.path} changed while it was read: ${options.change}`, {
      code: "FILE_CHANGED",
      hint: "wait until the file is written completely, then run the command again",
      cause: options.cause,
    });
    this.path = options.path;
  }
}

/** A path that an image layer cannot carry (OCI image-spec 1.1, layer.md "Whiteouts"). */
export class LayerPathError extends BuilderError {
  override readonly name = "LayerPathError";
  readonly path: string;

  constructor(options: { path: string; problem: string; hint: string }) {
    super(`${options.path} cannot be put into an image layer: ${options.problem}`, {
      code: "LAYER_PATH",
      hint: options.hint,
    });
    this.path = options.path;
  }
}
