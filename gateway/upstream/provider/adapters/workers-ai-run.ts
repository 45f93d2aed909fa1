import { isObject } from "../../../http/body.ts";
import type { ProviderCall, ProviderFile } from "../adapter.ts";
import { brokenAnswer } from "../failure.ts";

/** `/run/@cf/author/model`: the slashes of the name are the path's. */
export function runPath({ model }: ProviderCall): string {
  const segments = model
    .split("/")
    .map((segment) => encodeURIComponent(segment).replace("%40", "@"));
  return `/run/${segments.join("/")}`;
}

/** A file as the answer, or the result in Cloudflare's envelope. */
export type WorkersAiAnswer =
  | { readonly kind: "file"; readonly file: ProviderFile }
  | { readonly kind: "result"; readonly result: unknown };

/** Runs a model; `body` is its input as JSON, or the bytes of a file. */
export async function runWorkersAi(
  call: ProviderCall,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<WorkersAiAnswer> {
  const request = { method: "POST", path: runPath(call), body, headers } as const;
  const answer = await call.http.bytes(request);
  const contentType = String(answer.headers["content-type"] ?? "");
  if (!contentType.startsWith("application/json")) {
    return { kind: "file", file: { contentType, bytes: answer.body } };
  }
  return { kind: "result", result: unwrap(call, answer.body) };
}

function unwrap(call: ProviderCall, bytes: Buffer): unknown {
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString("utf8"));
  } catch (cause) {
    throw brokenAnswer(call.http.provider, "something that is not JSON", cause);
  }
  if (!isObject(body)) throw brokenAnswer(call.http.provider, "no result");
  if (body["success"] === false) throw call.http.failure(500, body);
  return Object.hasOwn(body, "result") ? body["result"] : body;
}
