/** One server-sent event. */
export interface StreamEvent {
  /** `event:` field; `message` when there is none. */
  readonly name: string;
  readonly data: string;
  readonly id: string | undefined;
}

/** The events of a stream of bytes; comments are left out. Leaving the loop early closes the stream. */
export async function* readEvents(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<StreamEvent, void, void> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  let fields = emptyFields();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const text = line.endsWith("\r") ? line.slice(0, -1) : line;
        if (text === "") {
          if (fields.data.length > 0) {
            yield { name: fields.name, data: fields.data.join("\n"), id: fields.id };
          }
          fields = emptyFields();
        } else {
          readField(fields, text);
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

interface Fields {
  name: string;
  data: string[];
  id: string | undefined;
}

function emptyFields(): Fields {
  return { name: "message", data: [], id: undefined };
}

function readField(fields: Fields, line: string): void {
  const colon = line.indexOf(":");
  if (colon === 0) return;
  const name = colon === -1 ? line : line.slice(0, colon);
  const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (name === "event") fields.name = value;
  else if (name === "data") fields.data.push(value);
  else if (name === "id") fields.id = value;
}
