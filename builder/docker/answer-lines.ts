import type { Readable } from "node:stream";

/** One status of BuildKit with all its log lines stays far below; what is longer is no line of an engine. */
const lineBytesMax: number = 32 * 1024 ** 2;

/**
 * The lines of an answer that the engine streams. Whoever stops reading closes the connection with it, so that an
 * abort that comes later finds nobody to surprise.
 * @throws what broke the connection.
 */
export async function* readAnswerLines(answer: Readable): AsyncGenerator<string> {
  let pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = piece.indexOf(10); end !== -1; end = piece.indexOf(10, start)) {
      yield Buffer.concat([...pieces, piece.subarray(start, end)]).toString("utf8");
      pieces = [];
      bytes = 0;
      start = end + 1;
    }
    pieces.push(piece.subarray(start));
    bytes += piece.length - start;
    if (bytes > lineBytesMax)
      throw new Error(`the engine sent a line of more than ${lineBytesMax} bytes`);
  }
  if (bytes > 0) yield Buffer.concat(pieces).toString("utf8");
}
