import type { CatalogEntry } from "../catalog/entry.ts";
import { resolveSchema } from "../catalog/schema.ts";
import { GatewayError } from "../errors.ts";
import { assertServes, ModelInputs } from "./inputs.ts";

const names = {
  prompt: ["prompt", "text", "input"],
  image: [
    "image",
    "input_image",
    "images",
    "input_images",
    "image_input",
    "image_url",
    "init_image",
    "img",
  ],
  mask: ["mask", "mask_image"],
  count: ["n", "num_outputs", "num_images", "number_of_images", "num_images_per_prompt"],
  width: ["width"],
  height: ["height"],
  size: ["size", "image_size"],
  ratio: ["aspect_ratio"],
  format: ["output_format", "format"],
  compression: ["output_compression", "output_quality"],
} as const;

/** Images of one call, as OpenAI bounds them. */
export const imagesMax = 10;
const pixelsPerSideMax = 16_384;

/** A request for images, in OpenAI's words; what is `undefined` or `null` was not asked for. */
export interface ImageParameters {
  readonly prompt: string;
  /** Of an edit: data URIs or URLs. */
  readonly images?: readonly string[];
  readonly mask?: string | undefined;
  readonly n?: unknown;
  readonly size?: unknown;
  readonly quality?: unknown;
  readonly style?: unknown;
  readonly background?: unknown;
  readonly outputFormat?: unknown;
  readonly outputCompression?: unknown;
  /** Whatever else the caller says, for inputs of the same name. */
  readonly rest?: Readonly<Record<string, unknown>>;
}

/**
 * The predictions that make the images: one, or as many as images where the model makes one at a time.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function imageInputs(
  entry: CatalogEntry,
  parameters: ImageParameters,
): readonly Readonly<Record<string, unknown>>[] {
  assertServes(entry, {
    format: "images",
    tasks: ["text-to-image", "image-to-image"],
    what: "an image model",
  });
  const inputs = new ModelInputs(entry);
  if (!inputs.put(names.prompt, parameters.prompt)) throw inputs.unsupported("prompt");
  passImages(inputs, parameters);
  passSize(inputs, parameters.size);
  const { quality, style, background, outputFormat, outputCompression } = parameters;
  inputs.pass({
    name: "quality",
    value: quality,
    names: ["quality"],
    neutral: ["auto", "standard"],
  });
  inputs.pass({ name: "style", value: style, names: ["style"] });
  inputs.pass({
    name: "background",
    value: background,
    names: ["background"],
    neutral: ["auto", "opaque"],
  });
  inputs.pass({ name: "output_format", value: outputFormat, names: names.format });
  inputs.pass({
    name: "output_compression",
    value: outputCompression,
    names: names.compression,
    neutral: [100],
  });
  inputs.passRest(parameters.rest ?? {}, new Set());
  return repeat(inputs, imageCount(parameters.n));
}

/**
 * Whether the model yields an image while it works on it, so that the last one is the answer. One that is told how many
 * images to make yields as many.
 */
export function isImageSequence(entry: CatalogEntry): boolean {
  if (new ModelInputs(entry).nameOf(names.count) !== undefined) return false;
  const output = resolveSchema(entry.outputSchema, entry.outputSchema);
  return entry.isStreaming && output["x-cog-array-type"] === "iterator";
}

function passImages(inputs: ModelInputs, { images = [], mask }: ImageParameters): void {
  if (images.length > 0) {
    const name = inputs.nameOf(names.image);
    if (name === undefined) throw inputs.unsupported("image", "an image");
    const types = inputs.typesOf(name);
    if (images.length > 1 && types.size > 0 && !types.has("array")) {
      throw inputs.unsupported("image", "more than one image");
    }
    inputs.set(name, images);
  }
  inputs.pass({ name: "mask", value: mask, names: names.mask });
}

/** `1024x768` as width and height, as it is, or as the shape that is nearest to it. */
function passSize(inputs: ModelInputs, size: unknown): void {
  if (size === undefined || size === null || size === "auto") return;
  const match = typeof size === "string" ? /^(\d{1,5})x(\d{1,5})$/.exec(size) : null;
  const [width, height] = [Number(match?.[1]), Number(match?.[2])];
  if (!isSide(width) || !isSide(height)) {
    throw new GatewayError("invalid_request", "size must be like 1024x1024, or auto.", {
      parameter: "size",
    });
  }
  const [widthName, heightName] = [inputs.nameOf(names.width), inputs.nameOf(names.height)];
  if (widthName !== undefined && heightName !== undefined) {
    inputs.set(widthName, width);
    inputs.set(heightName, height);
    return;
  }
  if (inputs.put(names.size, size)) return;
  const ratioName = inputs.nameOf(names.ratio);
  if (ratioName === undefined) throw inputs.unsupported("size");
  inputs.set(ratioName, nearestRatio(width / height, inputs.choicesOf(ratioName)));
}

function isSide(value: number): boolean {
  return value >= 1 && value <= pixelsPerSideMax;
}

const usualRatios = ["1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16", "21:9", "9:21"];

function nearestRatio(wanted: number, choices: readonly unknown[] | undefined): string {
  const ratios = (choices ?? usualRatios).map(String).filter((text) => /^\d+:\d+$/.test(text));
  const distance = (text: string): number => {
    const [width = 1, height = 1] = text.split(":").map(Number);
    return Math.abs(Math.log(width / height / wanted));
  };
  return ratios.toSorted((a, b) => distance(a) - distance(b))[0] ?? "1:1";
}

function imageCount(n: unknown): number {
  if (n === undefined || n === null) return 1;
  // A form has only text.
  const count = typeof n === "string" ? Number(n) : n;
  if (typeof count === "number" && Number.isInteger(count) && count >= 1 && count <= imagesMax) {
    return count;
  }
  throw new GatewayError("invalid_request", `n must be an integer from 1 to ${imagesMax}.`, {
    parameter: "n",
  });
}

function repeat(inputs: ModelInputs, count: number): readonly Readonly<Record<string, unknown>>[] {
  if (count === 1 || inputs.put(names.count, count)) return [inputs.input];
  const { seed } = inputs.input;
  return Array.from({ length: count }, (_, index) =>
    // One seed for all would make the same image that many times.
    typeof seed === "number" ? { ...inputs.input, seed: seed + index } : inputs.input,
  );
}
