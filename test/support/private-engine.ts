import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

import Docker from "dockerode";
import { execa } from "execa";

import { renderWrapper } from "../../runtime/oci-runtime/wrapper.ts";
import { findProgram } from "./registry.ts";

/**
 * A Docker Engine of the test's own, for what nobody may do to the one that everybody uses: kill it, count what it
 * leaves behind. It runs in a mount namespace in which its directories stand at Docker's usual places, so that byom,
 * started there too, finds everything where it always is. It shares the host's processes and network.
 */
export interface PrivateEngine extends AsyncDisposable {
  readonly docker: Docker;
  /** For `DOCKER_HOST`. */
  readonly address: string;
  /** Runs a program in the engine's mount namespace: put it before the command. */
  readonly launcher: readonly string[];
  /** Holds everything of the engine, its `docker` and `byom` directories among them (`/run/docker`, `/run/byom`). */
  readonly directory: string;
  /** Its containers' cgroups lie below this name. */
  readonly cgroupParent: string;
  /** The program that holds the mount namespace. */
  readonly holderPid: number;
  /** Of dockerd; changes with each start. */
  pid(): number;
  /** kill -9 of dockerd; the containerd that it runs goes with it. */
  kill(): Promise<void>;
  /** All that dockerd and its containerd have written. */
  log(): string;
  /** Starts dockerd again after a kill; resolves when it answers. */
  start(): Promise<void>;
}

/** CRIU as host set-up installs it. */
const criuDirectory = "/var/lib/byom/bin";
/** On a busy machine; an idle one needs one. */
const startTimeoutMs = 60_000;
const stopTimeoutMs = 30_000;
const pollMs = 20;

/** Why there can be no such engine here, or undefined. Prints the reason. */
export function whyNoPrivateEngine(): string | undefined {
  const lacking = ["dockerd", "runc", "unshare", "nsenter", "ip"].filter(
    (name) => findProgram(name) === undefined,
  );
  const reason =
    process.getuid?.() !== 0
      ? "an engine of its own needs root"
      : lacking.length > 0
        ? `not on PATH: ${lacking.join(", ")}`
        : existsSync(join(criuDirectory, "criu"))
          ? undefined
          : "CRIU is not installed: run `byom host setup`";
  if (reason !== undefined) console.warn(`skipped: ${reason}`);
  return reason;
}

