import type { ProviderFile } from "./adapter.ts";

const head = /^data:([^;,]*)((?:;[^;,]*)*),/i;

/** The content of a data URI (RFC 2397); undefined for any other text. */
export function parseDataUri(uri: string): ProviderFile | undefined {
  const match = head.exec(uri.slice(0, 512));
  if (match === null) return undefined;
  const [all, contentType = "", parameters = ""] = match;
  const payload = uri.slice(all.length);
  const isBase64 = /;base64$/i.test(parameters);
  try {
    return {
      contentType: contentType === "" ? "text/plain" : contentType.toLowerCase(),
      bytes: isBase64
        ? Buffer.from(payload, "base64")
        : Buffer.from(decodeURIComponent(payload), "utf8"),
    };
  } catch {
    return undefined;
  }
}

/** A file as an output: models answer files as data URIs. */
export function toDataUri({ contentType, bytes }: ProviderFile): string {
  return base64DataUri(contentType, bytes.toString("base64"));
}

/** Of base64 as providers send it; parameters of the type (`; codecs=…`) are dropped. */
export function base64DataUri(contentType: string, base64: string): string {
  const type = contentType.split(";", 1)[0]?.trim() ?? "";
  return `data:${type === "" ? "application/octet-stream" : type};base64,${base64}`;
}

const extensions: Readonly<Record<string, string>> = {
  "audio/mpeg": "mp3",
  "audio/mp3": "mp3",
  "audio/mp4": "m4a",
  "audio/x-m4a": "m4a",
  "audio/wav": "wav",
  "audio/x-wav": "wav",
  "audio/wave": "wav",
  "audio/ogg": "ogg",
  "audio/flac": "flac",
  "audio/webm": "webm",
  "video/mp4": "mp4",
  "video/webm": "webm",
  "image/png": "png",
  "image/jpeg": "jpg",
  "image/webp": "webp",
  "image/gif": "gif",
};

/** A name for a file of that type; some providers read the type from the name. */
export function fileName(stem: string, contentType: string): string {
  return `${stem}.${extensions[contentType] ?? "bin"}`;
}
