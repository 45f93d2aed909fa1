/**
 * Reads server-sent events from a response (https://html.spec.whatwg.org/multipage/server-sent-events.html), as they
 * come: `{event, data, id}`. Comments are passed over.
 */
export async function* readEvents(response) {
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      // A line end may be cut in two by the network: a lone \r at the end waits for what follows.
      const text = rest + decoder.decode(value, { stream: true });
      const usable = text.endsWith("\r") ? text.length - 1 : text.length;
      const blocks = text.slice(0, usable).replaceAll(/\r\n?/g, "\n").split("\n\n");
      rest = blocks.pop() + text.slice(usable);
      for (const block of blocks) {
        const event = parseBlock(block);
        if (event !== undefined) yield event;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function parseBlock(block) {
  const fields = { event: "message", data: [], id: undefined };
  for (const line of block.split("\n")) {
    if (line === "" || line.startsWith(":")) continue;
    const colon = line.indexOf(":");
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "data") fields.data.push(value);
    else if (name === "event" || name === "id") fields[name] = value;
  }
  if (fields.data.length === 0) return undefined;
  return { ...fields, data: fields.data.join("\n") };
}
