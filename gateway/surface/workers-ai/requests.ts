import { GatewayError } from "../../errors.ts";
import { isObject, readBody, readJsonObject } from "../../http/body.ts";
import type { Call, Services } from "../../http/call.ts";
import { findCallable, type Input } from "../../prediction/start.ts";
import { dataUri } from "./binary.ts";
import { fileInputName } from "./input.ts";

/** What `fetch` and `curl -d` name when nobody named a type: it is JSON all the same. */
const unnamedTypes: ReadonlySet<string> = new Set([
  "",
  "text/plain",
  "application/x-www-form-urlencoded",
]);

/** Whether the body is a file or a form instead of JSON. */
export function isFileBody(call: Call): boolean {
  const type = contentTypeOf(call);
  return !unnamedTypes.has(type) && !type.includes("json");
}

/**
 * The inputs of a call whose body is a file (the model's input for that kind of file) or a form, with the others from
 * elsewhere.
 * @throws `GatewayError` `invalid_request` when the model takes no file
 */
export async function fileInputs(
  call: Call,
  services: Services,
  options: { readonly model: string; readonly others?: Input },
): Promise<Input> {
  const { entry } = findCallable(call, services, options.model);
  const type = contentTypeOf(call);
  const bytes = await readBody(call.request);
  if (type === "multipart/form-data")
    return { ...options.others, ...(await formInputs(call, bytes)) };
  const name = fileInputName(entry, type);
  if (name === undefined) {
    throw new GatewayError("invalid_request", `${entry.id} has no input for a file.`, {
      hint: "Send its inputs as JSON, with content-type application/json.",
    });
  }
  return { ...options.others, [name]: dataUri(bytes, type) };
}

/** Files become data URIs; a field that is JSON is read as such, for a form has only text. */
async function formInputs(call: Call, bytes: Buffer): Promise<Input> {
  let form: FormData;
  try {
    const headers = { "content-type": call.request.headers["content-type"] ?? "" };
    form = await new Response(new Uint8Array(bytes), { headers }).formData();
  } catch (cause) {
    throw new GatewayError("invalid_request", "The body must be multipart/form-data.", { cause });
  }
  const inputs: Record<string, unknown> = {};
  for (const [name, value] of form) {
    inputs[name] =
      typeof value === "string"
        ? parsedField(value)
        : dataUri(Buffer.from(await value.arrayBuffer()), value.type);
  }
  return inputs;
}

function parsedField(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** `{model, input}`. @throws `GatewayError` `invalid_request` */
export async function readModelAndInput(
  call: Call,
): Promise<{ readonly model: string; readonly body: Input; readonly input: Input }> {
  const body = await readJsonObject(call.request);
  const { model, input = {} } = body;
  if (typeof model !== "string" || model === "") {
    throw new GatewayError("invalid_request", "model is required.", { parameter: "model" });
  }
  if (!isObject(input)) {
    throw new GatewayError("invalid_request", "input must be an object.", { parameter: "input" });
  }
  return { model, body, input };
}

function contentTypeOf(call: Call): string {
  const header = call.request.headers["content-type"] ?? "";
  return (header.split(";", 1)[0] ?? "").trim().toLowerCase();
}
