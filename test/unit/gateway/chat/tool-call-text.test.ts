import fc from "fast-check";
import { describe, expect, it } from "vitest";

import { ToolCallText, type TextPiece } from "../../../../gateway/chat/tool-call-text.ts";

// What an app with tools loses when these fail: calls that are shown as text, or text that vanishes in a call.

/** Neighbouring texts joined: how a text is cut is no business of the reader. */
function read(...texts: readonly string[]): readonly TextPiece[] {
  const reader = new ToolCallText();
  const pieces = [...texts.flatMap((text) => reader.push(text)), ...reader.end()];
  return pieces.reduce<TextPiece[]>((joined, piece) => {
    const last = joined.at(-1);
    if (piece.type !== "text" || last?.type !== "text") return [...joined, piece];
    return [...joined.slice(0, -1), { type: "text", text: last.text + piece.text }];
  }, []);
}

const text = (value: string): TextPiece => ({ type: "text", text: value });
const call = (name: string, given: unknown): TextPiece => ({
  type: "call",
  call: { name, arguments: JSON.stringify(given) },
});
const block = (value: unknown): string => `<tool_call>\n${JSON.stringify(value)}\n</tool_call>`;

describe("a model's text with tool calls", () => {
  it.each<[string, string, readonly TextPiece[]]>([
    ["plain text", "Hello there. ", [text("Hello there. ")]],
    ["one call", block({ name: "f", arguments: { a: 1 } }), [call("f", { a: 1 })]],
    [
      "text before it, without the blanks between",
      `Let me see.\n\n${block({ name: "f", arguments: {} })}\n`,
      [text("Let me see."), call("f", {})],
    ],
    [
      "two calls on lines of their own",
      `${block({ name: "f", arguments: {} })}\n${block({ name: "g", arguments: { b: [] } })}`,
      [call("f", {}), call("g", { b: [] })],
    ],
    [
      "SmolLM2's list of calls",
      block([
        { name: "f", arguments: {} },
        { name: "g", arguments: {} },
      ]),
      [call("f", {}), call("g", {})],
    ],
    [
      "Llama's word for arguments",
      block({ name: "f", parameters: { a: 1 } }),
      [call("f", { a: 1 })],
    ],
    ["arguments as JSON text", block({ name: "f", arguments: '{"a":1}' }), [call("f", { a: 1 })]],
    ["a call that lacks its end", '<tool_call>{"name":"f","arguments":{}}', [call("f", {})]],
    ["text after a call", `${block({ name: "f" })} Done.`, [call("f", {}), text(" Done.")]],
    ["broken JSON", "<tool_call>{nope}</tool_call>!", [text("<tool_call>{nope}</tool_call>!")]],
    ["a call of nothing", block({ arguments: {} }), [text(block({ arguments: {} }))]],
    ["an empty list", block([]), [text(block([]))]],
    [
      "arguments that are no object",
      block({ name: "f", arguments: "x" }),
      [text(block({ name: "f", arguments: "x" }))],
    ],
    ["the beginning of a tag", "a <tool_ca", [text("a <tool_ca")]],
    ["an open block at the end", "a <tool_call>{", [text("a <tool_call>{")]],
    ["another tag", "if a <tool> b", [text("if a <tool> b")]],
  ])("reads %s, however it is cut", (_what, written, expected) => {
    expect(read(written)).toEqual(expected);
    expect(read(...Array.from(written))).toEqual(expected);
    for (let at = 1; at < written.length; at += 1) {
      expect(read(written.slice(0, at), written.slice(at))).toEqual(expected);
    }
  });

  it("lets text go on at once that cannot become a call", () => {
    const reader = new ToolCallText();
    expect(reader.push("Hello")).toEqual([text("Hello")]);
    expect(reader.push(" <tool")).toEqual([]);
    expect(reader.push("box>")).toEqual([text(" <toolbox>")]);
  });

  it("shows a block without end as text instead of holding it for ever", () => {
    const reader = new ToolCallText();
    const long = "x".repeat(600_000);
    expect(reader.push(`<tool_call>${long}`)).toEqual([]);
    expect(reader.push(long)).toEqual([text(`<tool_call>${long}${long}`)]);
    expect(reader.end()).toEqual([]);
  });

  it("never loses a character of what is no call", () => {
    const word = fc.constantFrom("<tool_call>", "</tool_call>", "<", "{", "}", " ", "\n", "a", "ü");
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), (words) => {
        expect(read(...words)).toEqual(words.length === 0 ? [] : [text(words.join(""))]);
      }),
    );
  });
});
