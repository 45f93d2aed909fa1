/** Where a value lies in a JSON text: from its first byte to the one after its last. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** An object's fields found by one pass over its bytes, without parsing the values. */
export type Fields = ReadonlyMap<string, Span>;

/**
 * Finds the values of some keys of a JSON object. Values are stepped over, not checked: what is between the fields
 * has to be checked by whoever parses the whole. Undefined when the text is no object, is cut off, or has one of the
 * keys twice (readers would disagree on which one counts) or written with escapes.
 */
export function scanFields(text: Buffer, names: ReadonlySet<string>): Fields | undefined {
  const fields = new Map<string, Span>();
  let at = skipSpace(text, 0);
  if (text[at] !== openBrace) return undefined;
  at = skipSpace(text, at + 1);
  if (text[at] === closeBrace) return isOnlySpace(text, at + 1) ? fields : undefined;
  for (;;) {
    if (text[at] !== quote) return undefined;
    const keyEnd = stringEnd(text, at);
    if (keyEnd === -1) return undefined;
    const key = text.toString("latin1", at + 1, keyEnd - 1);
    if (key.includes("\\")) return undefined;
    at = skipSpace(text, keyEnd);
    if (text[at] !== colon) return undefined;
    const start = skipSpace(text, at + 1);
    const end = valueEnd(text, start);
    if (end === -1) return undefined;
    if (names.has(key)) {
      if (fields.has(key)) return undefined;
      fields.set(key, { start, end });
    }
    at = skipSpace(text, end);
    if (text[at] === closeBrace) return isOnlySpace(text, at + 1) ? fields : undefined;
    if (text[at] !== comma) return undefined;
    at = skipSpace(text, at + 1);
  }
}

/** The end of the value that starts here; -1 when the text ends before it, or nothing is there. */
export function valueEnd(text: Buffer, start: number): number {
  const first = text[start];
  if (first === quote) return stringEnd(text, start);
  if (first === openBrace || first === openBracket) return nestedEnd(text, start);
  let at = start;
  while (at < text.length && isScalarByte(text[at] ?? 0)) at += 1;
  return at === start ? -1 : at;
}

function nestedEnd(text: Buffer, start: number): number {
  let depth = 0;
  for (let at = start; at < text.length; at += 1) {
    const byte = text[at];
    if (byte === quote) {
      const end = stringEnd(text, at);
      if (end === -1) return -1;
      at = end - 1;
    } else if (byte === openBrace || byte === openBracket) {
      depth += 1;
    } else if (byte === closeBrace || byte === closeBracket) {
      depth -= 1;
      if (depth === 0) return at + 1;
    }
  }
  return -1;
}

/** After the closing quote of the string that starts here. The search for quotes is native: megabytes of base64 cost little. */
function stringEnd(text: Buffer, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf(quote, at + 1);
    if (at === -1) return -1;
    let slashes = 0;
    while (text[at - 1 - slashes] === backslash) slashes += 1;
    if (slashes % 2 === 0) return at + 1;
  }
}

function skipSpace(text: Buffer, from: number): number {
  let at = from;
  while (isSpace(text[at] ?? 0)) at += 1;
  return at;
}

function isOnlySpace(text: Buffer, from: number): boolean {
  return skipSpace(text, from) === text.length;
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Numbers, `true`, `false`, `null`. */
function isScalarByte(byte: number): boolean {
  return (
    (byte >= 0x30 && byte <= 0x39) ||
    (byte >= 0x61 && byte <= 0x7a) ||
    byte === 0x2d ||
    byte === 0x2b ||
    byte === 0x2e ||
    byte === 0x45
  );
}
