import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { execa } from "execa";

import type { Clock } from "../clock.ts";
import { SnapshotError } from "../errors.ts";
import { findChangedFiles, readOverlayRoot, writeChangedFiles } from "./changed-files.ts";

export interface RuncPaths {
  readonly runc: string;
  readonly runcRoot: string;
  /** A directory that holds an executable `criu`, put before PATH for runc to find it. */
  readonly criuDirectory: string;
}

/** A dump writes about 1 GB/s; a process that cannot be dumped in this time is frozen for its callers. */
const dumpTimeoutMs = 300_000;
/** Of CRIU's log, what a reader needs to see why. */
const reasonLinesMax = 4;

/**
 * Freezes the container, writes its changed files and then its processes into the directory, and lets it run on: files
 * and memory are of one moment. There is no signal: a dump that is cut off in the middle could harm the process, so an
 * abort is honoured by the caller before and after.
 * @returns how long the container stood still, in milliseconds.
 * @throws SnapshotError `snapshot_capture_failed` with CRIU's own reasons; the container runs on.
 */
export async function dumpContainer(input: {
  readonly directory: string;
  readonly containerId: string;
  readonly initPid: number;
  readonly paths: RuncPaths;
  readonly clock: Clock;
  /** Called in the stillness, before anything is written; what it throws ends the dump. */
  readonly onFrozen: () => Promise<void>;
}): Promise<number> {
  const { directory, containerId, initPid, paths, clock } = input;
  await mkdir(join(directory, "images"), { mode: 0o700 });
  const root = await readOverlayRoot(initPid);
  const frozenAt = clock.monotonicMs();
  try {
    await freeze(paths, containerId);
    await input.onFrozen();
    await writeChangedFiles(directory, root, await findChangedFiles(root));
    await checkpoint(input);
  } catch (error) {
    throw asCaptureError(error);
  } finally {
    await thaw(paths, containerId);
  }
  return clock.monotonicMs() - frozenAt;
}

/** Lets a container run on that a capture froze. Never rejects: one that runs, or is gone, is as it should be. */
export async function thaw(paths: RuncPaths, containerId: string): Promise<void> {
  await runc(paths, ["resume", containerId]).catch(() => {});
}

async function freeze(paths: RuncPaths, containerId: string): Promise<void> {
  try {
    await runc(paths, ["pause", containerId]);
  } catch (error) {
    throw new SnapshotError(
      "snapshot_capture_failed",
      `the container could not be frozen: ${firstLine(error)}`,
      { cause: error, hint: "a process that waits for a disk cannot be frozen; it is tried again" },
    );
  }
}

/** tar writes as much as CRIU, and to the same disk. */
function asCaptureError(error: unknown): unknown {
  if (error instanceof SnapshotError) return error;
  const text = firstLine(error);
  const { stderr } = error as { stderr?: unknown };
  const said = typeof stderr === "string" && stderr !== "" ? stderr.split("\n").at(-1) : text;
  return new SnapshotError(
    "snapshot_capture_failed",
    `the container's files cannot be kept: ${/No space left[^\n]*/.exec(String(stderr))?.[0] ?? said}`,
    { cause: error, hint: hintFor(String(stderr)) },
  );
}

async function checkpoint(input: {
  readonly directory: string;
  readonly containerId: string;
  readonly paths: RuncPaths;
}): Promise<void> {
  const { directory, containerId, paths } = input;
  const work = join(directory, "work");
  await mkdir(work, { mode: 0o700 });
  const settings = join(work, "criu.conf");
  await writeFile(settings, criuSettings);
  try {
    await runc(
      paths,
      [
        "checkpoint",
        "--leave-running",
        "--tcp-established",
        "--file-locks",
        `--image-path=${join(directory, "images")}`,
        `--work-path=${work}`,
        containerId,
      ],
      { CRIU_CONFIG_FILE: settings },
    );
  } catch (error) {
    const log = await readFile(join(work, "dump.log"), "utf8").catch(() => "");
    const reasons = dumpFailureReasons(log);
    const text = reasons.length > 0 ? reasons.join("; ") : firstLine(error);
    throw new SnapshotError("snapshot_capture_failed", `CRIU cannot dump the container: ${text}`, {
      cause: error,
      hint: hintFor(text),
    });
  }
}

/**
 * CRIU would keep packets from the container's connections by rules for iptables, at the dump and, because the image says
 * so, at every restore: eight programs, a tenth of a second. A capture finds no connection, and a clone has none.
 */
const criuSettings = "network-lock skip\n";

/** CRIU's last errors, without times and source positions. Pure. */
export function dumpFailureReasons(log: string): readonly string[] {
  return log
    .split("\n")
    .flatMap((line) => /Error \([^)]*\): (?:\s*\w+: )?(.*)$/.exec(line)?.[1] ?? [])
    .filter((reason) => !isNoise.test(reason))
    .slice(-reasonLinesMax);
}

/** The end of every failed log, and a limit that CRIU could not raise for itself, which harms nothing. */
const isNoise = /^Dumping FAILED|Can't setup RLIMIT_NOFILE/;

const hints: readonly (readonly [RegExp, string])[] = [
  [/No space left/i, "free space in the snapshots' directory"],
  [
    /rlimit|Operation not permitted/i,
    "byom lacks a capability here (a model that does not run as root needs CAP_SYS_RESOURCE); it starts cold",
  ],
  [/unix socket|sk unix/i, "close sockets to other programs in a before_snapshot hook"],
  [/inet|tcp/i, "close network connections in a before_snapshot hook"],
  [/inotify|fsnotify/i, "do not watch files in the served model"],
  [/io_uring/i, "set UV_USE_IO_URING=0 in the image"],
  [/ghost/i, "a deleted file is still open: close it in a before_snapshot hook"],
];

function hintFor(reason: string): string {
  const known = hints.find(([pattern]) => pattern.test(reason));
  return (
    known?.[1] ?? "the model goes on to start cold; `before_snapshot` may release what CRIU names"
  );
}

function firstLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  const text = typeof stderr === "string" && stderr !== "" ? stderr : String(message);
  return text.split("\n")[0] ?? text;
}

async function runc(
  paths: RuncPaths,
  command: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<void> {
  await execa(paths.runc, ["--root", paths.runcRoot, ...command], {
    stdin: "ignore",
    timeout: dumpTimeoutMs,
    // A Ctrl-C, or the end of byom, must not cut off CRIU in a process that serves on.
    detached: true,
    cleanup: false,
    env: { ...environment, PATH: `${paths.criuDirectory}:${systemPath}` },
    extendEnv: false,
  });
}

/** For CRIU's helpers (iptables, tar) and the tools of util-linux. */
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
