import { randomBytes } from "node:crypto";

/** One part of a form: a text field, or a file. */
export type FormPart =
  | { readonly name: string; readonly value: string }
  | {
      readonly name: string;
      readonly fileName: string;
      readonly contentType: string;
      readonly bytes: Buffer;
    };

/** A `multipart/form-data` body (RFC 7578), whole in memory: the body of a request to a provider. */
export class FormBody {
  readonly contentType: string;
  readonly bytes: Buffer;

  constructor(parts: readonly FormPart[]) {
    const boundary = `byom-${randomBytes(12).toString("hex")}`;
    this.contentType = `multipart/form-data; boundary=${boundary}`;
    const encoded = parts.flatMap((part) => [
      Buffer.from(`--${boundary}\r\n${head(part)}\r\n\r\n`),
      "bytes" in part ? part.bytes : Buffer.from(part.value),
      Buffer.from("\r\n"),
    ]);
    this.bytes = Buffer.concat([...encoded, Buffer.from(`--${boundary}--\r\n`)]);
  }
}

function head(part: FormPart): string {
  const disposition = `content-disposition: form-data; name="${quoted(part.name)}"`;
  if (!("bytes" in part)) return disposition;
  const type = part.contentType.replaceAll(/[\r\n]/g, "");
  return `${disposition}; filename="${quoted(part.fileName)}"\r\ncontent-type: ${type}`;
}

/** As browsers escape names in a form (WHATWG HTML, "multipart/form-data"). */
function quoted(name: string): string {
  return name.replaceAll("\r", "%0D").replaceAll("\n", "%0A").replaceAll('"', "%22");
}
