/** Tar works in blocks of this many bytes (POSIX.1-2017, pax "ustar Interchange Format"). */
export const tarBlockBytes = 512;

/** The two empty blocks that end an archive. */
export const tarEnd: Buffer = Buffer.alloc(2 * tarBlockBytes);

/** A ustar name holds this many bytes; our archives never use the prefix field. */
const ustarNameBytesMax = 100;

/** Eleven octal digits: the largest size that a ustar header can say. */
const ustarSizeBytesMax = 8 * 1024 ** 3 - 1;

export type TarEntry =
  | { readonly kind: "directory"; readonly path: string }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly sizeBytes: number;
      readonly isExecutable: boolean;
    }
  | { readonly kind: "link"; readonly path: string; readonly target: string };

/**
 * One entry's header blocks. Everything that could differ between two machines is fixed: modification time 0,
 * owner 0:0, mode 0644 or 0755; so equal content gives an equal digest. A pax record is written only for what
 * ustar cannot say: long or non-ASCII names, sizes of 8 GiB and more.
 */
export function encodeTarHeader(entry: TarEntry): Buffer {
  const path = entry.kind === "directory" ? `${entry.path}/` : entry.path;
  const sizeBytes = entry.kind === "file" ? entry.sizeBytes : 0;
  const target = entry.kind === "link" ? entry.target : "";
  const records = [
    ...(fitsUstarName(path) ? [] : [paxRecord("path", path)]),
    ...(fitsUstarName(target) ? [] : [paxRecord("linkpath", target)]),
    ...(sizeBytes <= ustarSizeBytesMax ? [] : [paxRecord("size", String(sizeBytes))]),
  ];
  const header = encodeUstar({
    path,
    target,
    sizeBytes: sizeBytes <= ustarSizeBytesMax ? sizeBytes : 0,
    mode: modeOf(entry),
    type: typeFlags[entry.kind],
  });
  return records.length === 0 ? header : Buffer.concat([encodePax(records), header]);
}

/** The zero bytes that fill the last block of a file of `sizeBytes`. */
export function tarPadding(sizeBytes: number): Buffer {
  const rest = sizeBytes % tarBlockBytes;
  return Buffer.alloc(rest === 0 ? 0 : tarBlockBytes - rest);
}

const typeFlags = { file: "0", link: "2", directory: "5", pax: "x" } as const;

function modeOf(entry: TarEntry): number {
  if (entry.kind === "link") return 0o777;
  if (entry.kind === "directory") return 0o755;
  return entry.isExecutable ? 0o755 : 0o644;
}

function encodePax(records: readonly Buffer[]): Buffer {
  const body = Buffer.concat(records);
  const header = encodeUstar({
    path: "pax",
    target: "",
    sizeBytes: body.length,
    mode: 0o644,
    type: typeFlags.pax,
  });
  return Buffer.concat([header, body, tarPadding(body.length)]);
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts its own digits too. */
function paxRecord(key: string, value: string): Buffer {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest + String(rest).length;
  if (rest + String(length).length !== length) length = rest + String(length).length;
  return Buffer.from(`${length} ${key}=${value}\n`);
}

function fitsUstarName(name: string): boolean {
  return Buffer.byteLength(name) <= ustarNameBytesMax && /^[\x20-\x7e]*$/.test(name);
}

function encodeUstar(fields: {
  path: string;
  target: string;
  sizeBytes: number;
  mode: number;
  type: string;
}): Buffer {
  const header = Buffer.alloc(tarBlockBytes);
  writeName(header, fields.path, 0);
  header.write(octal(fields.mode, 7), 100);
  header.write(octal(0, 7), 108);
  header.write(octal(0, 7), 116);
  header.write(octal(fields.sizeBytes, 11), 124);
  header.write(octal(0, 11), 136);
  header.write(" ".repeat(8), 148);
  header.write(fields.type, 156);
  writeName(header, fields.target, 157);
  header.write("ustar\u000000", 257, "latin1");
  const checksum = header.reduce((sum, byte) => sum + byte, 0);
  header.write(`${octal(checksum, 6)}\u0000 `, 148, "latin1");
  return header;
}

/** A name that does not fit is told by the pax record; what stands here is only a rest of it. */
function writeName(header: Buffer, name: string, offset: number): void {
  Buffer.from(name).copy(header, offset, 0, ustarNameBytesMax);
}

function octal(value: number, digits: number): string {
  return value.toString(8).padStart(digits, "0");
}
