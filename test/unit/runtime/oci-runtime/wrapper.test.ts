/**
 * The contract between dockerd, the wrapper and runc, with a recorded runc in place of the real one. If it breaks, every
 * container of byom's runtime fails to start, or a failed restore takes the instance with it.
 */
import { spawnSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import {
  renderWrapper,
  restoreMarker,
  wrapperFiles,
} from "../../../../runtime/oci-runtime/wrapper.ts";

const id = "c".repeat(64);
let directory: string;
let wrapper: string;
let state: string;
let snapshot: string;
let bundle: string;
let rootfs: string;

/** Records its arguments and the huge page setting; `restore` fails when a file named `fail` lies beside it. */
const fakeRunc = `#!/bin/sh
echo "$*" >> "$(dirname "$0")/calls"
cat "$(dirname "$0")/thp/enabled" >> "$(dirname "$0")/settings"
case "$*" in *" restore "*) [ ! -e "$(dirname "$0")/fail" ] || { echo "(00.1) Error (criu/x.c:1): it broke" > "$(dirname "$0")/state/work/${id}/restore.log"; exit 1; } ;; esac
exit 0
`;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "byom-runc-"));
  state = join(directory, "state");
  snapshot = join(directory, "snapshot");
  bundle = join(directory, "bundle");
  rootfs = join(directory, "rootfs");
  for (const path of [state, join(snapshot, "images"), bundle, rootfs, join(directory, "thp")]) {
    await mkdir(path, { recursive: true });
  }
  const config = { ociVersion: "1.0.2", process: {}, root: { path: rootfs, readonly: false } };
  await writeFile(join(bundle, "config.json"), JSON.stringify(config));
  await writeFile(join(directory, "thp/enabled"), "always [madvise] never\n");
  await writeFile(join(directory, "thp/defrag"), "always defer [never]\n");
  await script(join(directory, "runc"), fakeRunc);
  wrapper = join(directory, "byom-runc");
  await script(
    wrapper,
    await renderWrapper({
      runc: join(directory, "runc"),
      criuDirectory: join(directory, "it's here"),
      stateDirectory: state,
      hugePagesDirectory: join(directory, "thp"),
    }),
  );
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

describe("what is not a restore", () => {
  it.each([
    ["create", "--bundle", "/b", id],
    ["start", id],
    ["state", id],
    ["kill", "--all", id, "9"],
    ["features"],
    ["--version"],
  ])("is runc's, word for word: %s", async (...command) => {
    const call = ["--root", "/run/x", "--log", "/l", "--log-format", "json", ...command];
    expect(run(...call).status).toBe(0);
    expect(await calls()).toEqual([call.join(" ")]);
  });

  it("takes nothing for the command that is an option's value", async () => {
    await mark();
    run("--log", "create", "state", id);
    expect(await calls()).toEqual([`--log create state ${id}`]);
  });
});

