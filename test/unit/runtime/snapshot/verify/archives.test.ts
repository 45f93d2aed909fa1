// What root unpacks into a container's root on the host. If a case here passes unseen, a snapshot from a registry writes
// or deletes files of the host, or gives its model devices and other users' rights.
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";

import fc from "fast-check";
import { pack, type Header } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  verifyChangedFiles,
  verifyMemoryFiles,
  verifyRemoved,
} from "../../../../../runtime/snapshot/verify/archives.ts";
import { containerBounds } from "../../../../../runtime/snapshot/verify/container.ts";
import { readAll } from "../../../../support/read-all.ts";

const bounds = containerBounds({
  capabilities: ["CHOWN"],
  mounts: ["/src/weights"],
  user: "",
  hasAppArmor: false,
});
const signal = new AbortController().signal;
const bytesMax = 1 << 20;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-archives-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

type Entry = Partial<Header> & { readonly name: string } & { readonly content?: string };
const folder = (name: string): Entry => ({ name, type: "directory" });
const file = (name: string, content = ""): Entry => ({ name, content });

async function archive(entries: readonly Entry[]): Promise<Buffer> {
  const stream = pack();
  for (const { content = "", ...header } of entries) stream.entry(header, content);
  stream.finalize();
  return await readAll(Readable.from(stream));
}

async function check(entries: readonly Entry[], removed: readonly string[] = []): Promise<void> {
  await checkBytes(await archive(entries), removed);
}

async function checkBytes(bytes: Uint8Array, removed: readonly string[] = []): Promise<void> {
  await writeFile(join(directory, "files.tar"), bytes);
  await verifyChangedFiles(directory, bounds, { bytesMax, removed, signal });
}

