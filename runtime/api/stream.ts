import { failureOf } from "./failure.ts";
import type { ApiCall } from "./route.ts";

/** The response's type of work that streams: one event per line, the result or the error last. */
const streamType = "application/x-ndjson";

/** Long work: its progress as lines where the caller accepts them, else its result when it is done. */
export async function streamed<Result>(
  { request, response }: Pick<ApiCall, "request" | "response">,
  work: (onEvent: (event: unknown) => void) => Promise<Result>,
): Promise<Result | undefined> {
  if (request.headers.accept?.includes(streamType) !== true) return await work(() => {});
  response.writeHead(200, { "content-type": streamType, "cache-control": "no-store" });
  response.flushHeaders();
  const write = (line: unknown): void => {
    response.write(`${JSON.stringify(line)}\n`);
  };
  try {
    write({ type: "result", result: await work(write) });
  } catch (error) {
    write({ type: "error", ...failureOf(error).body });
  }
  response.end();
  return undefined;
}
