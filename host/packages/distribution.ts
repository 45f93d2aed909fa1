import { readFile, readdir, stat } from "node:fs/promises";
import { findProgram, runCommand, tryCommand } from "../command.ts";
import type { Environment } from "../directories.ts";
import { HostError } from "../errors.ts";

/** Package lists older than this are refreshed before an installation. */
const listsAgeMaxMs = 24 * 3_600_000;

/** The Linux distribution of this host, from os-release. */
export interface Distribution {
  /** `debian`, `ubuntu`, `fedora`, …; `linux` when unknown. */
  readonly id: string;
  /** `Debian GNU/Linux 12 (bookworm)`. */
  readonly name: string;
  /** `bookworm`; empty when the distribution has none. */
  readonly codename: string;
  readonly packageManager?: "apt" | "dnf" | "apk";
}

export interface PackageOptions {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly onLine?: (line: string) => void;
}

/** Reads os-release and looks for a package manager. Never rejects but for the signal. */
export async function detectDistribution(options: PackageOptions): Promise<Distribution> {
  const text = await readFile("/etc/os-release", {
    encoding: "utf8",
    signal: options.signal,
  }).catch(() => "");
  options.signal.throwIfAborted();
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}="?([^"\n]*)"?$`, "m").exec(text)?.[1];
  let packageManager: Distribution["packageManager"];
  for (const [program, name] of [
    ["apt-get", "apt"],
    ["dnf", "dnf"],
    ["apk", "apk"],
  ] as const) {
    if (packageManager === undefined && (await findProgram(program, options)))
      packageManager = name;
  }
  return {
    id: field("ID") ?? "linux",
    name: field("PRETTY_NAME") ?? field("ID") ?? "Linux",
    codename: field("VERSION_CODENAME") ?? "",
    ...(packageManager === undefined ? {} : { packageManager }),
  };
}

/**
 * Installs packages of the distribution without asking anything.
 * @throws HostError HOST_PACKAGES_UNSUPPORTED with the command to type where the package manager is not apt.
 */
export async function installPackages(
  packages: readonly string[],
  distribution: Distribution,
  options: PackageOptions,
): Promise<void> {
  if (distribution.packageManager !== "apt") throw unsupported(packages, distribution);
  await refreshLists(options);
  const available: string[] = [];
  for (const name of packages) {
    const isOptional = name.endsWith("?");
    const bare = isOptional ? name.slice(0, -1) : name;
    if (!isOptional || (await isKnown(bare, options))) available.push(bare);
  }
  await runCommand(
    ["apt-get", ...quietApt, "install", "-y", "-q", "--no-install-recommends", ...available],
    {
      ...options,
      environment: aptEnvironment(options.environment),
    },
  );
}

/** Lines instead of a progress bar; another apt that runs is waited for, in seconds. */
const quietApt: readonly string[] = ["-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"];

/** apt and dpkg without questions, in the language that messages are searched in. */
export function aptEnvironment(environment: Environment): Environment {
  return { ...environment, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C.UTF-8" };
}

/** The command that a person would type for these packages. */
export function installCommand(packages: readonly string[], distribution: Distribution): string {
  const names = packages.filter((name) => !name.endsWith("?")).join(" ");
  if (distribution.packageManager === "dnf") {
    return `dnf install ${names.replace("docker.io", "moby-engine")}`;
  }
  if (distribution.packageManager === "apk")
    return `apk add ${names.replace("docker.io", "docker")}`;
  return `apt-get install -y --no-install-recommends ${names}`;
}

/** Refreshes apt's lists when there are none or they are old. */
export async function refreshLists(options: PackageOptions): Promise<void> {
  const directory = "/var/lib/apt/lists";
  const names = await readdir(directory).catch(() => [] as string[]);
  const packageLists = names.filter((name) => name.includes("_Packages"));
  const newest = await stat(`${directory}/partial`).then(
    (status) => status.mtimeMs,
    () => 0,
  );
  if (packageLists.length > 0 && Date.now() - newest < listsAgeMaxMs) return;
  await runCommand(["apt-get", "update", "-q"], {
    ...options,
    environment: aptEnvironment(options.environment),
    hint: "The package mirror must answer: check the network, the proxy and /etc/apt/sources.list",
  });
}

async function isKnown(name: string, options: PackageOptions): Promise<boolean> {
  const { environment, signal } = options;
  const result = await tryCommand(["apt-cache", "policy", name], { environment, signal });
  return /Candidate: (?!\(none\))/.test(result.stdout);
}

function unsupported(packages: readonly string[], distribution: Distribution): HostError {
  return new HostError(
    "HOST_PACKAGES_UNSUPPORTED",
    `byom installs packages with apt only, and this is ${distribution.name}`,
    { hint: `Run \`${installCommand(packages, distribution)}\`, then again: byom host setup` },
  );
}
