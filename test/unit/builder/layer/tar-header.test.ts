import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { extract } from "tar-stream";
import type { Header } from "tar-stream";
import { expect, test } from "vitest";
import { encodeTarHeader, tarEnd, tarPadding } from "../../../../builder/layer/tar-header.ts";
import type { TarEntry } from "../../../../builder/layer/tar-header.ts";

async function read(entry: TarEntry): Promise<Header> {
  const archive = Readable.from([encodeTarHeader(entry), tarEnd]).pipe(extract());
  for await (const { header } of archive) return header;
  throw new Error("the archive is empty");
}

test("a changed byte in a header would send every layer of every user again: the bytes are fixed", () => {
  const entries: TarEntry[] = [
    { kind: "directory", path: "src" },
    { kind: "file", path: "src/run.py", sizeBytes: 12, isExecutable: false },
    { kind: "file", path: "src/start.sh", sizeBytes: 0, isExecutable: true },
    { kind: "link", path: "src/latest", target: "run.py" },
    {
      kind: "file",
      path: `src/${"long/".repeat(30)}weights.bin`,
      sizeBytes: 9 * 1024 ** 3,
      isExecutable: false,
    },
  ];
  const bytes = Buffer.concat(entries.map(encodeTarHeader));
  expect(createHash("sha256").update(bytes).digest("hex")).toBe(
    "e726a7dc29e4dfe6f4690c95dbe8bb65d51f67a801beb6f60fb9756d1b71983b",
  );
});

test("nothing of this machine is in a header: no owner, no time, no umask", async () => {
  expect(
    await read({ kind: "file", path: "src/run.py", sizeBytes: 0, isExecutable: true }),
  ).toMatchObject({
    name: "src/run.py",
    mode: 0o755,
    uid: 0,
    gid: 0,
    mtime: new Date(0),
    type: "file",
  });
});

test("names that ustar cannot hold survive: long ones, and those outside ASCII", async () => {
  for (const path of [`src/${"a".repeat(120)}`, "src/größe.bin", `src/${"目録/".repeat(40)}x`]) {
    expect((await read({ kind: "file", path, sizeBytes: 0, isExecutable: false })).name).toBe(path);
    expect((await read({ kind: "link", path: "src/link", target: path })).linkname).toBe(path);
  }
});

test("a name of exactly 100 bytes needs no extension, one of 101 does", () => {
  const lengthOf = (bytes: number): number =>
    encodeTarHeader({ kind: "file", path: "n".repeat(bytes), sizeBytes: 0, isExecutable: false })
      .length;
  expect([lengthOf(100), lengthOf(101)]).toEqual([512, 1536]);
});

test("the length of a pax record counts its own digits, also where they carry over", async () => {
  for (let bytes = 80; bytes < 120; bytes += 1) {
    const path = "é".repeat(bytes);
    expect((await read({ kind: "file", path, sizeBytes: 0, isExecutable: false })).name).toBe(path);
  }
});

test("weights of 8 GiB and more keep their size", () => {
  const header = encodeTarHeader({
    kind: "file",
    path: "w",
    sizeBytes: 8 * 1024 ** 3,
    isExecutable: false,
  });
  expect(header.toString("latin1")).toContain("19 size=8589934592\n");
});

test("content is filled up to whole blocks", () => {
  expect([0, 1, 511, 512, 513].map((size) => tarPadding(size).length)).toEqual([0, 511, 1, 0, 511]);
});
