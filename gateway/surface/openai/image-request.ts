import { GatewayError } from "../../errors.ts";
import type { FoundModel } from "../../catalog/find.ts";
import { isObject, readJsonObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import type { ImageParameters } from "../../media/images.ts";
import { requiredText } from "../../media/inputs.ts";
import { findCallable } from "../../prediction/start.ts";
import { toDataUri } from "../../upstream/provider/data-uri.ts";
import { readForm } from "./multipart.ts";

type Body = Readonly<Record<string, unknown>>;

/** A request for images as it was read, from JSON or a form. */
export interface ImageRequest {
  readonly model: FoundModel;
  readonly parameters: ImageParameters;
  readonly kind: "image_generation" | "image_edit";
  readonly responseFormat: "url" | "b64_json" | undefined;
  /** How many images the caller wants to see on the way to the last one. */
  readonly partialImages: number;
  readonly isStreamed: boolean;
  /** Told back in the answer. */
  readonly echo: Body;
}

/** Fields that are read here, or that only describe the caller. */
const knownFields: ReadonlySet<string> = new Set([
  "model",
  "prompt",
  "n",
  "size",
  "quality",
  "style",
  "background",
  "output_format",
  "output_compression",
  "response_format",
  "stream",
  "partial_images",
  "image",
  "images",
  "mask",
  "moderation",
  "user",
  "safety_identifier",
]);

interface ReadRequest {
  readonly body: Body;
  readonly kind: ImageRequest["kind"];
  readonly images?: readonly string[];
  readonly mask?: string | undefined;
}

/**
 * Reads what a request for images asks for.
 * @throws `GatewayError`: `invalid_request`, `model_not_found`, `forbidden`
 */
export function parseImageRequest(call: Call, services: Services, read: ReadRequest): ImageRequest {
  const { body, kind, images, mask } = read;
  const model = findCallable(call, services, requiredText(body, "model"), { body });
  const { n, size, quality, style, background } = body;
  const echo = { size, quality, background, output_format: body["output_format"] };
  return {
    model,
    kind,
    parameters: {
      prompt: requiredText(body, "prompt"),
      n,
      size,
      quality,
      style,
      background,
      outputFormat: body["output_format"],
      outputCompression: body["output_compression"],
      ...(images === undefined ? {} : { images }),
      mask,
      rest: Object.fromEntries(Object.entries(body).filter(([name]) => !knownFields.has(name))),
    },
    responseFormat: responseFormat(body["response_format"]),
    partialImages: partialImages(body["partial_images"]),
    isStreamed: body["stream"] === true || body["stream"] === "true",
    echo: Object.fromEntries(
      Object.entries(echo).filter(([, value]) => typeof value === "string" && value !== "auto"),
    ),
  };
}

function responseFormat(format: unknown): ImageRequest["responseFormat"] {
  if (format === undefined || format === null) return undefined;
  if (format === "url" || format === "b64_json") return format;
  throw new GatewayError("invalid_request", "response_format must be url or b64_json.", {
    parameter: "response_format",
  });
}

/** OpenAI's bound. */
const partialImagesMax = 3;

function partialImages(value: unknown): number {
  if (value === undefined || value === null) return 0;
  // A form has it as a text.
  const count = typeof value === "string" ? Number(value) : value;
  const isCount = typeof count === "number" && Number.isInteger(count);
  if (isCount && count >= 0 && count <= partialImagesMax) return count;
  throw new GatewayError(
    "invalid_request",
    `partial_images must be an integer from 0 to ${partialImagesMax}.`,
    { parameter: "partial_images" },
  );
}

/** The form of an edit: `image` or `image[]` files, `mask`, and texts. */
export async function readEditForm(call: Call): Promise<{
  readonly body: Body;
  readonly images: readonly string[];
  readonly mask: string | undefined;
}> {
  const form = await readForm(call.request);
  const mask = form.files.find(({ field }) => field === "mask");
  return {
    body: Object.fromEntries([...form.fields].map(([name, texts]) => [name, texts.at(-1)])),
    images: form.files
      .filter(({ field }) => field === "image" || field === "image[]")
      .map((file) => toDataUri(file)),
    mask: mask === undefined ? undefined : toDataUri(mask),
  };
}

/** The JSON form: `images: [{image_url} | {file_id}]`, and `mask` alike. */
export async function readEditJson(call: Call): Promise<{
  readonly body: Body;
  readonly images: readonly string[];
  readonly mask: string | undefined;
}> {
  const body = await readJsonObject(call.request);
  const given = body["images"] ?? body["image"] ?? [];
  const images = (Array.isArray(given) ? given : [given]).map((image: unknown) =>
    imageReference(call, image, "images"),
  );
  const mask = body["mask"];
  return {
    body,
    images,
    mask: mask === undefined || mask === null ? undefined : imageReference(call, mask, "mask"),
  };
}

function imageReference(call: Call, image: unknown, parameter: string): string {
  if (typeof image === "string") return image;
  if (isObject(image)) {
    const { image_url: url, file_id: fileId } = image;
    if (typeof url === "string") return url;
    if (isObject(url) && typeof url["url"] === "string") return url["url"];
    if (typeof fileId === "string") return `${call.baseUrl}/v1/files/${fileId}`;
  }
  throw new GatewayError("invalid_request", `${parameter} must have an image_url or a file_id.`, {
    parameter,
  });
}
