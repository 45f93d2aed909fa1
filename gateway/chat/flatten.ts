import type { ChatMessage } from "./messages.ts";

/**
 * A chat as one text, for a model that takes a plain prompt and has no template. A single user message is the prompt
 * itself; a longer chat is written turn by turn and ends where the model is to go on.
 */
export function flattenChat(
  messages: readonly ChatMessage[],
  options: { readonly hasSystemInput: boolean },
): { readonly prompt: string; readonly system: string | undefined } {
  const isSystem = ({ role }: ChatMessage): boolean => role === "system" || role === "developer";
  const systemText = messages
    .filter(isSystem)
    .map(({ text }) => text)
    .join("\n\n");
  const system = systemText === "" ? undefined : systemText;
  const turns = messages.filter((message) => !isSystem(message));
  const [only] = turns;
  const isPlain = turns.length === 1 && only?.role === "user";
  if (isPlain && (system === undefined || options.hasSystemInput)) {
    return { prompt: only.text, system };
  }
  const lines = turns.map(({ role, text }) => `${speaker(role)}: ${text}`);
  if (system !== undefined && !options.hasSystemInput) lines.unshift(`System: ${system}`);
  return { prompt: [...lines, "Assistant:"].join("\n"), system };
}

function speaker(role: string): string {
  return role.charAt(0).toUpperCase() + role.slice(1);
}
