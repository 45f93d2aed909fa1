import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { runAlibabaTask } from "./alibaba-task.ts";
import { numberAt, promised, textAt } from "./answer.ts";
import { given, hasImage, Inputs } from "./inputs.ts";

const path = "/api/v1/services/aigc/video-generation/video-synthesis";

/** DashScope's own when none is asked for. */
const durationDefaultSeconds = 5;

/** The models up to wan2.6 name the shape of a video by its pixels. */
const sizes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "480P": { "16:9": "832*480", "9:16": "480*832", "1:1": "624*624" },
  "720P": {
    "16:9": "1280*720",
    "9:16": "720*1280",
    "1:1": "960*960",
    "4:3": "1088*832",
    "3:4": "832*1088",
  },
  "1080P": {
    "16:9": "1920*1080",
    "9:16": "1080*1920",
    "1:1": "1440*1440",
    "4:3": "1632*1248",
    "3:4": "1248*1632",
  },
};

/** How a model wants to be asked: four protocols share one path. */
type Protocol = "wan3" | "wan2.7" | "happyhorse" | "legacy";

/** A video from a text or images, as a task. */
export async function alibabaVideo(call: ProviderCall): Promise<ProviderResult> {
  const { http, model } = call;
  const protocol = protocolOf(model);
  const input = new Inputs(call);
  const isImageToVideo = hasImage(call);
  const duration = input.number("duration");
  if (protocol === "wan3" || protocol === "happyhorse") input.refuse("negative_prompt");
  const hasSoundSwitch = protocol === "wan3" || (protocol === "legacy" && isImageToVideo);
  if (!hasSoundSwitch) input.refuse("audio");
  const body = {
    model,
    input: given({
      prompt: isImageToVideo ? input.text("prompt") : input.required("prompt"),
      negative_prompt: input.text("negative_prompt"),
      ...(isImageToVideo ? frames(input, protocol) : {}),
    }),
    parameters: given({
      ...shape(input, protocol, isImageToVideo),
      duration,
      seed: input.number("seed"),
      audio: input.flag("audio"),
    }),
  };
  input.finish();
  const answer = await runAlibabaTask(call, path, body);
  const url = promised(textAt(answer, "output.video_url"), http, "video_url");
  const seconds =
    numberAt(answer, "usage.output_video_duration") ??
    numberAt(answer, "usage.duration") ??
    duration ??
    durationDefaultSeconds;
  return { output: [url], metrics: { videos: 1, seconds } };
}

function protocolOf(model: string): Protocol {
  if (model.startsWith("wan3")) return "wan3";
  if (model.startsWith("wan2.7")) return "wan2.7";
  return model.startsWith("happyhorse") ? "happyhorse" : "legacy";
}

function frames(input: Inputs, protocol: Protocol): Readonly<Record<string, unknown>> {
  const first = input.required("image");
  if (protocol === "legacy") return { img_url: first };
  if (protocol === "happyhorse") return { media: [{ type: "first_frame", url: first }] };
  const last = input.text("last_image");
  const media = [{ type: "first_frame", url: first }];
  if (last !== undefined) media.push({ type: "last_frame", url: last });
  return { media };
}

function shape(
  input: Inputs,
  protocol: Protocol,
  isImageToVideo: boolean,
): Readonly<Record<string, unknown>> {
  if (isImageToVideo && protocol !== "wan3") input.refuse("aspect_ratio", "the image sets it");
  if (protocol === "legacy" && !isImageToVideo) return { size: pixels(input) };
  input.refuse("size", "give resolution and aspect_ratio instead");
  return {
    resolution: input.text("resolution")?.toUpperCase(),
    ratio: input.text("aspect_ratio"),
  };
}

function pixels(input: Inputs): string | undefined {
  const size = input.size();
  if (size !== undefined) {
    input.refuse("aspect_ratio", "size says it already");
    input.refuse("resolution", "size says it already");
    return `${size.width}*${size.height}`;
  }
  if (!input.has("aspect_ratio") && !input.has("resolution")) return undefined;
  const resolution = input.text("resolution")?.toUpperCase() ?? "1080P";
  const aspectRatio = input.text("aspect_ratio") ?? "16:9";
  const found = sizes[resolution]?.[aspectRatio];
  if (found !== undefined) return found;
  throw input.wrong("aspect_ratio", `${aspectRatio} at ${resolution} has no size in this model`);
}
