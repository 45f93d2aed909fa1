// A provider that answers at once, over OpenAI's chat protocol: what is measured beside it is the way to it.
// A prompt `hold` gets one token and then silence, to keep streams open.
import { createServer, type ServerResponse } from "node:http";
import { announce } from "./process.ts";

const words = Array.from({ length: 16 }, (_, index) => ` word${index}`);
const head = { id: "chatcmpl-1", created: 1_790_000_000, model: "upstream" };
const usage = { prompt_tokens: 9, completion_tokens: 16, total_tokens: 25 };

const whole = Buffer.from(
  JSON.stringify({
    ...head,
    object: "chat.completion",
    choices: [
      {
        index: 0,
        message: { role: "assistant", content: words.join("") },
        finish_reason: "stop",
      },
    ],
    usage,
  }),
);

function chunk(content: string): string {
  const choices = [{ index: 0, delta: { content }, finish_reason: null }];
  return `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices })}\n\n`;
}

const counted = `data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\n`;

function stream(response: ServerResponse, isHeld: boolean): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk(words[0] ?? ""));
  if (isHeld) return;
  for (const word of words.slice(1)) response.write(chunk(word));
  response.end(`${counted}data: [DONE]\n\n`);
}

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts).toString("latin1");
    if (body.includes('"stream":true')) {
      stream(response, body.includes('"hold"'));
      return;
    }
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": String(whole.length),
    });
    response.end(whole);
  });
});
server.keepAliveTimeout = 60_000;
await announce(server);
