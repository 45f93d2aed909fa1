import type { ProviderCall, ProviderResult } from "../adapter.ts";
import { toDataUri } from "../data-uri.ts";
import { cutStream } from "../failure.ts";

/** Formats whose pieces follow each other without a head of their own. */
const joinable: ReadonlySet<string> = new Set(["mp3", "pcm", "alaw", "mulaw"]);

/** Whether a speech goes out in pieces: somebody reads them as they come, and they can follow each other. */
export function isInPieces(call: ProviderCall, format: string): boolean {
  return call.isStreaming && joinable.has(format);
}

/** A speech that came whole: the only piece for an entry whose output is a list of them. */
export function wholeSound({ isStreaming }: ProviderCall, sound: string): unknown {
  return isStreaming ? [sound] : sound;
}

/**
 * A speech that comes in pieces: each goes out at once as a data URI, all of them are the output.
 * @throws `GatewayError` `upstream_cut` when there was none
 */
export async function soundPieces(
  call: ProviderCall,
  options: {
    readonly contentType: string;
    readonly pieces: AsyncIterable<Buffer>;
    /** Read once the pieces have ended. */
    readonly metrics: () => ProviderResult["metrics"];
  },
): Promise<ProviderResult> {
  const output: string[] = [];
  for await (const bytes of options.pieces) {
    if (bytes.length === 0) continue;
    const piece = toDataUri({ contentType: options.contentType, bytes });
    output.push(piece);
    call.emit(piece);
  }
  if (output.length === 0) throw cutStream(call.http.provider);
  return { output, metrics: options.metrics() };
}
