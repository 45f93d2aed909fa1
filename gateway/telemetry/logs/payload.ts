import {
  dataUriCharactersMax,
  payloadBytesMax,
  payloadDepthMax,
  payloadTextCharactersMax,
} from "../limits.ts";

/** A value as JSON of bounded size, and how large it was as far as it was looked at. */
export interface BoundedJson {
  readonly json: string;
  /** Bytes of the original where they are known at no cost (a buffer, a text); else those of the copy. */
  readonly sizeBytes: number;
  readonly isCut: boolean;
}

/**
 * Copies a value as JSON without ever looking at more of it than the limit holds: long texts are cut, files in data URIs
 * keep their head, and what comes after the limit is left out, each with a word that says so.
 */
export function boundedJson(value: unknown, bytesMax: number = payloadBytesMax): BoundedJson {
  const source = Buffer.isBuffer(value) ? readBuffer(value, bytesMax) : value;
  const budget = { bytesLeft: bytesMax, isCut: false };
  const json = JSON.stringify(copy(source, budget, 0)) ?? "null";
  const sizeBytes = sizeOf(value) ?? Buffer.byteLength(json);
  return { json, sizeBytes, isCut: budget.isCut };
}

interface Budget {
  bytesLeft: number;
  isCut: boolean;
}

/** A body in some shape: its JSON when it is small enough to be parsed, else its text as far as it goes. */
function readBuffer(bytes: Buffer, bytesMax: number): unknown {
  const text = bytes.toString("utf8", 0, bytesMax);
  if (bytes.length > bytesMax) return `${text}… (cut: ${bytes.length} bytes)`;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function sizeOf(value: unknown): number | undefined {
  if (Buffer.isBuffer(value)) return value.length;
  return typeof value === "string" ? value.length : undefined;
}

function copy(value: unknown, budget: Budget, depth: number): unknown {
  if (typeof value === "string") return copyText(value, budget);
  if (typeof value !== "object" || value === null) {
    budget.bytesLeft -= 8;
    return typeof value === "bigint" ? String(value) : value;
  }
  if (depth >= payloadDepthMax || budget.bytesLeft <= 0) {
    budget.isCut = true;
    return "… (cut)";
  }
  if (Buffer.isBuffer(value)) return `(${value.length} bytes)`;
  return Array.isArray(value)
    ? copyArray(value, budget, depth)
    : copyObject(value as Readonly<Record<string, unknown>>, budget, depth);
}

function copyText(text: string, budget: Budget): string {
  const isFile = text.length > dataUriCharactersMax && /^data:[\w.+/;=-]{0,80},/.test(text);
  const most = isFile ? dataUriCharactersMax : payloadTextCharactersMax;
  const kept = Math.max(0, Math.min(text.length, most, budget.bytesLeft));
  budget.bytesLeft -= kept + 2;
  if (kept === text.length) return text;
  budget.isCut = true;
  return `${text.slice(0, kept)}… (cut: ${text.length} characters)`;
}

function copyArray(items: readonly unknown[], budget: Budget, depth: number): unknown[] {
  const copied: unknown[] = [];
  for (const item of items) {
    if (budget.bytesLeft <= 0) {
      budget.isCut = true;
      copied.push(`… (cut: ${items.length} items)`);
      break;
    }
    copied.push(copy(item, budget, depth + 1));
  }
  return copied;
}

function copyObject(
  value: Readonly<Record<string, unknown>>,
  budget: Budget,
  depth: number,
): Record<string, unknown> {
  const copied: Record<string, unknown> = {};
  for (const name in value) {
    if (!Object.hasOwn(value, name)) continue;
    if (budget.bytesLeft <= 0) {
      budget.isCut = true;
      copied["…"] = "(cut)";
      break;
    }
    budget.bytesLeft -= name.length + 4;
    copied[name.slice(0, payloadTextCharactersMax)] = copy(value[name], budget, depth + 1);
  }
  return copied;
}