describe("changed files", () => {
  it("may be files, directories, links and pipes below directories of the archive", async () => {
    await check([
      folder("./"),
      folder("./tmp/"),
      file("./tmp/a", "hello"),
      { name: "./tmp/hard", type: "link", linkname: "./tmp/a" },
      { name: "./tmp/soft", type: "symlink", linkname: "/etc/passwd" },
      { name: "./tmp/pipe", type: "fifo" },
      folder(`./tmp/${"long".repeat(60)}/`),
      file(`./tmp/${"long".repeat(60)}/ü`),
      folder("./etc/"),
      file("./etc/hosts"),
    ]);
  });

  const hostile: readonly (readonly [string, readonly Entry[], RegExp])[] = [
    ["an absolute path", [file("/etc/passwd")], /may lie outside/],
    ["a path that climbs", [folder("./a/"), file("./a/../../etc/passwd")], /may lie outside/],
    [
      "a link and a file below it",
      [{ name: "a", type: "symlink", linkname: "/etc" }, file("a/passwd")],
      /no directory of its own/,
    ],
    ["a file below a link of the image", [file("data/passwd")], /no directory of its own/],
    [
      "a link replaced by a file",
      [{ name: "a", type: "symlink", linkname: "/etc/passwd" }, file("a")],
      /twice/,
    ],
    [
      "a hard link to outside",
      [{ name: "a", type: "link", linkname: "/etc/shadow" }],
      /may lie outside/,
    ],
    [
      "a hard link through a link",
      [
        { name: "a", type: "symlink", linkname: "/etc" },
        { name: "b", type: "link", linkname: "a/shadow" },
      ],
      /does not have/,
    ],
    [
      "a hard link to a link",
      [
        { name: "a", type: "symlink", linkname: "/etc/shadow" },
        { name: "b", type: "link", linkname: "a" },
      ],
      /does not have/,
    ],
    [
      "a device",
      [{ name: "sda", type: "character-device", devmajor: 8, devminor: 0 }],
      /makes the device/,
    ],
    [
      "a block device",
      [{ name: "sda", type: "block-device", devmajor: 8, devminor: 0 }],
      /type "4"/,
    ],
    ["a program that changes the user", [{ ...file("su"), mode: 0o4755 }], /changes the user/],
    ["a program that changes the group", [{ ...file("su"), mode: 0o2755 }], /changes the user/],
    [
      "capabilities of a file",
      [{ ...file("su"), pax: { "SCHILY.xattr.security.capability": "x" } }],
      /attribute "security.capability"/,
    ],
    [
      "an attribute of the overlay",
      [{ ...folder("a/"), pax: { "SCHILY.xattr.trusted.overlay.redirect": "/x" } }],
      /trusted\.overlay/,
    ],
    [
      "a name that only GNU tar sees",
      [{ ...file("a"), pax: { "GNU.sparse.name": "../evil" } }],
      /extended header "GNU.sparse.name"/,
    ],
    [
      "a link where /proc is mounted",
      [{ name: "proc", type: "symlink", linkname: "/etc" }],
      /where "\/proc" is mounted/,
    ],
    [
      "a link above byom's mount",
      [{ name: "src", type: "symlink", linkname: "/etc" }],
      /where "\/src" is mounted/,
    ],
    [
      "a link at a file of the engine",
      [folder("etc/"), { name: "etc/hosts", type: "symlink", linkname: "/x" }],
      /where "\/etc\/hosts" is mounted/,
    ],
    ["more bytes than allowed", [file("a", "x".repeat(bytesMax + 1))], /unpacks to more/],
    ["a control character", [file("/a\u001b[2J")], /"\/a\\u001b\[2J"/],
  ];
  it.each(hostile)("may not have %s", async (_what, entries, reason) => {
    await expect(check(entries)).rejects.toThrow(reason);
  });

  it("may not be removed through a link of the archive", async () => {
    const link: Entry = { name: "a", type: "symlink", linkname: "/etc" };
    await expect(check([link], ["a/passwd"])).rejects.toThrow('goes through "a"');
    await check([link], ["a", "b/c"]);
  });

  it("may not be an archive that was cut off, goes on behind its end, or has a wrong sum", async () => {
    const bytes = await archive([file("a", "x".repeat(3000))]);
    await expect(checkBytes(bytes.subarray(0, 2048))).rejects.toThrow("cut off");
    const more = Buffer.concat([bytes, await archive([file("b")])]);
    await expect(checkBytes(more)).rejects.toThrow("goes on behind its end");
    bytes[0] = 0x62;
    await expect(checkBytes(bytes)).rejects.toThrow("broken header");
  });

  it("may not be a link to an archive elsewhere", async () => {
    await writeFile(join(directory, "other"), await archive([file("a")]));
    await symlink("other", join(directory, "files.tar"));
    const attempt = verifyChangedFiles(directory, bounds, { bytesMax, removed: [], signal });
    await expect(attempt).rejects.toThrow("ELOOP");
  });

  it("never make it fail in another way than by a refusal, whatever bits are flipped", async () => {
    const bytes = await archive([
      folder("./a/"),
      file("./a/b", "text"),
      file(`./${"n".repeat(150)}`),
    ]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(bytes.length * 8 - 1)), { minLength: 1, maxLength: 20 }),
        async (flips) => {
          const broken = Buffer.from(bytes);
          for (const [bit] of flips) broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          const code = await checkBytes(broken).then(
            () => "accepted",
            (error: { code?: string }) => error.code,
          );
          expect(["accepted", "snapshot_refused"]).toContain(code);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("removed paths", () => {
  it.each(["/etc/passwd\0", "./../x\0", "./a/../../x\0", "./a//b\0", "\0", "./a", "./\0"])(
    "are refused when one may lie outside, or the list is cut off: %j",
    async (text) => {
      await writeFile(join(directory, "removed"), text);
      await expect(verifyRemoved(directory)).rejects.toMatchObject({ code: "snapshot_refused" });
    },
  );

  it("are told without their beginning", async () => {
    await writeFile(join(directory, "removed"), "./a\0./b/c\0");
    expect(await verifyRemoved(directory)).toEqual(["a", "b/c"]);
  });
});

describe("file systems in memory", () => {
  const memory = async (bytes: Uint8Array): Promise<void> => {
    await writeFile(join(directory, "tmpfs-dev-1.tar.gz.img"), bytes);
    await verifyMemoryFiles(directory, "tmpfs-dev-1.tar.gz.img", signal);
  };
  const device = (name: string, devmajor: number, devminor: number): Entry => ({
    name,
    type: "character-device",
    devmajor,
    devminor,
  });

  it("may have the devices that every container has, and no other", async () => {
    await memory(gzipSync(await archive([folder("./"), device("./null", 1, 3)])));
    const disk = gzipSync(await archive([folder("./"), device("./null", 8, 0)]));
    await expect(memory(disk)).rejects.toThrow('makes the device "null" (8, 0)');
    const kernelMemory = gzipSync(await archive([folder("./"), device("./zero", 1, 1)]));
    await expect(memory(kernelMemory)).rejects.toThrow("makes the device");
  });

  it("may not be cut off or broken", async () => {
    const bytes = gzipSync(await archive([folder("./"), file("./a", "x".repeat(5000))]));
    await expect(memory(bytes.subarray(0, 60))).rejects.toMatchObject({ code: "snapshot_refused" });
    await expect(memory(Buffer.from("no gzip"))).rejects.toThrow("is broken or cut off");
  });

  it("may not unpack to zeros without end", async () => {
    const bomb = gzipSync(Buffer.alloc(64 << 20));
    await expect(memory(bomb)).rejects.toThrow("goes on behind its end");
  });
});
