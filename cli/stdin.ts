import { UsageError } from "./errors.ts";

/** No secret is as long; a file that was piped by mistake is. */
const secretBytesMax = 64 * 1024;

/**
 * A secret from standard input, without the line's end. It is never a flag: those are in shell histories and process
 * lists.
 * @throws UsageError when nothing, or far too much, comes
 */
export async function readSecret(
  input: AsyncIterable<Uint8Array | string>,
  options: { readonly flag: string; readonly signal: AbortSignal },
): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of input) {
    options.signal.throwIfAborted();
    const bytes = Buffer.from(chunk as Uint8Array);
    sizeBytes += bytes.length;
    if (sizeBytes > secretBytesMax) break;
    chunks.push(bytes);
  }
  const secret = Buffer.concat(chunks).toString("utf8").trim();
  const isTooLong = sizeBytes > secretBytesMax;
  if (secret !== "" && !isTooLong) return secret;
  const problem = isTooLong ? "far too much for a key came" : "nothing came";
  throw new UsageError(
    `${options.flag}: ${problem} on standard input`,
    `pipe it in: printf %s "$KEY" | byom … ${options.flag}`,
  );
}
