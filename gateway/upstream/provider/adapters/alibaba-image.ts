import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { runAlibabaTask } from "./alibaba-task.ts";
import { listAt, numberAt, promisedSome, textAt, textsAt } from "./answer.ts";
import { given, Inputs } from "./inputs.ts";

const services = "/api/v1/services/aigc";

/**
 * Images, in the protocol of the model's generation: Qwen's in one answer, Wan's as tasks, of which those up to 2.5 take
 * a plain prompt.
 */
export async function alibabaImage(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const input = new Inputs(call);
  const isQwen = /^(?:qwen|z-image)/.test(model);
  const isPlain = !isQwen && !/^wan(?:2\.[67]|[3-9])/.test(model);
  input.refuse("aspect_ratio", "give a size in pixels instead");
  const images = input.texts("image");
  if (isPlain && images.length > 0) throw input.unsupported("image");
  const size = input.size();
  const count = input.number("n");
  const negative = input.text("negative_prompt");
  const prompt = input.required("prompt");
  const parameters = given({
    size: size === undefined ? undefined : `${size.width}*${size.height}`,
    seed: input.number("seed"),
    ...counts(model, images.length, count),
    ...(isPlain ? {} : { negative_prompt: negative }),
  });
  input.finish();
  const body = {
    model,
    input: isPlain ? given({ prompt, negative_prompt: negative }) : messages(prompt, images),
    parameters,
  };
  const answer = isQwen
    ? (
        await http.json({
          method: "POST",
          path: `${services}/multimodal-generation/generation`,
          body,
        })
      ).body
    : await runAlibabaTask(
        call,
        `${services}/${isPlain ? "text2image/image-synthesis" : "image-generation/generation"}`,
        body,
      );
  const output = imagesOf(call, answer);
  return { output, metrics: { images: numberAt(answer, "usage.image_count") ?? output.length } };
}

/** wan2.6-image makes images from a text alone only in its mixed mode, which counts them by another name. */
function counts(
  model: string,
  images: number,
  count: number | undefined,
): Readonly<Record<string, unknown>> {
  if (!model.startsWith("wan2.6-image") || images > 0) return { n: count };
  return { enable_interleave: true, max_images: count ?? 1 };
}

function messages(prompt: string, images: readonly string[]): unknown {
  const content = [{ text: prompt }, ...images.map((image) => ({ image }))];
  return { messages: [{ role: "user", content }] };
}

function imagesOf({ http }: ProviderCall, answer: unknown): readonly string[] {
  const plain = listAt(answer, "output.results");
  const contents = listAt(answer, "output.choices").flatMap((choice) =>
    textsAt(choice, "message.content", "image"),
  );
  const urls = [...plain.flatMap((item) => textAt(item, "url") ?? []), ...contents];
  // Of several images, those that failed stand in the list with their reason.
  const why = plain.flatMap((item) => textAt(item, "message") ?? [])[0];
  if (urls.length === 0 && why !== undefined) throw http.failure(422, { message: why });
  return promisedSome(urls, http, "images");
}
