import type { ProviderAdapter, ProviderCall, ProviderResult } from "../adapter.ts";
import { numberAt, promisedSome, textsAt } from "./answer.ts";
import { given, hasImage, Inputs, noSuchTask } from "./inputs.ts";

/** Required by Recraft (0 leaves the image almost as it is, 1 keeps little of it); the middle where nobody says. */
const strengthDefault = 0.5;

/** Styles, and what is not wanted, are inputs of the second and third generation only. */
const hasStyles = /^recraftv[23]/;

/** Recraft: images, raster or vector, in one answer. */
export const recraft: ProviderAdapter = {
  id: "recraft",
  title: "Recraft",
  baseUrl: "https://external.api.recraft.ai/v1",
  source: {
    document: "recraft.ai/docs/api-reference: endpoints, appendix, agents",
    date: "2026-08-13",
  },
  authorize: (key) => ({ authorization: `Bearer ${key}` }),
  async run(call) {
    if (call.task !== "text-to-image" && call.task !== "image-to-image") throw noSuchTask(call);
    return hasImage(call) ? edit(call) : generate(call);
  },
};

function generate(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const size = input.size();
  if (size !== undefined) input.refuse("aspect_ratio", "size says it already");
  const body = {
    ...common(call, input),
    ...given({
      // Both forms go by one name: `1024x1024` and `16:9`.
      size: size === undefined ? input.text("aspect_ratio") : `${size.width}x${size.height}`,
    }),
  };
  input.finish();
  return images(call, "/images/generations", body);
}

/** A change of the whole image, or of what a mask shows in white. The image goes as an URL or a data URI. */
function edit(call: ProviderCall): Promise<ProviderResult> {
  const input = new Inputs(call);
  const [image, ...more] = input.texts("image");
  if (image === undefined || more.length > 0) throw input.wrong("image", "must be one image");
  const mask = input.text("mask");
  if (mask !== undefined) input.refuse("strength", "a mask says what changes");
  const body = {
    ...common(call, input),
    image_url: image,
    ...(mask === undefined
      ? { strength: input.number("strength") ?? strengthDefault }
      : { mask_url: mask }),
  };
  input.finish();
  return images(call, mask === undefined ? "/images/imageToImage" : "/images/inpaint", body);
}

function common(call: ProviderCall, input: Inputs): Readonly<Record<string, unknown>> {
  if (!hasStyles.test(call.model)) {
    const why = "only Recraft V2 and V3 have it";
    input.refuse("style", why);
    input.refuse("negative_prompt", why);
  }
  return given({
    model: call.model,
    prompt: input.required("prompt"),
    n: input.number("n"),
    style: input.text("style"),
    negative_prompt: input.text("negative_prompt"),
    random_seed: input.number("seed"),
    response_format: "url",
  });
}

async function images(
  call: ProviderCall,
  path: string,
  body: Readonly<Record<string, unknown>>,
): Promise<ProviderResult> {
  const { http } = call;
  const answer = await http.json({ method: "POST", path, body });
  const output = promisedSome(textsAt(answer.body, "data", "url"), http, "images");
  const credits = numberAt(answer.body, "credits");
  return { output, metrics: given({ images: output.length, credits }) };
}