describe("a restore", () => {
  it("replaces create by restore, keeps the other words, and makes start a no-op", async () => {
    await mark();
    const result = create();
    expect(result).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect(await calls()).toEqual([
      `--root /r --log /l restore --detach --no-subreaper --tcp-established --file-locks --image-path ${snapshot}/images ` +
        `--work-path ${state}/work/${id} --bundle ${bundle} --pid-file /p ${id}`,
    ]);
    expect(run("--root", "/r", "start", id).status).toBe(0);
    expect(await calls()).toHaveLength(1);
    expect(await outcome()).toMatch(
      /^begin \d+\.\d\d\nsnapshot .*\nfiles \d+\.\d\d\nhuge-pages on\ncriu \d+\.\d\d\nrestore \d+\.\d\d\nresult restored\n$/,
    );
  });

  it("happens once: the same container created again starts cold", async () => {
    await mark();
    create();
    run("--root", "/r", "delete", id);
    create();
    run("--root", "/r", "start", id);
    expect((await calls()).slice(1)).toEqual([
      `--root /r delete ${id}`,
      `--root /r --log /l create --bundle ${bundle} --pid-file /p ${id}`,
      `--root /r start ${id}`,
    ]);
  });

  it("is undone and started cold when runc fails, with CRIU's words in the outcome", async () => {
    await writeFile(join(directory, "fail"), "");
    await mark();
    expect(create()).toMatchObject({ status: 0, stdout: "", stderr: "" });
    expect((await calls()).slice(1)).toEqual([
      `--root /r delete --force ${id}`,
      `--root /r --log /l create --bundle ${bundle} --pid-file /p ${id}`,
    ]);
    expect(await outcome()).toContain(
      "reason runc restore failed with exit code 1\ndetail (00.1) Error (criu/x.c:1): it broke\nresult cold\n",
    );
    run("--root", "/r", "start", id);
    expect((await calls()).at(-1)).toBe(`--root /r start ${id}`);
  });

  it("is a cold start when the snapshot is gone", async () => {
    await mark();
    await rm(snapshot, { recursive: true });
    create();
    expect(await calls()).toEqual([
      `--root /r delete --force ${id}`,
      `--root /r --log /l create --bundle ${bundle} --pid-file /p ${id}`,
    ]);
    expect(await outcome()).toContain("reason the snapshot is gone\n");
  });

  it("leaves nothing after delete", async () => {
    await mark();
    create();
    run("--root", "/r", "delete", "--force", id);
    for (const path of ["restore", "restored", "outcome", "work"]) {
      await expect(stat(join(state, path, id))).rejects.toThrow("ENOENT");
    }
  });
});

describe("huge pages", () => {
  it("are on while memory fills, and given back afterwards", async () => {
    await mark();
    create();
    expect(await settings()).toEqual(["always"]);
    expect(await thp("enabled")).toBe("madvise");
    expect(await thp("defrag")).toBe("never");
  });

  it("are left alone for a little memory", async () => {
    await mark(false);
    create();
    expect(await settings()).toEqual(["always [madvise] never"]);
    expect(await outcome()).toContain("result restored\n");
  });

  it("are given back after a failed restore too", async () => {
    await writeFile(join(directory, "fail"), "");
    await mark();
    create();
    expect((await settings())[0]).toBe("always");
    expect(await thp("enabled")).toBe("madvise");
  });

  it("stay on for another restore in progress, and not for one that was killed", async () => {
    await mkdir(join(state, "huge-pages/users"), { recursive: true });
    await writeFile(join(state, "huge-pages/saved"), "madvise never\n");
    await writeFile(join(state, "huge-pages/users/other"), `${process.pid}\n`);
    await mark();
    create();
    expect(await thp("enabled")).toBe("always");
    const dead = spawnSync("true").pid;
    await writeFile(join(state, "huge-pages/users/other"), `${dead}\n`);
    await mark();
    create();
    expect(await thp("enabled")).toBe("madvise");
  });
});

