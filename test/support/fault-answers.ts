import type { FaultRequest } from "./fault-server.ts";

interface Turn {
  readonly role: string;
  readonly text: string;
}

/** The conversation of a request in any shape; an own model's is in its input. */
export function turnsOf({ body }: Pick<FaultRequest, "body">): readonly Turn[] {
  const input = (body["input"] ?? {}) as { readonly messages?: unknown };
  const messages = body["messages"] ?? input.messages;
  if (!Array.isArray(messages)) return [];
  return (messages as readonly { readonly role: string; readonly content: unknown }[]).map(
    ({ role, content }) => ({ role, text: textOf(content) }),
  );
}

/** As a model does whose own turn is the last one and has not ended: it goes on from there. */
export function goOn(
  request: Pick<FaultRequest, "body">,
  pieces: readonly string[],
): readonly string[] {
  const last = turnsOf(request).at(-1);
  const whole = pieces.join("");
  if (last?.role !== "assistant" || last.text === "" || !whole.startsWith(last.text)) return pieces;
  const rest = whole.slice(last.text.length);
  return rest === "" ? [] : [rest.slice(0, 1), rest.slice(1)].filter((piece) => piece !== "");
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return (content as readonly { readonly text?: string }[]).map(({ text }) => text ?? "").join("");
}