export async function startPrivateEngine(options: {
  readonly keepsContainers: boolean;
}): Promise<PrivateEngine> {
  const directory = mkdtempSync(join(tmpdir(), "byom-test-engine-"));
  const socket = join(directory, "docker.sock");
  const cgroupParent = `byom-test-${process.pid}-${Date.now().toString(36)}`;
  await makeBridge();
  await writeSettings(directory, { cgroupParent, socket, ...options });
  const holder = await holdNamespace(directory);
  const launcher = ["nsenter", `--mount=/proc/${holder.pid}/ns/mnt`, "--"];
  const docker = new Docker({ socketPath: socket });
  let daemon: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    // A kill leaves the files of the old processes, whose numbers may be others' by now.
    rmSync(join(directory, "docker.pid"), { force: true });
    rmSync(join(directory, "docker/containerd/containerd.pid"), { force: true });
    daemon = startDaemon(directory, launcher);
    await untilAnswering(docker, daemon, join(directory, "dockerd.log"));
  };
  const dispose = async (): Promise<void> => {
    await removeNetworks(docker).catch(() => {});
    await stopProcess(daemon, "SIGTERM");
    await killAll(holder.pid ?? 0, cgroupParent);
    await stopProcess(holder, "SIGKILL");
    removeCgroups(cgroupParent);
    await removeBridge();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    docker,
    address: `unix://${socket}`,
    launcher,
    directory,
    cgroupParent,
    holderPid: holder.pid ?? 0,
    pid: () => daemon?.pid ?? 0,
    log: () => readText(join(directory, "dockerd.log")),
    kill: async () => {
      await stopProcess(daemon, "SIGKILL");
      await untilContainerdIsGone(join(directory, "docker/containerd/containerd.pid"));
    },
    start,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Copies an image from the host's engine; returns its ID in this one. */
export async function copyImage(engine: PrivateEngine, name: string): Promise<string> {
  const archive = await new Docker().getImage(name).get();
  const progress = await engine.docker.loadImage(archive);
  for await (const _piece of progress);
  return (await engine.docker.getImage(name).inspect()).Id;
}

/** Their bridges are the host's, and outlive the engine. */
async function removeNetworks(docker: Docker): Promise<void> {
  for (const { Id } of await docker.listContainers({ all: true })) {
    await docker.getContainer(Id).remove({ force: true });
  }
  for (const { Id, Name } of await docker.listNetworks()) {
    if (!["bridge", "host", "none"].includes(Name)) await docker.getNetwork(Id).remove();
  }
}

/**
 * With `none` an engine removes the host's own docker0, and every other engine's builds fail; so does one with
 * `default-address-pools` when it starts again after a kill. Without them it passes by the networks that it sees in use.
 */
const bridgeName = `byt${process.pid}`;

async function makeBridge(): Promise<void> {
  await removeBridge();
  await execa("ip", ["link", "add", bridgeName, "type", "bridge"]);
}

async function removeBridge(): Promise<void> {
  await execa("ip", ["link", "delete", bridgeName], { reject: false });
}

async function writeSettings(
  directory: string,
  options: {
    readonly cgroupParent: string;
    readonly socket: string;
    readonly keepsContainers: boolean;
  },
): Promise<void> {
  for (const name of ["docker", "byom", "huge-pages", "data"]) mkdirSync(join(directory, name));
  // The host's own setting is for everybody: the wrapper changes this one.
  writeFileSync(join(directory, "huge-pages/enabled"), "always [madvise] never\n");
  writeFileSync(join(directory, "huge-pages/defrag"), "always defer [madvise] never\n");
  const wrapper = join(directory, "byom-runc");
  const hugePagesDirectory = join(directory, "huge-pages");
  const runc = findProgram("runc") ?? "/usr/bin/runc";
  writeFileSync(wrapper, await renderWrapper({ runc, criuDirectory, hugePagesDirectory }));
  chmodSync(wrapper, 0o755);
  const settings = {
    runtimes: { byom: { path: wrapper } },
    hosts: [`unix://${options.socket}`],
    "data-root": join(directory, "data"),
    pidfile: join(directory, "docker.pid"),
    "cgroup-parent": `/${options.cgroupParent}`,
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    // Containers are called from the host, and call nobody: no rules, no NAT.
    iptables: false,
    bridge: bridgeName,
    "live-restore": options.keepsContainers,
    "shutdown-timeout": 2,
  };
  writeFileSync(join(directory, "daemon.json"), JSON.stringify(settings));
}

/** The namespace lives as long as a program in it; `cat` ends when this process does. */
async function holdNamespace(directory: string): Promise<ChildProcess> {
  // The host's containers are mounted in the copy too: nothing of theirs may be held here.
  const script = `awk '$5 ~ "^/(run|var/lib)/docker/" { print $5 }' /proc/self/mountinfo | xargs -r umount -l
    mkdir -p /run/docker /run/byom &&
    mount --bind "$0/docker" /run/docker && mount --bind "$0/byom" /run/byom && echo ready && exec cat`;
  const holder = spawn(
    "unshare",
    ["--mount", "--propagation", "private", "sh", "-c", script, directory],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const ended = once(holder, "exit").then(() => {
    throw new Error("no mount namespace can be made here");
  });
  await Promise.race([once(holder.stdout, "data"), ended]);
  ended.catch(() => {});
  return holder;
}

function startDaemon(directory: string, launcher: readonly string[]): ChildProcess {
  const [program = "", ...args] = launcher;
  const log = join(directory, "dockerd.log");
  const command = `exec dockerd --config-file '${directory}/daemon.json' >>'${log}' 2>&1`;
  return spawn(program, [...args, "sh", "-c", command], { stdio: "ignore" });
}

async function untilAnswering(docker: Docker, daemon: ChildProcess, log: string): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  for (;;) {
    const isUp = await docker.ping().then(
      () => true,
      () => false,
    );
    if (isUp) return;
    if (daemon.exitCode !== null || performance.now() > deadline) {
      throw new Error(`dockerd does not answer: ${readFileSync(log, "utf8").slice(-2000)}`);
    }
    await delay(pollMs);
  }
}

/** The kernel kills it with dockerd, a moment later. Where nobody collects orphans it stays on as a zombie. */
async function untilContainerdIsGone(pidFile: string): Promise<void> {
  const pid = readText(pidFile).trim();
  const deadline = performance.now() + stopTimeoutMs;
  while (/^State:\s+[^ZX]/m.test(readText(`/proc/${pid}/status`))) {
    if (performance.now() > deadline) throw new Error(`containerd ${pid} outlives dockerd`);
    await delay(pollMs);
  }
}

async function stopProcess(
  child: ChildProcess | undefined,
  signal: "SIGTERM" | "SIGKILL",
): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill(signal);
  const timer = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await ended;
  clearTimeout(timer);
}

/** Ends what still runs in the engine's mount namespace or in its containers. */
async function killAll(holderPid: number, cgroupParent: string): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const pids = engineProcesses({ holderPid, cgroupParent }).filter((pid) => pid !== holderPid);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // it ended meanwhile
      }
    }
    await delay(pollMs);
  }
}

/** PIDs of everything in the engine's mount namespace or below its cgroup: dockerd, containerd, shims, containers, byom. */
export function engineProcesses(
  engine: Pick<PrivateEngine, "holderPid" | "cgroupParent">,
): readonly number[] {
  const namespace = mountNamespace(engine.holderPid);
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .filter((pid) => {
      const own = mountNamespace(pid);
      if (own !== undefined && own === namespace) return true;
      return readText(`/proc/${pid}/cgroup`).includes(`/${engine.cgroupParent}/`);
    });
}

function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Directories of the engine's containers in every hierarchy, deepest first; cgroup v1 and v2. */
export function engineCgroups(cgroupParent: string): readonly string[] {
  const result = spawnSync(
    "find",
    ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${cgroupParent}*`],
    { encoding: "utf8" },
  );
  return result.stdout.split("\n").filter((line) => line !== "");
}

function removeCgroups(cgroupParent: string): void {
  for (const path of engineCgroups(cgroupParent)) {
    try {
      rmdirSync(path);
    } catch {
      // a process that was just killed is still in it; an empty cgroup harms nobody
    }
  }
}
