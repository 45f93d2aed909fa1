// A message that two upstreams give: Anthropic's clients throw at a second message_start and mix up blocks that are
// counted twice.
import { describe, expect, it } from "vitest";

import { MessageBlocks } from "../../../../gateway/surface/message-blocks.ts";

function event(name: string, data: Readonly<Record<string, unknown>>): Buffer {
  return Buffer.from(`event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`);
}

const start = event("message_start", { message: { id: "msg_1" } });
const text = (index: number): Buffer =>
  event("content_block_start", { index, content_block: { type: "text", text: "" } });
const tool = (index: number): Buffer =>
  event("content_block_start", { index, content_block: { type: "tool_use", name: "pay" } });
const delta = (index: number, said: string): Buffer =>
  event("content_block_delta", { index, delta: { type: "text_delta", text: said } });
const stop = (index: number): Buffer => event("content_block_stop", { index });

/** Passes events on; the ones that come out. */
function pass(blocks: MessageBlocks, ...events: readonly Buffer[]): readonly string[] {
  return events.flatMap((one) => blocks.pass(one)?.toString("utf8") ?? []);
}

const written = (...events: readonly Buffer[]): readonly string[] =>
  events.map((one) => one.toString("utf8"));

describe("the blocks of a message", () => {
  it("pass as they are while one upstream gives them", () => {
    const events = [start, text(0), delta(0, "One"), stop(0), tool(1), stop(1)];
    expect(pass(new MessageBlocks(), ...events)).toEqual(written(...events));
  });

  it("are counted on after a restart, in one message, the open one closed", () => {
    const blocks = new MessageBlocks();
    pass(blocks, start, text(0), stop(0), text(1), delta(1, "On"));
    expect(blocks.turn("restart")).toBe(stop(1).toString("utf8"));
    expect(pass(blocks, start, text(0), delta(0, "One"), stop(0), tool(1), stop(1))).toEqual(
      written(text(2), delta(2, "One"), stop(2), tool(3), stop(3)),
    );
  });

  it("go on within the open text after a handover", () => {
    const blocks = new MessageBlocks();
    pass(blocks, start, text(0), delta(0, "One, "));
    expect(blocks.turn("handover")).toBe("");
    expect(pass(blocks, start, text(0), delta(0, "two."), stop(0), tool(1), stop(1))).toEqual(
      written(delta(0, "two."), stop(0), tool(1), stop(1)),
    );
  });

  it("begin a block of their own after a handover where none is open, or it is no text", () => {
    const closed = new MessageBlocks();
    pass(closed, start, text(0), delta(0, "One."), stop(0));
    closed.turn("handover");
    expect(pass(closed, text(0), stop(0))).toEqual(written(text(1), stop(1)));
    const open = new MessageBlocks();
    pass(open, start, text(0), delta(0, "One"));
    open.turn("handover");
    expect(pass(open, tool(0), stop(0))).toEqual(written(tool(1), stop(1)));
  });

  it("count what the gateway wrote itself for an upstream of another shape", () => {
    const blocks = new MessageBlocks();
    pass(blocks, start, text(0), delta(0, "On"));
    blocks.turn("restart");
    blocks.note(text(1).toString("utf8") + delta(1, "One").toString("utf8"));
    expect(blocks.place).toEqual({ index: 1, isOpen: true });
    expect(blocks.turn("restart")).toBe(stop(1).toString("utf8"));
    expect(pass(blocks, start, text(0), stop(0))).toEqual(written(text(2), stop(2)));
  });
});
