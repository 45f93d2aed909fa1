import { parseDataUri } from "../upstream/provider/data-uri.ts";
import type { CatalogEntry } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";

/** A file that a model made: its bytes, or where they lie. */
export type OutputFile = { readonly url: string } | FileContent;

export interface FileContent {
  /** In lower case, without parameters. */
  readonly contentType: string;
  readonly bytes: Buffer;
}

/** Nesting of an output that is searched for files. */
const depthMax = 6;

/** The part of an output that is the answer, by the dotted path of the model's mapping. */
export function answerOf(entry: CatalogEntry, output: unknown): unknown {
  const path = entry.mapping?.output;
  if (path === undefined || typeof output !== "object" || output === null) return output;
  let found: unknown = output;
  for (const step of path.split(".")) {
    if (Array.isArray(found)) found = found[Number(step)];
    else found = isObject(found) && Object.hasOwn(found, step) ? found[step] : undefined;
  }
  return found;
}

/**
 * The images or sounds in an output, in its order: a data URI or URL, a list of them, or objects that hold them under
 * any name (`images`, `url`, `b64_json`, …).
 * @throws `GatewayError` `upstream_failed` when there is none
 */
export function outputFiles(
  entry: CatalogEntry,
  output: unknown,
  kind: "image" | "audio",
): readonly OutputFile[] {
  const files: OutputFile[] = [];
  collect(answerOf(entry, output), { kind, files, depth: 0 });
  if (files.length > 0) return files;
  throw new GatewayError("upstream_failed", `${entry.id} answered without ${article(kind)}.`, {
    hint: "Where the file lies deeper, name its place in byom.yaml: `mapping: { output: data.file }`.",
  });
}

/** What the first bytes say that a file is. */
export function sniffType(bytes: Buffer): string | undefined {
  const text = bytes.subarray(0, 16).toString("latin1");
  if (text.startsWith("\x89PNG")) return "image/png";
  if (text.startsWith("\xff\xd8\xff")) return "image/jpeg";
  if (text.startsWith("GIF8")) return "image/gif";
  if (text.startsWith("RIFF")) {
    if (text.slice(8, 12) === "WEBP") return "image/webp";
    return text.slice(8, 12) === "WAVE" ? "audio/wav" : undefined;
  }
  if (text.startsWith("OggS")) return "audio/ogg";
  if (text.startsWith("fLaC")) return "audio/flac";
  if (text.startsWith("ID3")) return "audio/mpeg";
  const [first = 0, second = 0] = bytes;
  if (first !== 0xff) return undefined;
  // Both begin with a sync word; the layer bits are 00 in AAC's ADTS only (ISO/IEC 13818-7, 6.2.1).
  if ((second & 0xf6) === 0xf0) return "audio/aac";
  return (second & 0xe0) === 0xe0 ? "audio/mpeg" : undefined;
}

interface Search {
  readonly kind: "image" | "audio";
  readonly files: OutputFile[];
  readonly depth: number;
}

function collect(value: unknown, search: Search, key = ""): void {
  if (typeof value === "string") {
    const file = fileOf(value, key, search.kind);
    if (file !== undefined) search.files.push(file);
    return;
  }
  if (typeof value !== "object" || value === null || search.depth >= depthMax) return;
  const deeper = { ...search, depth: search.depth + 1 };
  if (Array.isArray(value)) {
    for (const item of value) collect(item, deeper, key);
    return;
  }
  for (const [name, item] of Object.entries(value)) collect(item, deeper, name);
}

/** Keys whose text is base64 without a `data:` head. */
const base64Keys: ReadonlySet<string> = new Set([
  "b64_json",
  "base64",
  "image",
  "images",
  "audio",
  "audio_base64",
  "image_base64",
]);
/** Shorter texts are names and the like. */
const base64LengthMin = 64;

function fileOf(text: string, key: string, kind: Search["kind"]): OutputFile | undefined {
  if (/^https?:\/\//i.test(text)) return { url: text };
  const file = parseDataUri(text);
  if (file !== undefined) return ofKind(file.bytes, file.contentType, kind);
  if (!base64Keys.has(key) || text.length < base64LengthMin) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  return ofKind(Buffer.from(text, "base64"), "application/octet-stream", kind);
}

/** A file of another kind (a transcript beside the sound) is not the answer. */
function ofKind(bytes: Buffer, declared: string, kind: Search["kind"]): FileContent | undefined {
  const contentType = normalType(declared, bytes);
  const isVague = contentType === "application/octet-stream";
  return isVague || contentType.startsWith(`${kind}/`) ? { contentType, bytes } : undefined;
}

const sameTypes: Readonly<Record<string, string>> = {
  "audio/x-wav": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/vnd.wave": "audio/wav",
  "audio/mp3": "audio/mpeg",
  "audio/x-flac": "audio/flac",
  "audio/x-aac": "audio/aac",
  "image/jpg": "image/jpeg",
};

/** The usual name of a file's type; a type that says nothing is read from the bytes. */
export function normalType(declared: string, bytes: Buffer): string {
  const type = (declared.split(";", 1)[0] ?? "").trim().toLowerCase();
  if (type === "" || type === "application/octet-stream" || type === "text/plain") {
    return sniffType(bytes) ?? (type === "" ? "application/octet-stream" : type);
  }
  return sameTypes[type] ?? type;
}

function article(kind: Search["kind"]): string {
  return kind === "image" ? "an image" : "a sound";
}
