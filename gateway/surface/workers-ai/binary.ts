import { isObject } from "../../http/body.ts";
import { normalType } from "../../media/output.ts";

/** Base64 without a data URI's head; shorter texts are names or words. */
const base64Pattern = /^[A-Za-z0-9+/]{16,}={0,2}$/;

/**
 * A file as Workers AI's clients send it, as a data URI: a list of bytes, base64, or `{body, contentType}`. Anything else
 * is undefined: a URL or a data URI is what models take already.
 */
export function fileUri(value: unknown): string | undefined {
  if (Array.isArray(value)) return isByteList(value) ? dataUri(Buffer.from(value), "") : undefined;
  if (typeof value === "string") {
    return base64Pattern.test(value) ? dataUri(Buffer.from(value, "base64"), "") : undefined;
  }
  if (!isObject(value) || typeof value["body"] !== "string") return undefined;
  const { body, contentType } = value;
  return dataUri(Buffer.from(body, "base64"), typeof contentType === "string" ? contentType : "");
}

export function dataUri(bytes: Buffer, contentType: string): string {
  return `data:${normalType(contentType, bytes)};base64,${bytes.toString("base64")}`;
}

function isByteList(value: readonly unknown[]): value is readonly number[] {
  return (
    value.length > 0 &&
    value.every((item) => Number.isInteger(item) && Number(item) >= 0 && Number(item) < 256)
  );
}
