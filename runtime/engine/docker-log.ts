/** Bytes of a frame's header: stream, three zeros, length as a big-endian 32-bit number (Engine API: container attach). */
const headerBytes = 8;

/** The text of a multiplexed log, stdout and stderr in the order in which Docker recorded them. */
export function demultiplex(output: Buffer): string {
  const parts: Buffer[] = [];
  let offset = 0;
  while (offset + headerBytes <= output.length) {
    const length = output.readUInt32BE(offset + 4);
    const begin = offset + headerBytes;
    parts.push(output.subarray(begin, begin + length));
    offset = begin + length;
  }
  return Buffer.concat(parts).toString("utf8");
}
