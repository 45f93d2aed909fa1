// A restore that fails after the snapshot's changed files came into the container's root, on a real overlay, with a
// recorded runc. If this fails, a cold start runs over the files of another run: half-written caches, locks of processes
// that never were, deleted files missing.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { markForRestore } from "../../../../runtime/oci-runtime/marker.ts";
import { forgetContainer, sweepRestores } from "../../../../runtime/oci-runtime/sweep.ts";
import { renderWrapper, wrapperFiles } from "../../../../runtime/oci-runtime/wrapper.ts";

const id = "d".repeat(64);
let directory: string;
let merged: string;
let state: string;

const skipReason = process.getuid?.() === 0 ? undefined : "mounting an overlay needs root";
if (skipReason !== undefined) console.log(`skipped: files of a failed restore: ${skipReason}`);

/** `restore` does what the file `restore.sh` beside it says, and fails. */
const fakeRunc = `#!/bin/sh
case "$*" in *" restore "*) . "$(dirname "$0")/restore.sh"; exit 1 ;; esac
exit 0
`;

describe.skipIf(skipReason !== undefined)("the files of a restore that failed", () => {
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "byom-undo-"));
    merged = join(directory, "merged");
    state = join(directory, "state");
    for (const name of ["base/etc/sub/deep", "base/opt/kept", "base/var/replaced", "top/srv"]) {
      await mkdir(join(directory, name), { recursive: true });
    }
    for (const name of ["upper", "work", "merged", "bundle", "snapshot/images"]) {
      await mkdir(join(directory, name), { recursive: true });
    }
    await writeFile(join(directory, "base/etc/changed"), "of the image", { mode: 0o640 });
    await writeFile(join(directory, "base/etc/sub/deep/file"), "below a removed directory");
    await writeFile(join(directory, "base/etc/name with\nnewline"), "odd");
    await writeFile(join(directory, "base/opt/kept/file"), "hidden by an opaque directory");
    await writeFile(join(directory, "base/var/replaced/file"), "of a directory that became a file");
    await writeFile(join(directory, "top/srv/gone"), "removed");
    await symlink("/etc/passwd", join(directory, "top/srv/link"));
    const options = `lowerdir=${directory}/top:${directory}/base,upperdir=${directory}/upper,workdir=${directory}/work`;
    run("mount", "-t", "overlay", "-o", options, "overlay", merged);
    const config = { ociVersion: "1.0.2", process: {}, root: { path: merged } };
    await writeFile(join(directory, "bundle/config.json"), JSON.stringify(config));
    await writeFile(join(directory, "runc"), fakeRunc);
    await writeFile(join(directory, "restore.sh"), "");
    await packSnapshot();
    const wrapper = await renderWrapper({ ...paths(), restoreSecondsMax: 1 });
    await writeFile(join(directory, "byom-runc"), wrapper);
    for (const name of ["runc", "byom-runc"]) await chmod(join(directory, name), 0o755);
  });

  afterEach(async () => {
    run("umount", "-l", merged);
    await rm(directory, { recursive: true, force: true });
  });

  it("are out of the root again, and all of the image is back as it was", async () => {
    const before = listing();
    expect(before).toContain("./etc/changed");
    // What runs half restored may have written too.
    await writeFile(join(directory, "restore.sh"), `echo late > '${merged}/etc/late'`);
    await create();
    expect(await outcome()).toContain("undone the changed files are out of the root again\n");
    expect(listing()).toBe(before);
    expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(join(state, "work"));
  });

  it("were there when CRIU wanted them", async () => {
    await writeFile(join(directory, "restore.sh"), `cp -a '${merged}' '${directory}/seen'`);
    await create();
    expect(await readFile(join(directory, "seen/etc/changed"), "utf8")).toBe("of the snapshot");
    expect(await readFile(join(directory, "seen/var/replaced"), "utf8")).toBe("a file now");
    const seen = spawnSync("find", [join(directory, "seen")], { encoding: "utf8" }).stdout;
    expect(seen).not.toMatch(/gone|deep|kept\/file/);
    expect(seen).toContain("kept/new");
  });

  it("go when the restore hangs, and the start is cold in time", async () => {
    const before = listing();
    await writeFile(join(directory, "restore.sh"), "sleep 30");
    await create();
    expect(await outcome()).toMatch(/reason runc restore was killed, or hung for 1 seconds\n/);
    expect(await outcome()).toContain("result cold\n");
    expect(listing()).toBe(before);
  });

  it.each(["delete", "create", "sweep"] as const)(
    "go after a kill of the wrapper with the next %s, whatever it left",
    async (next) => {
      const before = listing();
      const root = join(directory, "runc-root", id, "criu-root");
      // A mount of the root as CRIU needs it: runc would delete the files in it.
      await writeFile(
        join(directory, "restore.sh"),
        `mkdir -p '${root}'; mount --bind '${merged}' '${root}'; kill -9 $(ps -o ppid= -p $PPID); sleep 30`,
      );
      expect((await create()).signal).toBe("SIGKILL");
      expect(listing()).not.toBe(before);
      const signal = AbortSignal.timeout(20_000);
      if (next === "delete") call("delete", "--force", id);
      if (next === "create") call("create", "--bundle", join(directory, "bundle"), id);
      if (next === "sweep") await sweepRestores({ ...paths(), ...roots() }, signal);
      expect(listing()).toBe(before);
      expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(root);
      expect(processesWith(join(state, "work", id))).toEqual([]);
      const { marker, work } = wrapperFiles(state, id);
      if (next !== "create") expect(spawnSync("ls", [marker, work]).stdout.toString()).toBe("");
      expect(await outcome()).toContain("cleaned processes that were left\n");
    },
  );

  it("go with all else of a container that an engine which died has forgotten, its shim too", async () => {
    const root = join(directory, "runc-root", id, "criu-root");
    await writeFile(
      join(directory, "restore.sh"),
      `mkdir -p '${root}'; mount --bind '${merged}' '${root}'; kill -9 $(ps -o ppid= -p $PPID); sleep 30`,
    );
    const bundle = join(directory, "containerd", id);
    await mkdir(join(bundle, "rootfs"), { recursive: true });
    const shim = join(directory, "containerd-shim-test");
    await writeFile(shim, "#!/bin/sh\nread -r line\n", { mode: 0o755 });
    const running = spawn(shim, ["-namespace", "moby", "-id", id], { cwd: bundle });
    const ended = once(running, "exit");
    expect((await create()).signal).toBe("SIGKILL");
    await forgetContainer({ ...paths(), ...roots() }, id);
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(bundle)).toBe(false);
    expect(processesWith(join(state, "work", id))).toEqual([]);
    expect(await readFile("/proc/self/mountinfo", "utf8")).not.toContain(root);
    const files = Object.values(wrapperFiles(state, id));
    expect(files.filter((path) => existsSync(path))).toEqual([]);
    // What is in the root goes with the container's layer, not by our hand.
    expect(existsSync(join(merged, "etc/changed"))).toBe(true);
  });

  it("stay with a restore that is under way when another platform sweeps", async () => {
    const before = listing();
    await writeFile(join(directory, "restore.sh"), `touch '${directory}/begun'; sleep 1`);
    await mark();
    const creating = once(spawn(join(directory, "byom-runc"), createCommand()), "exit");
    while (!existsSync(join(directory, "begun"))) await delay(10);
    await sweepRestores({ ...paths(), ...roots() }, AbortSignal.timeout(20_000));
    expect(listing()).not.toBe(before);
    await creating;
    expect(await outcome()).not.toContain("cleaned");
  });
});

