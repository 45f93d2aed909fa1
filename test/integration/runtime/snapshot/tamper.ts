import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** One field of a protobuf message: its number, and a number or bytes. */
export type Field = readonly [number: number, value: bigint | Buffer];

/** The fields of a message with only numbers, bytes and what is made of bytes, which is all that is changed here. */
export function fieldsOf(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at] ?? 0;
      at += 1;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    if ((tag & 7n) === 0n) {
      fields.push([Number(tag >> 3n), varint()]);
    } else {
      const length = Number(varint());
      fields.push([Number(tag >> 3n), message.subarray(at, at + length)]);
      at += length;
    }
  }
  return fields;
}

export function messageOf(fields: readonly Field[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) =>
      typeof value === "bigint"
        ? [varintOf(BigInt(number) << 3n), varintOf(value)]
        : [varintOf((BigInt(number) << 3n) | 2n), varintOf(BigInt(value.length)), value],
    ),
  );
}

/** The same message with this field set; `undefined` takes it away. */
export function withField(message: Buffer, number: number, value?: bigint | Buffer): Buffer {
  const others = fieldsOf(message).filter(([own]) => own !== number);
  return messageOf(value === undefined ? others : [...others, [number, value]]);
}

/** The bytes of the first field with this number. */
export function inside(message: Buffer, number: number): Buffer {
  const value = fieldsOf(message).find(([own]) => own === number)?.[1];
  if (Buffer.isBuffer(value)) return value;
  throw new Error(`the message has no message ${number}`);
}

/** Changes the entries of one of CRIU's images in place. */
export async function tamper(
  images: string,
  name: string,
  change: (entries: readonly Buffer[]) => readonly Buffer[],
): Promise<void> {
  const bytes = await readFile(join(images, name));
  let at = name === "inventory.img" ? 4 : 8;
  const head = bytes.subarray(0, at);
  const entries: Buffer[] = [];
  while (at < bytes.length) {
    const length = bytes.readUInt32LE(at);
    entries.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  await writeFile(join(images, name), Buffer.concat([head, ...change(entries).flatMap(framed)]));
}

/** One entry as it lies in an image. */
export function framed(entry: Buffer): readonly Buffer[] {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(entry.length);
  return [length, entry];
}

function varintOf(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** Changes the first of the messages with this number. */
export const firstOf = (
  message: Buffer,
  number: number,
  change: (value: Buffer) => Buffer,
): Buffer => {
  let isDone = false;
  return messageOf(
    fieldsOf(message).map(([own, value]) => {
      if (own !== number || isDone || typeof value === "bigint") return [own, value];
      isDone = true;
      return [own, change(value)];
    }),
  );
};

const blockOf = (...parts: readonly (readonly [number, string])[]): Buffer => {
  const block = Buffer.alloc(512);
  for (const [at, value] of parts) block.write(value, at, "latin1");
  return block;
};
/** An entry of a device in tar's header (POSIX.1-2017, ustar). */
export const deviceEntry = (name: string, major: string, minor: string): Buffer => {
  const block = blockOf(
    [0, name],
    [100, "0000666\0"],
    [108, "0000000\0"],
    [116, "0000000\0"],
    [124, "00000000000\0"],
    [136, "00000000000\0"],
    [148, "        "],
    [156, "3"],
    [257, "ustar\x0000"],
    [329, `${major}\0`],
    [337, `${minor}\0`],
  );
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return block;
};
