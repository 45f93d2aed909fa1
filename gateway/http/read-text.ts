/**
 * A whole answer as text.
 * @throws `RangeError` when it is larger than `bytesMax`; what breaks the connection
 */
export async function readText(
  body: AsyncIterable<Buffer>,
  { bytesMax }: { readonly bytesMax: number },
): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of body) {
    sizeBytes += chunk.length;
    if (sizeBytes > bytesMax) throw new RangeError("the answer is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