describe("changed files", () => {
  it("arrive in the root, and deleted ones are gone", async () => {
    await mkdir(join(rootfs, "etc/sub"), { recursive: true });
    await writeFile(join(rootfs, "etc/gone"), "");
    await writeFile(join(rootfs, "etc/sub/gone"), "");
    await pack({ "etc/written": "new" });
    await writeFile(join(snapshot, "removed"), "./etc/gone\0./etc/sub\0");
    await mark();
    create();
    expect(await readFile(join(rootfs, "etc/written"), "utf8")).toBe("new");
    await expect(stat(join(rootfs, "etc/gone"))).rejects.toThrow("ENOENT");
    await expect(stat(join(rootfs, "etc/sub"))).rejects.toThrow("ENOENT");
  });

  it("never land outside of the root through a symbolic link of the image", async () => {
    const outside = join(directory, "outside");
    await mkdir(outside);
    await symlink(outside, join(rootfs, "link"));
    await pack({ "link/evil": "x" });
    await mark();
    create();
    expect(await readFile(join(rootfs, "link/evil"), "utf8")).toBe("x");
    await expect(stat(join(outside, "evil"))).rejects.toThrow("ENOENT");
  });

  it.each(["../precious\0", "./a/../../precious\0", `/precious\0`])(
    "are refused when a removal would leave the root: %j",
    async (removed) => {
      await writeFile(join(directory, "precious"), "");
      await writeFile(join(snapshot, "removed"), removed);
      await mark();
      expect(create().status).toBe(0);
      await stat(join(directory, "precious"));
      expect(await outcome()).toContain("reason the changed files of the snapshot do not unpack\n");
      expect((await calls()).at(-1)).toContain(" create ");
    },
  );

  it("are refused when a removal would follow a symbolic link of the image out of the root", async () => {
    const outside = join(directory, "outside");
    await mkdir(join(outside, "deep"), { recursive: true });
    await writeFile(join(outside, "deep/precious"), "");
    await symlink(outside, join(rootfs, "data"));
    await writeFile(join(snapshot, "removed"), "./etc/gone\0./data/deep/precious\0");
    await mark();
    expect(create().status).toBe(0);
    await stat(join(outside, "deep/precious"));
    expect(await outcome()).toContain("reason the changed files of the snapshot do not unpack\n");
  });

  it("are removed through a symbolic link that stays in the root", async () => {
    await mkdir(join(rootfs, "usr/lib"), { recursive: true });
    await writeFile(join(rootfs, "usr/lib/gone"), "");
    await symlink("usr/lib", join(rootfs, "lib"));
    await writeFile(join(snapshot, "removed"), "./lib/gone\0./lib\0");
    await mark();
    create();
    await expect(stat(join(rootfs, "usr/lib/gone"))).rejects.toThrow("ENOENT");
    await expect(stat(join(rootfs, "lib"))).rejects.toThrow("ENOENT");
    await stat(join(rootfs, "usr/lib"));
  });

  it("of a truncated archive mean a cold start", async () => {
    await pack({ "etc/written": "x".repeat(100_000) });
    const archive = await readFile(join(snapshot, "files.tar"));
    await writeFile(join(snapshot, "files.tar"), archive.subarray(0, 20_000));
    await mark();
    create();
    expect(await outcome()).toMatch(/reason the changed files .*\ndetail tar: /);
    expect((await calls()).at(-1)).toContain(" create ");
  });
});

it("refuses paths that the script could not hold", async () => {
  await expect(renderWrapper({ runc: "runc", criuDirectory: "/c" })).rejects.toThrow("absolute");
});

function create(): ReturnType<typeof run> {
  return run("--root", "/r", "--log", "/l", "create", "--bundle", bundle, "--pid-file", "/p", id);
}

function run(...command: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(wrapper, command, { encoding: "utf8" });
  return { status, stdout, stderr };
}

async function script(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  await chmod(path, 0o755);
}

async function mark(usesHugePages = true): Promise<void> {
  const { marker, outcome: former } = wrapperFiles(state, id);
  await mkdir(join(state, "restore"), { recursive: true });
  await rm(former, { force: true });
  await writeFile(marker, restoreMarker(snapshot, { usesHugePages }));
}

async function pack(files: Readonly<Record<string, string>>): Promise<void> {
  const source = await mkdtemp(join(directory, "pack-"));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(source, path, ".."), { recursive: true });
    await writeFile(join(source, path), text);
  }
  spawnSync("tar", ["-cf", join(snapshot, "files.tar"), "-C", source, "."]);
}

const lines = async (name: string): Promise<string[]> =>
  (await readFile(join(directory, name), "utf8")).trimEnd().split("\n");
const calls = async (): Promise<string[]> => await lines("calls");
const settings = async (): Promise<string[]> => await lines("settings");
const outcome = async (): Promise<string> =>
  await readFile(wrapperFiles(state, id).outcome, "utf8");

/** A plain file holds what was last written, where the kernel's shows all words with the chosen one in brackets. */
async function thp(name: string): Promise<string> {
  return (await readFile(join(directory, "thp", name), "utf8")).trim();
}
