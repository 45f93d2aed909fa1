import { GatewayError } from "../../errors.ts";
import { readJsonObject } from "../../http/body.ts";
import { allowMethods, type Call, type Services } from "../../http/call.ts";
import { sendJson, startHeaders } from "../../http/respond.ts";
import { fileContent } from "../../media/download.ts";
import { imageInputs } from "../../media/images.ts";
import { outputFiles, type FileContent, type OutputFile } from "../../media/output.ts";
import { runAll, type Answered } from "../../media/run-all.ts";
import { countedTokens, imageUsage } from "../../media/usage.ts";
import { toDataUri } from "../../upstream/provider/data-uri.ts";
import {
  parseImageRequest,
  readEditForm,
  readEditJson,
  type ImageRequest,
} from "./image-request.ts";
import { streamImages } from "./image-stream.ts";
import { isForm } from "./multipart.ts";

type Body = Readonly<Record<string, unknown>>;

/** `POST /v1/images/generations`: images from a text. */
export async function generateImages(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const body = await readJsonObject(call.request);
  await answer(
    call,
    services,
    parseImageRequest(call, services, { body, kind: "image_generation" }),
  );
}

/** `POST /v1/images/edits`: images from images and a text, as a form or as JSON. */
export async function editImages(call: Call, services: Services): Promise<void> {
  allowMethods(call, "POST");
  const read = isForm(call.request) ? await readEditForm(call) : await readEditJson(call);
  if (read.images.length === 0) {
    throw new GatewayError("invalid_request", "image is required.", { parameter: "image" });
  }
  await answer(call, services, parseImageRequest(call, services, { ...read, kind: "image_edit" }));
}

async function answer(call: Call, services: Services, request: ImageRequest): Promise<void> {
  const { model } = request;
  const inputs = imageInputs(model.entry, request.parameters);
  if (request.isStreamed) {
    await streamImages(call, services, { request, inputs });
    return;
  }
  const answers = await runAll(call, services, { model, inputs });
  const files = answers.flatMap(({ outcome }) => outputFiles(model.entry, outcome.output, "image"));
  const data = await Promise.all(
    files.map((file) => imageBody(call, services, { file, format: request.responseFormat })),
  );
  sendJson(call.response, {
    body: {
      created: Math.floor(services.clock() / 1000),
      data,
      ...request.echo,
      ...usageField(answers),
    },
    headers: answers[0] === undefined ? {} : startHeaders(answers[0].run),
  });
}

/** An image as the caller wants it; without a wish, a URL stays one and bytes come as base64. */
async function imageBody(
  call: Call,
  services: Services,
  options: { readonly file: OutputFile; readonly format: ImageRequest["responseFormat"] },
): Promise<Body> {
  const { file, format } = options;
  if ("url" in file && format !== "b64_json") return { url: file.url };
  const content: FileContent = await fileContent(file, {
    allow: services.allowedHosts,
    signal: call.signal,
  });
  if (format !== "url") return { b64_json: content.bytes.toString("base64") };
  const { url } = await services.files.publish(toDataUri(content), { baseUrl: call.baseUrl });
  return { url };
}

/** Only what the model counted: an image has no length to guess from. */
function usageField(answers: readonly Answered[]): Body {
  const tokens = countedTokens(answers.map(({ outcome }) => outcome.metrics));
  return tokens === undefined ? {} : { usage: imageUsage(tokens) };
}
