import { GatewayError } from "../../errors.ts";
import type { Call, Services } from "../../http/call.ts";
import { fileContent } from "../../media/download.ts";
import { isImageSequence } from "../../media/images.ts";
import { outputFiles, type OutputFile } from "../../media/output.ts";
import { countedTokens, imageUsage } from "../../media/usage.ts";
import type { Run } from "../../prediction/run.ts";
import { startRun, type Input } from "../../prediction/start.ts";
import { chunkJson } from "../../stream/event.ts";
import { sendFrames } from "../../stream/send-frames.ts";
import { openAiError } from "./errors.ts";
import type { ImageRequest } from "./image-request.ts";

/**
 * Images as server-sent events: `….partial_image` for what a model yields on its way, as far as the caller wants
 * them, and `….completed` for each image of the answer.
 * @throws `GatewayError` `unsupported_parameter` when it takes more than one prediction
 */
export async function streamImages(
  call: Call,
  services: Services,
  options: { readonly request: ImageRequest; readonly inputs: readonly Input[] },
): Promise<void> {
  const { request, inputs } = options;
  const [input = {}, ...others] = inputs;
  if (others.length > 0) {
    throw new GatewayError(
      "unsupported_parameter",
      `${request.model.entry.id} makes one image a prediction, and only one prediction can be streamed.`,
      { parameter: "n" },
    );
  }
  const run = startRun(call, services, {
    model: request.model,
    input,
    // What has been sent of it cannot be taken back.
    overrides: { onStreamCut: "fail" },
  });
  await sendFrames({
    run,
    response: call.response,
    deadlines: services.deadlines,
    frames: imageFrames(call, services, { request, run }),
    renderFailure: (failure) => frame("error", { type: "error", ...openAiError(failure) }),
  });
}

async function* imageFrames(
  call: Call,
  services: Services,
  { request, run }: { readonly request: ImageRequest; readonly run: Run },
): AsyncGenerator<string, void, void> {
  const facts = {
    size: "auto",
    quality: "auto",
    background: "auto",
    output_format: "png",
    ...request.echo,
    created_at: Math.floor(services.clock() / 1000),
  };
  const render = async (file: OutputFile, type: string, more: object): Promise<string> => {
    const { bytes, contentType } = await fileContent(file, {
      allow: services.allowedHosts,
      signal: call.signal,
    });
    const format = contentType.startsWith("image/") ? contentType.slice("image/".length) : "png";
    const body = { type, b64_json: bytes.toString("base64"), ...facts, output_format: format };
    return frame(type, { ...body, ...more });
  };
  const wanted = isImageSequence(run.entry) ? request.partialImages : 0;
  let sent = 0;
  let latest: readonly OutputFile[] | undefined;
  for await (const batch of run.log.read({ from: 0, signal: call.signal })) {
    for (const event of batch) {
      if (event.kind !== "output") continue;
      const chunk: unknown = JSON.parse(chunkJson(event.data).toString("utf8"));
      // Whether an image is the last one shows when another follows.
      for (const file of sent < wanted ? (latest ?? []) : []) {
        yield await render(file, `${request.kind}.partial_image`, { partial_image_index: sent });
        sent += 1;
      }
      if (wanted > 0) latest = outputFiles(run.entry, chunk, "image");
    }
  }
  const { outcome } = run;
  if (outcome === undefined) return;
  if (outcome.failure !== undefined) throw outcome.failure;
  const tokens = countedTokens([outcome.metrics]) ?? { input: 0, output: 0 };
  for (const file of latest ?? outputFiles(run.entry, outcome.output, "image")) {
    yield await render(file, `${request.kind}.completed`, { usage: imageUsage(tokens) });
  }
}

function frame(event: string, body: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(body)}\n\n`;
}
