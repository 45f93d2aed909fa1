import { GatewayError } from "../../errors.ts";
import { readBody } from "../../http/body.ts";
import { allowMethods, noSuchPath, type Call, type Services } from "../../http/call.ts";
import { sendJson } from "../../http/respond.ts";
import { fileBytesMax } from "../../limits.ts";
import type { StoredFile } from "../../prediction/files.ts";

/** `/v1/files`: Replicate's clients upload binary inputs here and send the URL as the input. */
export async function handleFiles(call: Call, services: Services): Promise<void> {
  const [, , id, action, ...rest] = call.segments;
  if (id === undefined) {
    allowMethods(call, "GET", "POST");
    if (call.method === "POST") await upload(call, services);
    else sendJson(call.response, { body: listBody(call, services) });
    return;
  }
  const file = services.files.get(id);
  if (file === undefined || rest.length > 0) {
    throw new GatewayError("not_found", `There is no file ${id}.`);
  }
  if (action === "content") {
    allowMethods(call, "GET");
    const bytes = await services.files.read(id);
    call.response.writeHead(200, {
      "content-type": file.contentType,
      "content-length": String(bytes.length),
    });
    call.response.end(bytes);
  } else if (action !== undefined) {
    throw noSuchPath(call);
  } else if (call.method === "DELETE") {
    await services.files.remove(id);
    call.response.writeHead(204).end();
  } else {
    allowMethods(call, "GET", "DELETE");
    sendJson(call.response, { body: fileBody(file, call.baseUrl) });
  }
}

async function upload(call: Call, services: Services): Promise<void> {
  const bytes = await readBody(call.request, { bytesMax: fileBytesMax });
  const content = await multipartFile(bytes, call.request.headers["content-type"] ?? "");
  const file = await services.files.save({
    name: content.name,
    contentType: content.type === "" ? "application/octet-stream" : content.type,
    bytes: Buffer.from(await content.arrayBuffer()),
  });
  sendJson(call.response, { status: 201, body: fileBody(file, call.baseUrl) });
}

/** The part `content` of a form; parsing is left to the platform's own form reader, uploads are no hot path. */
async function multipartFile(bytes: Buffer, contentType: string): Promise<File> {
  let content: unknown;
  try {
    const headers = { "content-type": contentType };
    const form = await new Response(new Uint8Array(bytes), { headers }).formData();
    content = form.get("content");
  } catch (cause) {
    throw new GatewayError("invalid_request", "The body must be multipart/form-data.", { cause });
  }
  if (content instanceof File) return content;
  throw new GatewayError("invalid_request", "The form must have a file in its part `content`.", {
    parameter: "content",
  });
}

function listBody(call: Call, services: Services): Record<string, unknown> {
  const results = services.files.list().map((file) => fileBody(file, call.baseUrl));
  return { previous: null, next: null, results };
}

function fileBody(file: StoredFile, baseUrl: string): Record<string, unknown> {
  return {
    id: file.id,
    name: file.name,
    content_type: file.contentType,
    size: file.sizeBytes,
    created_at: file.createdAt,
    metadata: {},
    urls: { get: `${baseUrl}/v1/files/${file.id}` },
  };
}
