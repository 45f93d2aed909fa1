import type { ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How a double answers one request. */
export type DoubleAnswer = (response: ServerResponse) => void | Promise<void>;

type Headers = Readonly<Record<string, string>>;

export function send(response: ServerResponse, answer: DoubleAnswer): Promise<void> {
  return Promise.resolve(answer(response));
}

export function json(
  body: unknown,
  { status = 200, headers = {} }: { readonly status?: number; readonly headers?: Headers } = {},
): DoubleAnswer {
  return (response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify(body));
  };
}

/** A failure in the provider's own shape, such as a 429 with `retry-after`. */
export function fail(status: number, body: unknown, headers: Headers = {}): DoubleAnswer {
  return json(body, { status, headers });
}

export function bytes(content: Buffer, contentType: string, headers: Headers = {}): DoubleAnswer {
  return (response) => {
    response.writeHead(200, { "content-type": contentType, ...headers });
    response.end(content);
  };
}

/** Frames of a stream: a string as it is (so with its empty line), anything else as one `data:` event of JSON. */
export function sse(frames: readonly unknown[]): DoubleAnswer {
  return async (response) => {
    await writeFrames(response, frames);
    response.end();
  };
}

/** A stream whose connection breaks after these frames. */
export function cutAfter(frames: readonly unknown[]): DoubleAnswer {
  return async (response) => {
    await writeFrames(response, frames);
    // So that what was written leaves before the reset.
    await sleep(5);
    response.destroy();
  };
}

/** A stream that says nothing after these frames; the caller must leave. */
export function stall(frames: readonly unknown[] = []): DoubleAnswer {
  return async (response) => {
    await writeFrames(response, frames);
  };
}

/** A connection that breaks before an answer. */
export function cut(): DoubleAnswer {
  return (response) => {
    response.destroy();
  };
}

async function writeFrames(response: ServerResponse, frames: readonly unknown[]): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
  response.flushHeaders();
  for (const frame of frames) {
    const text = typeof frame === "string" ? frame : `data: ${JSON.stringify(frame)}\n\n`;
    if (response.destroyed) return;
    await new Promise<void>((resolve) => response.write(text, () => resolve()));
  }
}