const roots = (): { runcRoot: string } => ({ runcRoot: join(directory, "runc-root") });
const paths = (): { runc: string; criuDirectory: string; stateDirectory: string } => ({
  runc: join(directory, "runc"),
  criuDirectory: directory,
  stateDirectory: state,
});

async function packSnapshot(): Promise<void> {
  const pack = join(directory, "pack");
  for (const name of ["etc", "opt/kept", "var"]) await mkdir(join(pack, name), { recursive: true });
  await writeFile(join(pack, "etc/changed"), "of the snapshot", { mode: 0o600 });
  await writeFile(join(pack, "etc/new"), "new");
  await writeFile(join(pack, "opt/kept/new"), "in an opaque directory");
  await writeFile(join(pack, "var/replaced"), "a file now");
  run("tar", "-cf", join(directory, "snapshot/files.tar"), "-C", pack, ".");
  const removed = ["etc/sub", "etc/name with\nnewline", "opt/kept", "var/replaced", "srv/gone"];
  const list = removed.map((path) => `./${path}\0`).join("");
  await writeFile(join(directory, "snapshot/removed"), list);
}

async function create(): Promise<{ signal: string | null }> {
  await mark();
  return call(...createCommand().slice(2));
}

async function mark(): Promise<void> {
  const options = { stateDirectory: state, containerId: id, usesHugePages: false };
  await markForRestore({ ...options, snapshotDirectory: join(directory, "snapshot") });
}

function createCommand(): readonly string[] {
  return ["--root", roots().runcRoot, "create", "--bundle", join(directory, "bundle"), id];
}

/** PIDs of what still runs for a restore: runc and `timeout` have its work directory among their arguments. */
function processesWith(argument: string): readonly string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").includes(argument);
    } catch {
      return false;
    }
  });
}

function call(...command: readonly string[]): { signal: string | null } {
  const { runcRoot } = roots();
  const wrapper = join(directory, "byom-runc");
  const result = spawnSync(wrapper, ["--root", runcRoot, ...command], { stdio: "ignore" });
  return { signal: result.signal };
}

/** Every path below the root with its kind, mode, owner, link and content. */
function listing(): string {
  const script = `find . ! -type d -printf '%p %y %m %u:%g %l\\n' ! -type l -exec md5sum {} + | sort; find . -type d -printf '%p %m %u:%g\\n' | sort`;
  return spawnSync("sh", ["-c", script], { cwd: merged, encoding: "utf8" }).stdout;
}

function run(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program}: ${stderr}`);
}

const outcome = async (): Promise<string> =>
  await readFile(wrapperFiles(state, id).outcome, "utf8");
