import { quoted, refuse } from "./refusal.ts";

/** Wire types of protobuf (protobuf.dev, "Encoding"); groups are not used by CRIU. */
const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

type Value = bigint | Uint8Array;

/**
 * One protobuf message, read field by field without a schema. Stricter than the format: a field that its reader takes
 * as single must not come twice, because parsers differ in which one they keep, and a field of another wire type than
 * expected is refused.
 */
export class Message {
  readonly #fields = new Map<number, Value[]>();
  readonly #what: string;

  /** @param what names the message in a refusal. */
  constructor(bytes: Uint8Array, what: string) {
    this.#what = what;
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n; shift < 70n; shift += 7n) {
        const byte = bytes[at];
        if (byte === undefined) this.#broken();
        at += 1;
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return BigInt.asUintN(64, value);
      }
      return this.#broken();
    };
    const take = (length: number): Uint8Array => {
      if (length > bytes.byteLength - at) this.#broken();
      at += length;
      return bytes.subarray(at - length, at);
    };
    while (at < bytes.byteLength) {
      const tag = varint();
      const field = Number(tag >> 3n);
      if (field < 1 || field >= 2 ** 29) this.#broken();
      const type = Number(tag & 7n);
      let value: Value;
      if (type === wireTypes.varint) value = varint();
      else if (type === wireTypes.fixed64) value = take(8);
      else if (type === wireTypes.fixed32) value = take(4);
      else if (type === wireTypes.bytes) value = take(Number(varint()));
      else return this.#broken();
      const values = this.#fields.get(field);
      if (values === undefined) this.#fields.set(field, [value]);
      else values.push(value);
    }
  }

  has(field: number): boolean {
    return this.#fields.has(field);
  }

  /** Refuses fields that these are not: a newer CRIU may mean something by them that nobody here has looked at. */
  expectOnly(fields: readonly number[]): void {
    const unknown = [...this.#fields.keys()].find((field) => !fields.includes(field));
    if (unknown !== undefined) refuse(`${this.#what} has the unknown field ${unknown}`);
  }

  /** An unsigned number of 32 bits, as CRIU's reader would cut it. */
  uint32(field: number): number | undefined {
    const value = this.#single(field);
    if (value === undefined) return undefined;
    if (typeof value !== "bigint") return this.#broken();
    return Number(BigInt.asUintN(32, value));
  }

  uint64(field: number): bigint | undefined {
    const value = this.#single(field);
    return value === undefined || typeof value === "bigint" ? value : this.#broken();
  }

  /** `sint32`: zigzag. */
  sint32(field: number): number | undefined {
    const value = this.uint32(field);
    return value === undefined ? undefined : (value >>> 1) ^ -(value & 1);
  }

  /** `int32`: two's complement. */
  int32(field: number): number | undefined {
    const value = this.uint32(field);
    return value === undefined ? undefined : value | 0;
  }

  /** Repeated `uint32`, packed or not. */
  uint32s(field: number): readonly number[] {
    return (this.#fields.get(field) ?? []).flatMap((value) => {
      if (typeof value === "bigint") return [Number(BigInt.asUintN(32, value))];
      return this.#unpack(value);
    });
  }

  bytes(field: number): Uint8Array | undefined {
    const value = this.#single(field);
    return value === undefined || typeof value !== "bigint" ? value : this.#broken();
  }

  /** Latin-1, so that every byte stays visible. A NUL, at which C would stop reading, is refused. */
  text(field: number): string | undefined {
    const bytes = this.bytes(field);
    if (bytes === undefined) return undefined;
    const text = Buffer.from(bytes).toString("latin1");
    if (text.includes("\0")) refuse(`${this.#what} has a NUL in ${quoted(text)}`);
    return text;
  }

  texts(field: number): readonly string[] {
    return (this.#fields.get(field) ?? []).map((value) =>
      typeof value === "bigint" ? this.#broken() : Buffer.from(value).toString("latin1"),
    );
  }

  message(field: number, what: string = this.#what): Message | undefined {
    const bytes = this.bytes(field);
    return bytes === undefined ? undefined : new Message(bytes, what);
  }

  messages(field: number, what: string = this.#what): readonly Message[] {
    return (this.#fields.get(field) ?? []).map((value) =>
      typeof value === "bigint" ? this.#broken() : new Message(value, what),
    );
  }

  #single(field: number): Value | undefined {
    const values = this.#fields.get(field);
    if (values !== undefined && values.length > 1) {
      refuse(`${this.#what} has its field ${field} more than once`);
    }
    return values?.[0];
  }

  #unpack(bytes: Uint8Array): readonly number[] {
    const numbers: number[] = [];
    let value = 0n;
    let shift = 0n;
    for (const byte of bytes) {
      value |= BigInt(byte & 0x7f) << shift;
      shift += 7n;
      if (shift > 70n) return this.#broken();
      if (byte >= 0x80) continue;
      numbers.push(Number(BigInt.asUintN(32, value)));
      value = 0n;
      shift = 0n;
    }
    return shift === 0n ? numbers : this.#broken();
  }

  #broken(): never {
    return refuse(`${this.#what} is broken or cut off`);
  }
}
