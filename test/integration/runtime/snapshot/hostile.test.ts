// A real snapshot, changed as somebody would who wants root on the host: each change alone must be refused, before CRIU
// and tar see it. If one is not, whoever can write to a registry owns the machines that pull from it.
import { execFileSync } from "node:child_process";
import {
  chmod,
  link,
  lstat,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { capabilitiesKept } from "../../../../runtime/engine/container-options.ts";
import { SnapshotDirectory } from "../../../../runtime/snapshot/directory.ts";
import { containerBounds } from "../../../../runtime/snapshot/verify/container.ts";
import { verifySnapshot } from "../../../../runtime/snapshot/verify/verify.ts";
import { captureReal, whyNoSnapshots, type RealSnapshot } from "./real-snapshot.ts";
import { fieldsOf, framed, inside, messageOf, tamper, withField } from "./tamper.ts";

const signal = AbortSignal.timeout(170_000);
const skipReason = await whyNoSnapshots(signal);
if (skipReason !== undefined) console.log(`skipped: hostile snapshots: ${skipReason}`);

let real: RealSnapshot;
let home: string;
let images: string;
let files: { readonly path: string; readonly sizeBytes: number }[];

/** What is changed, how, and the reason that a reader sees. */
type Case = readonly [what: string, change: () => Promise<unknown>, reason: RegExp];

const text = (value: string): Buffer => Buffer.from(value);
const first =
  (change: (entry: Buffer) => Buffer) =>
  ([entry, ...others]: readonly Buffer[]): readonly Buffer[] => [
    change(entry as Buffer),
    ...others,
  ];
/** Changes the credentials of the first thread. */
const credentials = (change: (creds: Buffer) => Buffer): Promise<void> =>
  tamper(
    images,
    "core-1.img",
    first((core) => {
      const thread = inside(core, 5);
      return withField(core, 5, withField(thread, 10, change(inside(thread, 10))));
    }),
  );
const thread = (number: number, value?: bigint): Promise<void> =>
  tamper(
    images,
    "core-1.img",
    first((core) => withField(core, 5, withField(inside(core, 5), number, value))),
  );
const mountList = (): string => named("mountpoints-");
const named = (prefix: string): string =>
  files.find((file) => file.path.startsWith(`images/${prefix}`))?.path.slice("images/".length) ??
  "";
const atMount = (
  destination: string,
  change: (mount: Buffer) => readonly Buffer[],
): Promise<void> =>
  tamper(images, mountList(), (mounts) =>
    mounts.flatMap((mount) =>
      inside(mount, 7).toString() === destination ? change(mount) : [mount],
    ),
  );
/** Changes the first open regular file that is not a device. */
const regularFile = (change: (file: Buffer) => Buffer): Promise<void> =>
  tamper(
    images,
    "files.img",
    first((entry) => withField(entry, 3, change(inside(entry, 3)))),
  );
const openKind = (kind: bigint, field: number): Promise<void> =>
  tamper(images, "files.img", (entries) => [
    ...entries,
    messageOf([
      [1, kind],
      [2, 9999n],
      [field, messageOf([[1, 9999n]])],
    ]),
  ]);
const cgroup = (change: (entry: Buffer) => Buffer): Promise<void> =>
  tamper(images, "cgroup.img", first(change));
/** Changes the first of the messages with this number. */
const firstOf = (message: Buffer, number: number, change: (value: Buffer) => Buffer): Buffer => {
  let isDone = false;
  return messageOf(
    fieldsOf(message).map(([own, value]) => {
      if (own !== number || isDone || typeof value === "bigint") return [own, value];
      isDone = true;
      return [own, change(value)];
    }),
  );
};
const add = async (name: string, content: Buffer): Promise<void> => {
  await writeFile(path.join(images, name), content);
  files.push({ path: `images/${name}`, sizeBytes: content.length });
};
const blockOf = (...parts: readonly (readonly [number, string])[]): Buffer => {
  const block = Buffer.alloc(512);
  for (const [at, value] of parts) block.write(value, at, "latin1");
  return block;
};
/** An entry of a device in tar's header (POSIX.1-2017, ustar). */
const deviceEntry = (name: string, major: string, minor: string): Buffer => {
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

const cases: readonly Case[] = [
  [
    "all capabilities",
    () => credentials((c) => withField(withField(c, 11), 11, 0xffffffffn)),
    /effective capability \d+, which the container does not have/,
  ],
  [
    "the bounding set of the host",
    () => credentials((c) => messageOf([...fieldsOf(c), [12, 0xffffffffn]])),
    /bounding capability/,
  ],
  [
    "packed capabilities",
    () => credentials((c) => withField(c, 10, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f]))),
    /permitted capability/,
  ],
  ["no_new_privs off", () => credentials((c) => withField(c, 18, 0n)), /no_new_privs is off/],
  [
    "a security profile of its own",
    () => credentials((c) => withField(c, 15, text("evil"))),
    /security profile "evil"/,
  ],
  [
    "credentials twice",
    () => credentials((c) => messageOf([...fieldsOf(c), [18, 1n]])),
    /field 18 more than once/,
  ],
  ["no seccomp filter", () => thread(11), /without a seccomp filter/],
  ["seccomp off", () => thread(11, 0n), /without a seccomp filter/],
  ["a seccomp filter that is not there", () => thread(12, 99n), /filter that is not there/],
  ["a real-time priority", () => thread(4, 1n), /real-time policy/],
  [
    "a filter that allows all",
    () =>
      tamper(images, "seccomp.img", () => [
        messageOf(
          [0, 1, 2, 3].map(() => [
            1,
            messageOf([
              [1, Buffer.from("060000000000ff7f", "hex")],
              [3, 1n],
            ]),
          ]),
        ),
      ]),
    /filter that allows add_key/,
  ],
  [
    "a thread without its image",
    async () => {
      await rm(path.join(images, "core-1.img"));
      files = files.filter((f) => f.path !== "images/core-1.img");
    },
    /core-1\.img is missing/,
  ],
  [
    "the host's PID namespace",
    () =>
      tamper(
        images,
        "ids-1.img",
        first((ids) => withField(ids, 5, 1n)),
      ),
    /host's pid namespace/,
  ],
  [
    "the host's mounts",
    () =>
      tamper(
        images,
        "ids-1.img",
        first((ids) => withField(ids, 9, 6n)),
      ),
    /host's mnt namespace|namespace of its own/,
  ],
  [
    "no network namespace",
    () =>
      tamper(
        images,
        "ids-1.img",
        first((ids) => withField(ids, 6)),
      ),
    /host's net namespace/,
  ],
  [
    "the host's disk",
    () =>
      atMount("/dev/shm", (m) => [
        m,
        messageOf([
          [1, 16n],
          [2, 999n],
          [3, 1n],
          [4, 88n],
          [5, 0n],
          [6, text("/")],
          [7, text("/mnt")],
          [8, text("/dev/vda")],
          [9, text("")],
          [14, text("ext4")],
        ]),
      ]),
    /names a file system/,
  ],
  [
    "a directory of the host",
    () =>
      atMount("/etc/hosts", (m) => [withField(withField(m, 7, text("/host")), 18, text("/host"))]),
    /"\/host" is none of the container's/,
  ],
  [
    "a bind without a key",
    () => atMount("/etc/hosts", (m) => [withField(m, 18)]),
    /none of the container's/,
  ],
  [
    "another root of a mount",
    () => atMount("/proc/sys", (m) => [withField(m, 6, text("/kcore"))]),
    /none of the container's/,
  ],
  [
    "a writable /proc/sys",
    () => atMount("/proc/sys", (m) => [withField(m, 5, 14n)]),
    /"\/proc\/sys" is writable/,
  ],
  [
    "an open /proc/sysrq-trigger",
    () => atMount("/proc/sys", () => []),
    /lack the mount at \/proc\/sys/,
  ],
  [
    "a mount that climbs",
    () => atMount("/dev/shm", (m) => [withField(m, 7, text("/dev/../../x"))]),
    /a mount has the path/,
  ],
  [
    "a device node in /dev",
    async () => {
      const name = await findDev();
      const archive = gunzipSync(await readFile(path.join(images, name)));
      await replace(
        name,
        gzipSync(Buffer.concat([deviceEntry("./sda", "0000010", "0000000"), archive])),
      );
    },
    /below something that is no directory|makes the device "sda" \(8, 0\)/,
  ],
  [
    "a path that climbs",
    () => regularFile((f) => withField(f, 6, text("/../../etc/shadow"))),
    /open "\/\.\.\/\.\.\/etc\/shadow"/,
  ],
  [
    "a block device",
    () => regularFile((f) => withField(withField(f, 6, text("/tmp/x")), 10, 0o060600n)),
    /block device/,
  ],
  [
    "a device that no container has",
    () => regularFile((f) => withField(f, 6, text("/dev/mem"))),
    /device "\/dev\/mem"/,
  ],
  ["a file from outside", () => regularFile((f) => withField(f, 9, 1n)), /from outside/],
  [
    "a write to /proc",
    () => regularFile((f) => withField(withField(f, 6, text("/proc/sysrq-trigger")), 2, 1n)),
    /write to "\/proc\/sysrq-trigger"/,
  ],
  ["a namespace as a file", () => openKind(14n, 5), /open a namespace/],
  ["a packet socket", () => openKind(10n, 6), /open a packet socket/],
  ["a file of an unknown kind", () => openKind(77n, 3), /unknown kind 77/],
  [
    "a deleted device",
    () =>
      add(
        "ghost-file-1.img",
        Buffer.concat([
          Buffer.from("1943565405365852", "hex"),
          ...framed(
            messageOf([
              [1, 0n],
              [2, 0n],
              [3, 0o060666n],
              [6, 2048n],
            ]),
          ),
        ]),
      ),
    /makes a device/,
  ],
  [
    "the root cgroup",
    () => cgroup((c) => firstOf(c, 1, (set) => firstOf(set, 2, (m) => withField(m, 2, text("/"))))),
    /in the cgroup "\/"/,
  ],
  [
    "another cgroup of one controller",
    () =>
      cgroup((c) =>
        firstOf(c, 1, (set) =>
          messageOf([
            ...fieldsOf(set),
            [
              2,
              messageOf([
                [1, text("memory")],
                [2, text("/")],
              ]),
            ],
          ]),
        ),
      ),
    /another cgroup of "memory"/,
  ],
  [
    "a cgroup's property elsewhere",
    () =>
      cgroup((c) =>
        firstOf(c, 2, (ctl) =>
          firstOf(ctl, 2, (dir) =>
            firstOf(dir, 3, (p) => withField(p, 1, text("../../release_agent"))),
          ),
        ),
      ),
    /property "\.\.\/\.\.\/release_agent"/,
  ],
  [
    "pages of another directory",
    () =>
      tamper(images, named("pagemap-"), ([head, page, ...rest]) => [
        head as Buffer,
        withField(page as Buffer, 4, 1n),
        ...rest,
      ]),
    /pages from another image/,
  ],
  [
    "a page image that was cut off",
    () => truncateTo(named("pages-"), 4096),
    /not the \d+ pages of its map/,
  ],
  ["an image that was cut off", () => truncateTo("files.img", 1000), /is cut off|is broken/],
  [
    "an image of another kind",
    async () => replace("files.img", await readFile(path.join(images, "pstree.img"))),
    /is no files image/,
  ],
  [
    "a parent image",
    async () => {
      await symlink("/etc", path.join(images, "parent"));
    },
    /"images\/parent", which is not in its list/,
  ],
  ["a plug-in's image", () => add("amdgpu-kfd-1.img", text("x")), /none of a snapshot's/],
  [
    "a file outside its directory",
    async () => {
      files.push({ path: "images/../../../etc/shadow", sizeBytes: 1 });
    },
    /none of a snapshot's/,
  ],
  [
    "a symbolic link",
    async () => {
      await rename(path.join(images, "files.img"), path.join(home, "..", "stolen"));
      await symlink("../../stolen", path.join(images, "files.img"));
    },
    /is a symbolic link/,
  ],
  [
    "a hard link",
    async () => {
      await link(path.join(images, "files.img"), path.join(home, "..", "stolen"));
    },
    /is a hard link/,
  ],
  [
    "a file that others may change",
    () => chmod(path.join(images, "files.img"), 0o666),
    /can be changed by others/,
  ],
  [
    "other standard files",
    () => replace("descriptors.json", text('["/etc/shadow","pipe:[1]","pipe:[2]"]')),
    /other files than standard ones/,
  ],
  [
    "too many bytes",
    async () => {
      files.push({ path: "images/pages-99.img", sizeBytes: 2 ** 40 });
    },
    /more than/,
  ],
];

describe.skipIf(skipReason !== undefined)("a tampered snapshot", () => {
  beforeAll(async () => {
    real = await captureReal("byom-test-hostile", signal);
    expect(real.snapshot).toMatchObject({ status: "available" });
    home = path.join(real.directory, real.snapshot.id);
    images = path.join(home, "images");
    execFileSync("cp", ["-a", home, path.join(real.directory, ".whole")]);
  });

  afterAll(async () => {
    await real[Symbol.asyncDispose]();
  });

  it("is taken when nothing was changed", async () => {
    await whole();
    await verify();
  });

  it.each(cases)("is refused for %s", async (_what, change, reason) => {
    await whole();
    await change();
    await expect(verify()).rejects.toMatchObject({
      code: "snapshot_refused",
      message: expect.stringMatching(reason) as string,
    });
  });

  it("never fails in another way than by a refusal, whatever bits of its images are flipped", async () => {
    await whole();
    for (const name of ["core-1.img", "files.img", "cgroup.img", "seccomp.img", mountList()]) {
      const bytes = await readFile(path.join(images, name));
      for (let round = 0; round < 6; round += 1) {
        const broken = Buffer.from(bytes);
        const bit = Math.floor(Math.random() * bytes.length * 8);
        broken[bit >> 3] = (broken[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        await writeFile(path.join(images, name), broken);
        const code = await verify().then(
          () => "accepted",
          (error: { code?: string }) => error.code,
        );
        expect(["accepted", "snapshot_refused"], `${name}, bit ${bit}`).toContain(code);
      }
      await writeFile(path.join(images, name), bytes);
    }
  });
});

async function verify(): Promise<void> {
  const bounds = containerBounds({
    capabilities: capabilitiesKept,
    mounts: [],
    user: "",
    hasAppArmor: false,
  });
  const ignored = ["snapshot.json", "checked"];
  // Whoever changes a file changes its size and digest in the list too: those must not be what finds it.
  for (const [at, file] of files.entries()) {
    const facts = await lstat(path.join(home, file.path)).catch(() => undefined);
    if (facts?.isFile() && file.sizeBytes < 2 ** 40) files[at] = { ...file, sizeBytes: facts.size };
  }
  await verifySnapshot({ directory: home, files, bounds, bytesMax: 2 ** 36, ignored, signal });
}

/** Everything as it was captured. */
async function whole(): Promise<void> {
  await rm(path.join(real.directory, "stolen"), { force: true });
  await rm(home, { recursive: true });
  execFileSync("cp", ["-a", "--reflink=auto", path.join(real.directory, ".whole"), home]);
  const stored = await (await SnapshotDirectory.open(real.directory)).read(real.snapshot.id);
  files = (stored?.files ?? []).map(({ path: file, sizeBytes }) => ({ path: file, sizeBytes }));
}

async function replace(name: string, content: Buffer): Promise<void> {
  await writeFile(path.join(images, name), content);
}

async function truncateTo(name: string, bytes: number): Promise<void> {
  await truncate(path.join(images, name), bytes);
}

async function findDev(): Promise<string> {
  for (const { path: file } of files.filter((candidate) => candidate.path.includes("tmpfs-"))) {
    const archive = gunzipSync(await readFile(path.join(home, file)));
    if (archive.includes("./urandom")) return path.basename(file);
  }
  throw new Error("no image has /dev");
}
