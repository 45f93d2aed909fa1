import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { release, tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram, lastLines, tryCommand } from "../command.ts";
import type { Environment } from "../directories.ts";
import { waitFor } from "../wait.ts";

/** The probe's process is up within milliseconds; a loaded machine gets this long. */
const beatTimeoutMs = 5_000;
/** A dump of 3 MB takes 0.1 s; a CRIU that hangs is not usable. */
const criuTimeoutMs = 20_000;

/** A CRIU that was tried on this host, or why it cannot be used. */
export type CriuVerdict =
  | { readonly isUsable: true; readonly version: string }
  | { readonly isUsable: false; readonly version?: string; readonly reason: string };

export interface CriuOptions {
  readonly environment: Environment;
  readonly signal: AbortSignal;
}

/**
 * Runs `criu check`, then dumps and restores a real process with a listening and a connected TCP socket.
 * A version number proves nothing: whether CRIU works depends on the kernel it meets.
 */
export async function verifyCriu(criu: string, options: CriuOptions): Promise<CriuVerdict> {
  const version = await readCriuVersion(criu, options);
  if (version === undefined) return { isUsable: false, reason: `${criu} does not run` };
  const check = await tryCommand([criu, "check"], { ...options, timeoutMs: criuTimeoutMs });
  if (check.exitCode !== 0) {
    return { isUsable: false, version, reason: `criu check: ${firstError(check.output)}` };
  }
  const reason = await dumpAndRestore(criu, options);
  return reason === undefined ? { isUsable: true, version } : { isUsable: false, version, reason };
}

/** `4.2.1`; undefined when the file cannot be executed here. */
export async function readCriuVersion(
  criu: string,
  options: CriuOptions,
): Promise<string | undefined> {
  const result = await tryCommand([criu, "--version"], { ...options, timeoutMs: criuTimeoutMs });
  return result.exitCode === 0 ? /Version: (\S+)/.exec(result.stdout)?.[1] : undefined;
}

/** What a verdict holds for: this kernel and this binary. */
export async function criuFingerprint(criu: string): Promise<string> {
  const { size, mtimeMs } = await stat(criu);
  return `${release()} ${size} ${Math.round(mtimeMs)}`;
}

/** Undefined when the process lived on after the restore, else what went wrong. */
async function dumpAndRestore(criu: string, options: CriuOptions): Promise<string | undefined> {
  const program = await findProbeProgram(options);
  if (program === undefined) return "neither perl nor python3 is there to try a dump with";
  const directory = await mkdtemp(join(tmpdir(), "byom-criu-probe-"));
  const beat = join(directory, "beat");
  const child = spawn(program.path, [...program.args, beat], {
    detached: true,
    stdio: "ignore",
    cwd: "/",
    env: { PATH: options.environment["PATH"] },
  });
  const pid = child.pid;
  try {
    if (pid === undefined || !(await waitForBeat(beat, 0, options.signal))) {
      return `${program.path} did not start`;
    }
    return await dumpThenRestore({ criu, pid, directory, beat }, options);
  } finally {
    killProcess(pid);
    await rm(directory, { recursive: true, force: true });
  }
}

async function dumpThenRestore(
  probe: { criu: string; pid: number; directory: string; beat: string },
  options: CriuOptions,
): Promise<string | undefined> {
  const { criu, pid, directory } = probe;
  const limits = { ...options, timeoutMs: criuTimeoutMs };
  const shared = ["-D", directory, "--tcp-established"];
  const dump = await tryCommand(
    // The peer is in the dumped process: no packet has to be held back meanwhile.
    [criu, "dump", "-t", String(pid), "-o", "dump.log", "--network-lock", "skip", ...shared],
    limits,
  );
  if (dump.exitCode !== 0) return `dump: ${await readError(directory, "dump.log", dump.output)}`;
  const before = await readBeat(probe.beat);
  const restore = await tryCommand([criu, "restore", "-d", "-o", "restore.log", ...shared], limits);
  if (restore.exitCode !== 0) {
    return `restore: ${await readError(directory, "restore.log", restore.output)}`;
  }
  const isAlive = await waitForBeat(probe.beat, before, options.signal);
  return isAlive ? undefined : "the restored process does not go on";
}

/** Both send a byte to themselves over TCP every 20 ms and write down how many came through. */
async function findProbeProgram(
  options: CriuOptions,
): Promise<{ path: string; args: readonly string[] } | undefined> {
  const perl = await findProgram("perl", options);
  if (perl !== undefined) return { path: perl, args: ["-e", perlProbe] };
  const python = await findProgram("python3", options);
  return python === undefined ? undefined : { path: python, args: ["-c", pythonProbe] };
}

const perlProbe = `
use IO::Socket::INET;
my $server = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0) or die;
my $client = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $server->sockport) or die;
my $peer = $server->accept;
for (my $count = 1; ; $count++) {
  syswrite($client, "x") == 1 or die;
  sysread($peer, my $byte, 1) == 1 or die;
  open(my $file, ">", $ARGV[0]) or die;
  print $file $count;
  close $file;
  select(undef, undef, undef, 0.02);
}`;

const pythonProbe = `
import itertools, socket, sys, time
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
peer, _ = server.accept()
for count in itertools.count(1):
    client.sendall(b"x")
    assert peer.recv(1) == b"x"
    with open(sys.argv[1], "w") as file:
        file.write(str(count))
    time.sleep(0.02)`;

async function waitForBeat(file: string, after: number, signal: AbortSignal): Promise<boolean> {
  const look = async (): Promise<true | undefined> =>
    (await readBeat(file)) > after ? true : undefined;
  return (await waitFor(look, { timeoutMs: beatTimeoutMs, signal })) === true;
}

async function readBeat(file: string): Promise<number> {
  return Number((await readFile(file, "utf8").catch(() => "")) || "0");
}

async function readError(directory: string, log: string, output: string): Promise<string> {
  const text = await readFile(join(directory, log), "utf8").catch(() => "");
  return firstError(text === "" ? output : text);
}

/** CRIU's first error names the cause; those after it are consequences. A rlimit message is harmless. */
function firstError(text: string): string {
  const errors = text
    .split("\n")
    .filter((line) => line.includes("Error (") && !line.includes("rlimit"));
  return (errors[0] ?? lastLines(text, 1)).replace(/^.*Error \([^)]*\):\s*/, "").trim();
}

/** The restored process has the same pid, but is no child of ours any more. */
function killProcess(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It is gone already.
  }
}
