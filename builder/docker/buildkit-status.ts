/**
 * What BuildKit says of a solve, decoded from `moby.buildkit.v1.StatusResponse`
 * (buildkit/api/services/control/control.proto). Only the fields that are shown; unknown ones are skipped, so
 * newer engines may add what they like.
 */
export interface BuildStatus {
  readonly vertices: readonly BuildVertex[];
  readonly logs: readonly { readonly vertex: string; readonly text: string }[];
}

export interface BuildVertex {
  readonly digest: string;
  readonly name: string;
  readonly isCached: boolean;
  /** Unix time in ms. */
  readonly startedMs?: number;
  readonly completedMs?: number;
  readonly error?: string;
}

export function decodeBuildStatus(message: Buffer): BuildStatus {
  const vertices: BuildVertex[] = [];
  const logs: { vertex: string; text: string }[] = [];
  for (const { field, value } of readFields(message)) {
    if (!Buffer.isBuffer(value)) continue;
    if (field === 1) vertices.push(decodeVertex(value));
    if (field === 3) logs.push(decodeLog(value));
  }
  return { vertices, logs };
}

function decodeVertex(message: Buffer): BuildVertex {
  const fields = new Map([...readFields(message)].map(({ field, value }) => [field, value]));
  const [started, completed, error] = [fields.get(5), fields.get(6), fields.get(7)];
  return {
    digest: textOf(fields.get(1)),
    name: textOf(fields.get(3)),
    isCached: fields.get(4) === 1n,
    ...(Buffer.isBuffer(started) ? { startedMs: decodeTimestamp(started) } : {}),
    ...(Buffer.isBuffer(completed) ? { completedMs: decodeTimestamp(completed) } : {}),
    ...(Buffer.isBuffer(error) && error.length > 0 ? { error: textOf(error) } : {}),
  };
}

function decodeLog(message: Buffer): { vertex: string; text: string } {
  const fields = new Map([...readFields(message)].map(({ field, value }) => [field, value]));
  return { vertex: textOf(fields.get(1)), text: textOf(fields.get(4)) };
}

/** google.protobuf.Timestamp: seconds and nanoseconds since 1970. */
function decodeTimestamp(message: Buffer): number {
  let ms = 0;
  for (const { field, value } of readFields(message)) {
    if (typeof value !== "bigint") continue;
    if (field === 1) ms += Number(value) * 1_000;
    if (field === 2) ms += Number(value) / 1_000_000;
  }
  return ms;
}

function textOf(value: bigint | Buffer | undefined): string {
  return Buffer.isBuffer(value) ? value.toString("utf8") : "";
}

/** The wire format (protobuf.dev "Encoding"): varints and length-delimited values; fixed ones are skipped. */
function* readFields(message: Buffer): Generator<{ field: number; value: bigint | Buffer }> {
  let position = 0;
  const readVarint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; position < message.length; shift += 7n) {
      const byte = message[position++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    return value;
  };
  while (position < message.length) {
    const key = Number(readVarint());
    const wireType = key & 7;
    if (wireType === 0) yield { field: key >> 3, value: readVarint() };
    else if (wireType === 2) {
      const length = Number(readVarint());
      yield { field: key >> 3, value: message.subarray(position, position + length) };
      position += length;
    } else if (wireType === 1) position += 8;
    else if (wireType === 5) position += 4;
    else return;
  }
}
