import type { IncomingMessage } from "node:http";

import { GatewayError } from "../../errors.ts";
import { readBody } from "../../http/body.ts";

/** One file of a form. */
export interface FormFile {
  /** The part's name, such as `file` or `image[]`. */
  readonly field: string;
  readonly fileName: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

export interface Form {
  /** Texts by name; a name that comes more than once, or ends in `[]`, has them all in order. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
  readonly files: readonly FormFile[];
}

const mib = 1024 * 1024;
/** A file goes to the model as base64, four thirds of its size, and coglet refuses bodies over 100 MiB. */
export const formBytesMax: number = 72 * mib;
/** No API that is served here has more fields; a form of a million empty parts is an attack. */
const partsMax = 128;
/** Head lines of one part. */
const headBytesMax = 8 * 1024;
/** A text field, such as a prompt. */
const fieldBytesMax = 1 * mib;

const lineBreak = Buffer.from("\r\n");
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Reads a request's form (RFC 7578) into memory; nothing is written to disk.
 * @throws `GatewayError`: `too_large`; `invalid_request` for what is no form
 */
export async function readForm(request: IncomingMessage): Promise<Form> {
  const boundary = formBoundary(request.headers["content-type"] ?? "");
  const body = await readBody(request, { bytesMax: formBytesMax });
  return parseForm(body, boundary);
}

/** Whether a request says that its body is a form. */
export function isForm(request: IncomingMessage): boolean {
  return /^multipart\/form-data\b/i.test(request.headers["content-type"] ?? "");
}

/** The parts of a form; files are views of the body's bytes. */
export function parseForm(body: Buffer, boundary: string): Form {
  const fields = new Map<string, string[]>();
  const files: FormFile[] = [];
  for (const part of splitParts(body, boundary)) {
    const { name, fileName, contentType } = parseHead(part.head);
    if (fileName === undefined) {
      if (part.content.length > fieldBytesMax) {
        throw new GatewayError("too_large", `The field ${name} is larger than 1 MiB.`, {
          parameter: name,
        });
      }
      const texts = fields.get(name) ?? [];
      texts.push(part.content.toString("utf8"));
      fields.set(name, texts);
    } else {
      files.push({ field: name, fileName, contentType, bytes: part.content });
    }
  }
  return { fields, files };
}

interface Part {
  readonly head: Buffer;
  readonly content: Buffer;
}

function splitParts(body: Buffer, boundary: string): readonly Part[] {
  const delimiter = Buffer.from(`--${boundary}`);
  const between = Buffer.concat([lineBreak, delimiter]);
  const parts: Part[] = [];
  let at = body.indexOf(delimiter);
  if (at === -1) throw malformed("it does not contain its boundary");
  at += delimiter.length;
  for (;;) {
    // `--` after the delimiter ends the form.
    if (body[at] === 0x2d && body[at + 1] === 0x2d) return parts;
    const lineEnd = body.indexOf(lineBreak, at);
    if (lineEnd === -1) throw malformed("it ends before its last boundary");
    if (parts.length >= partsMax) throw malformed(`it has more than ${partsMax} parts`);
    // A part without head lines begins with the empty line itself.
    const headAt = body.indexOf(headEnd, lineEnd);
    if (headAt === -1 || headAt - lineEnd > headBytesMax) throw malformed("a part has no head");
    const contentAt = headAt + headEnd.length;
    const end = body.indexOf(between, headAt + lineBreak.length);
    if (end === -1) throw malformed("it ends before its last boundary");
    parts.push({
      head: body.subarray(lineEnd + lineBreak.length, headAt),
      content: body.subarray(Math.min(contentAt, end), end),
    });
    at = end + between.length;
  }
}

function parseHead(head: Buffer): {
  readonly name: string;
  readonly fileName: string | undefined;
  readonly contentType: string;
} {
  let disposition = "";
  let contentType = "application/octet-stream";
  for (const line of head.toString("utf8").split("\r\n")) {
    const colonAt = line.indexOf(":");
    const header = line.slice(0, colonAt).trim().toLowerCase();
    const value = line.slice(colonAt + 1).trim();
    if (header === "content-disposition") disposition = value;
    else if (header === "content-type" && value !== "") contentType = value;
  }
  const name = parameterOf(disposition, "name");
  if (!/^form-data\b/i.test(disposition) || name === undefined) {
    throw malformed("a part has no name");
  }
  return { name, fileName: parameterOf(disposition, "filename"), contentType };
}

/** Quoted as browsers and SDKs write it: `%22` or `\"` for a quote. */
function parameterOf(header: string, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}=(?:"((?:\\\\"|[^"])*)"|([^;\\s]*))`, "i").exec(header);
  const value = match?.[1] ?? match?.[2];
  return value?.replaceAll('\\"', '"').replaceAll("%22", '"');
}

function formBoundary(contentType: string): string {
  const match = /^multipart\/form-data\s*;.*?\bboundary=(?:"([^"]{1,70})"|([^\s;,"]{1,70}))/i.exec(
    contentType,
  );
  const boundary = match?.[1] ?? match?.[2];
  if (boundary !== undefined) return boundary;
  throw new GatewayError(
    "invalid_request",
    "The body must be multipart/form-data, and its Content-Type must name the boundary.",
  );
}

function malformed(why: string): GatewayError {
  return new GatewayError("invalid_request", `The form cannot be read: ${why}.`);
}
