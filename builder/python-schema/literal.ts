import type { Node } from "web-tree-sitter";
import { childrenOf } from "./syntax.ts";

/** The number that an `integer` or `float` node says; undefined for complex numbers. */
export function readNumber(text: string): number | undefined {
  const clean = text.replaceAll("_", "");
  if (/^0[xob]/i.test(clean)) return Number(clean);
  if (!/^[\d.]+(e[+-]?\d+)?$/i.test(clean)) return undefined;
  return Number(clean);
}

/** A piece of a string literal: text, or an expression of an f-string. */
export type StringPiece = { readonly text: string } | { readonly expression: Node };

/** The pieces of a `string` node with its escapes decoded; undefined for bytes. */
export function readString(node: Node): StringPiece[] | undefined {
  const pieces: StringPiece[] = [];
  const prefix = (node.namedChild(0)?.text ?? "").toLowerCase();
  if (prefix.startsWith("b") || prefix.startsWith("rb")) return undefined;
  const isRaw = prefix.startsWith("r") || prefix.startsWith("fr");
  const isFormat = prefix.startsWith("f") || prefix.startsWith("rf");
  for (const child of childrenOf(node)) {
    if (child.type === "string_content") {
      const text = isFormat ? child.text.replaceAll("{{", "{").replaceAll("}}", "}") : child.text;
      pieces.push({ text: isRaw ? text : decodeEscapes(text) });
    } else if (child.type === "interpolation") {
      const expression = child.childForFieldName("expression");
      if (expression === null || childrenOf(child).length > 1) return undefined;
      pieces.push({ expression });
    }
  }
  return pieces;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  a: "\u0007",
  b: "\b",
  f: "\f",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "\n": "",
};

/** Escapes of a Python string literal (Python reference, "String and Bytes literals"). Unknown ones stay as written. */
function decodeEscapes(text: string): string {
  const pattern = /\\(?:x([\da-f]{2})|u([\da-f]{4})|U([\da-f]{8})|([0-7]{1,3})|([\s\S]))/gi;
  return text.replaceAll(pattern, (whole, ...groups: (string | undefined)[]) => {
    const [x, u, long, octal, simple] = groups;
    // The pattern ignores case, so `\X41` comes here too; Python knows only `\x`, `\u` and `\U`.
    const hex = x ?? u ?? long;
    if (hex !== undefined) return decodeCodePoint(Number.parseInt(hex, 16), whole);
    if (octal !== undefined) return decodeCodePoint(Number.parseInt(octal, 8), whole);
    return (simple === undefined ? undefined : simpleEscapes[simple]) ?? whole;
  });
}

function decodeCodePoint(codePoint: number, whole: string): string {
  return codePoint <= 0x10_ff_ff ? String.fromCodePoint(codePoint) : whole;
}
