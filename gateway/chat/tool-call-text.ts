import { isObject } from "../http/body.ts";

/** A tool call as a model wrote it. */
export interface WrittenCall {
  readonly name: string;
  /** JSON text. */
  readonly arguments: string;
}

export type TextPiece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "call"; readonly call: WrittenCall };

const openTag = "<tool_call>";
const closeTag = "</tool_call>";
/** UTF-16 units; a block that is larger is no call that anybody could run, and is shown as the text that it is. */
const blockLengthMax = 1024 * 1024;

/**
 * Tells text from tool calls in what a model writes, piece by piece: blocks
 * `<tool_call>{"name":…,"arguments":{…}}</tool_call>` as Hermes, Qwen and SmolLM2 write them (SmolLM2 a list of them).
 * What may become a block is held back until it is clear; a block that holds no call stays text.
 */
export class ToolCallText {
  /** What is held back: blanks and the beginning of a tag, or the beginning of a block. */
  #held = "";
  /** More of a block that is not closed; joined once it is, so that a long block costs its length and not its square. */
  #more: string[] = [];
  #moreLength = 0;
  #isInside = false;
  #hasCalled = false;

  push(text: string): readonly TextPiece[] {
    if (this.#isInside && !this.#mayClose(text)) {
      this.#more.push(text);
      this.#moreLength += text.length;
      return [];
    }
    this.#held += this.#more.join("") + text;
    this.#more = [];
    this.#moreLength = 0;
    const pieces: TextPiece[] = [];
    while (this.#step(pieces));
    return pieces;
  }

  #mayClose(text: string): boolean {
    if (this.#held.length + this.#moreLength + text.length > blockLengthMax) return true;
    const before = this.#more.length > 0 ? this.#more.slice(-closeTag.length).join("") : this.#held;
    return (before.slice(-closeTag.length) + text).includes(closeTag);
  }

  /** The rest; a last block may lack its end, as when the end is the model's stop word. */
  end(): readonly TextPiece[] {
    const rest = this.#held + this.#more.join("");
    this.#held = "";
    this.#more = [];
    const isInside = this.#isInside;
    this.#isInside = false;
    if (isInside) {
      const calls = readCalls(rest.slice(openTagEnd(rest)));
      if (calls.length > 0) return calls.map((call) => ({ type: "call", call }));
    }
    const isBlank = rest.trim() === "";
    return rest === "" || (isBlank && this.#hasCalled) ? [] : [{ type: "text", text: rest }];
  }

  /** Takes one text or block off what is held; false when nothing more is clear. */
  #step(pieces: TextPiece[]): boolean {
    return this.#isInside ? this.#closeBlock(pieces) : this.#findBlock(pieces);
  }

  #findBlock(pieces: TextPiece[]): boolean {
    const at = this.#held.indexOf(openTag);
    const textEnd = at === -1 ? clearLength(this.#held) : this.#held.slice(0, at).trimEnd().length;
    if (textEnd > 0) pieces.push({ type: "text", text: this.#held.slice(0, textEnd) });
    // Blanks before a block stay with it: they are text only if it proves to be none.
    this.#held = this.#held.slice(textEnd);
    this.#isInside = at !== -1;
    return this.#isInside;
  }

  #closeBlock(pieces: TextPiece[]): boolean {
    const end = this.#held.indexOf(closeTag);
    if (end === -1 && this.#held.length <= blockLengthMax) return false;
    const blockEnd = end === -1 ? this.#held.length : end + closeTag.length;
    const inner = this.#held.slice(openTagEnd(this.#held), end === -1 ? undefined : end);
    const calls = end === -1 ? [] : readCalls(inner);
    if (calls.length === 0) pieces.push({ type: "text", text: this.#held.slice(0, blockEnd) });
    for (const call of calls) pieces.push({ type: "call", call });
    if (calls.length > 0) this.#hasCalled = true;
    this.#held = this.#held.slice(blockEnd);
    this.#isInside = false;
    return this.#held !== "";
  }
}

function openTagEnd(held: string): number {
  return held.indexOf(openTag) + openTag.length;
}

/** How much of a text cannot be the beginning of a block, nor the blanks before one. */
function clearLength(text: string): number {
  for (let length = Math.min(openTag.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(openTag.slice(0, length))) {
      return text.slice(0, text.length - length).trimEnd().length;
    }
  }
  return text.trimEnd().length;
}

/** The calls in a block: one, or a list of them; nothing when it is not JSON or names no function. */
function readCalls(text: string): readonly WrittenCall[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  const calls = (Array.isArray(value) ? value : [value]).map(readCall);
  return calls.every((call) => call !== undefined) ? calls : [];
}

function readCall(value: unknown): WrittenCall | undefined {
  if (!isObject(value)) return undefined;
  const { name } = value;
  if (typeof name !== "string" || name === "") return undefined;
  const given = value["arguments"] ?? value["parameters"] ?? {};
  if (typeof given === "string")
    return isJsonObject(given) ? { name, arguments: given } : undefined;
  return isObject(given) ? { name, arguments: JSON.stringify(given) } : undefined;
}

function isJsonObject(text: string): boolean {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}
