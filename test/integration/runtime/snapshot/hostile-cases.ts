import { chmod, link, readFile, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";

import {
  deviceEntry,
  fieldsOf,
  firstOf,
  framed,
  inside,
  messageOf,
  tamper,
  withField,
} from "./tamper.ts";

/** The snapshot that is tampered with: set by the test before each case. */
export const target: {
  home: string;
  images: string;
  files: { readonly path: string; readonly sizeBytes: number }[];
} = { home: "", images: "", files: [] };

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
    target.images,
    "core-1.img",
    first((core) => {
      const thread = inside(core, 5);
      return withField(core, 5, withField(thread, 10, change(inside(thread, 10))));
    }),
  );
const thread = (number: number, value?: bigint): Promise<void> =>
  tamper(
    target.images,
    "core-1.img",
    first((core) => withField(core, 5, withField(inside(core, 5), number, value))),
  );
/** The image that lists mounts. */
export const mountList = (): string => named("mountpoints-");
const named = (prefix: string): string =>
  target.files
    .find((file) => file.path.startsWith(`images/${prefix}`))
    ?.path.slice("images/".length) ?? "";
const atMount = (
  destination: string,
  change: (mount: Buffer) => readonly Buffer[],
): Promise<void> =>
  tamper(target.images, mountList(), (mounts) =>
    mounts.flatMap((mount) =>
      inside(mount, 7).toString() === destination ? change(mount) : [mount],
    ),
  );
/** Changes the first open regular file that is not a device. */
const regularFile = (change: (file: Buffer) => Buffer): Promise<void> =>
  tamper(
    target.images,
    "files.img",
    first((entry) => withField(entry, 3, change(inside(entry, 3)))),
  );
const openKind = (kind: bigint, field: number): Promise<void> =>
  tamper(target.images, "files.img", (entries) => [
    ...entries,
    messageOf([
      [1, kind],
      [2, 9999n],
      [field, messageOf([[1, 9999n]])],
    ]),
  ]);
const cgroup = (change: (entry: Buffer) => Buffer): Promise<void> =>
  tamper(target.images, "cgroup.img", first(change));
const add = async (name: string, content: Buffer): Promise<void> => {
  await writeFile(path.join(target.images, name), content);
  target.files.push({ path: `images/${name}`, sizeBytes: content.length });
};
/** Each change alone must be refused. */
export const cases: readonly Case[] = [
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
      tamper(target.images, "seccomp.img", () => [
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
      await rm(path.join(target.images, "core-1.img"));
      target.files = target.files.filter((f) => f.path !== "images/core-1.img");
    },
    /core-1\.img is missing/,
  ],
  [
    "the host's PID namespace",
    () =>
      tamper(
        target.images,
        "ids-1.img",
        first((ids) => withField(ids, 5, 1n)),
      ),
    /host's pid namespace/,
  ],
  [
    "the host's mounts",
    () =>
      tamper(
        target.images,
        "ids-1.img",
        first((ids) => withField(ids, 9, 6n)),
      ),
    /host's mnt namespace|namespace of its own/,
  ],
  [
    "no network namespace",
    () =>
      tamper(
        target.images,
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
      const archive = gunzipSync(await readFile(path.join(target.images, name)));
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
      tamper(target.images, named("pagemap-"), ([head, page, ...rest]) => [
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
    async () => replace("files.img", await readFile(path.join(target.images, "pstree.img"))),
    /is no files image/,
  ],
  [
    "a parent image",
    async () => {
      await symlink("/etc", path.join(target.images, "parent"));
    },
    /"images\/parent", which is not in its list/,
  ],
  ["a plug-in's image", () => add("amdgpu-kfd-1.img", text("x")), /none of a snapshot's/],
  [
    "a file outside its directory",
    async () => {
      target.files.push({ path: "images/../../../etc/shadow", sizeBytes: 1 });
    },
    /none of a snapshot's/,
  ],
  [
    "a symbolic link",
    async () => {
      await rename(path.join(target.images, "files.img"), path.join(target.home, "..", "stolen"));
      await symlink("../../stolen", path.join(target.images, "files.img"));
    },
    /is a symbolic link/,
  ],
  [
    "a hard link",
    async () => {
      await link(path.join(target.images, "files.img"), path.join(target.home, "..", "stolen"));
    },
    /is a hard link/,
  ],
  [
    "a file that others may change",
    () => chmod(path.join(target.images, "files.img"), 0o666),
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
      target.files.push({ path: "images/pages-99.img", sizeBytes: 2 ** 40 });
    },
    /more than/,
  ],
];

async function replace(name: string, content: Buffer): Promise<void> {
  await writeFile(path.join(target.images, name), content);
}

async function truncateTo(name: string, bytes: number): Promise<void> {
  await truncate(path.join(target.images, name), bytes);
}

async function findDev(): Promise<string> {
  for (const { path: file } of target.files.filter((candidate) =>
    candidate.path.includes("tmpfs-"),
  )) {
    const archive = gunzipSync(await readFile(path.join(target.home, file)));
    if (archive.includes("./urandom")) return path.basename(file);
  }
  throw new Error("no image has /dev");
}
