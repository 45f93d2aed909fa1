import { pipeline } from "node:stream/promises";

import { GatewayError } from "../../errors.ts";
import { isObject, readBody } from "../../http/body.ts";
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
  const isSigned = isSignedFileCall(call, services);
  if (file === undefined || rest.length > 0 || (!isSigned && !mayRead(call, file))) {
    throw new GatewayError("not_found", `There is no file ${id}.`, {
      hint: "Files are kept for a day.",
    });
  }
  if (action !== undefined && !contentActions.has(action)) throw noSuchPath(call);
  if (action !== undefined) {
    await download(call, services, file);
  } else if (call.method === "DELETE") {
    await services.files.remove(id);
    call.response.writeHead(204).end();
  } else {
    allowMethods(call, "GET", "DELETE");
    sendJson(call.response, { body: fileBody(file, call.baseUrl) });
  }
}

/** Replicate's word for it, and ours. */
const contentActions: ReadonlySet<string> = new Set(["content", "download"]);

/** Whether the URL itself is the permission to read this one file. */
export function isSignedFileCall(call: Call, services: Services): boolean {
  const [, resource, id = "", action = "", ...rest] = call.segments;
  return (
    resource === "files" &&
    contentActions.has(action) &&
    rest.length === 0 &&
    services.files.verify(id, call.query)
  );
}

/** A key for some models only sees what it uploaded itself. */
function mayRead(call: Call, file: StoredFile): boolean {
  return call.key?.models === undefined || file.keyId === call.key.id;
}

async function download(call: Call, services: Services, file: StoredFile): Promise<void> {
  allowMethods(call, "GET", "HEAD");
  call.response.writeHead(200, {
    "content-type": file.contentType,
    "content-length": String(file.sizeBytes),
    // A model's or a caller's bytes come from the platform's own origin: no browser may run them.
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'",
    "x-content-type-options": "nosniff",
    "cache-control": "private, max-age=3600",
  });
  if (call.method === "HEAD") {
    call.response.end();
    return;
  }
  try {
    await pipeline(services.files.open(file.id), call.response);
  } catch (error) {
    if (!call.signal.aborted) throw error;
  }
}

async function upload(call: Call, services: Services): Promise<void> {
  const bytes = await readBody(call.request, { bytesMax: fileBytesMax });
  const form = await readForm(bytes, call.request.headers["content-type"] ?? "");
  const content = form.get("content");
  if (!(content instanceof File)) {
    throw new GatewayError("invalid_request", "The form must have a file in its part `content`.", {
      parameter: "content",
    });
  }
  const file = await services.files.save({
    name: content.name.slice(0, nameCharactersMax),
    contentType: content.type,
    bytes: Buffer.from(await content.arrayBuffer()),
    metadata: await readMetadata(form.get("metadata")),
    ...(call.key === undefined ? {} : { keyId: call.key.id }),
  });
  sendJson(call.response, { status: 201, body: fileBody(file, call.baseUrl) });
}

/** A name stands in every list. */
const nameCharactersMax = 255;
/** What an uploader says about a file is a note, not another file. */
const metadataCharactersMax = 16 * 1024;

/** Parsing is left to the platform's own form reader: uploads are no hot path. */
async function readForm(bytes: Buffer, contentType: string): Promise<FormData> {
  try {
    const headers = { "content-type": contentType };
    return await new Response(new Uint8Array(bytes), { headers }).formData();
  } catch (cause) {
    throw new GatewayError("invalid_request", "The body must be multipart/form-data.", { cause });
  }
}

async function readMetadata(
  part: File | string | null,
): Promise<Readonly<Record<string, unknown>>> {
  if (part === null) return {};
  const text = typeof part === "string" ? part : await part.text();
  try {
    const value: unknown = text.length > metadataCharactersMax ? undefined : JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // Said below.
  }
  throw new GatewayError("invalid_request", "metadata must be a small JSON object.", {
    parameter: "metadata",
  });
}

function listBody(call: Call, services: Services): Record<string, unknown> {
  const files = services.files.list().filter((file) => mayRead(call, file));
  const results = files.map((file) => fileBody(file, call.baseUrl));
  return { previous: null, next: null, results };
}

function fileBody(file: StoredFile, baseUrl: string): Record<string, unknown> {
  return {
    id: file.id,
    name: file.name,
    content_type: file.contentType,
    size: file.sizeBytes,
    etag: file.sha256,
    checksums: { sha256: file.sha256 },
    created_at: file.createdAt,
    expires_at: file.expiresAt,
    metadata: file.metadata,
    urls: { get: `${baseUrl}/v1/files/${file.id}` },
  };
}
