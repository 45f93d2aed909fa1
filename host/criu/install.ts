import { chmod, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { arch } from "node:os";
import { dirname, join } from "node:path";
import { findProgram, tryCommand } from "../command.ts";
import { type Directories, hostPaths } from "../directories.ts";
import { HostError } from "../errors.ts";
import {
  type Distribution,
  installPackages,
  type PackageOptions,
} from "../packages/distribution.ts";
import { findDebianMirror, renderSource } from "../packages/debian-sources.ts";
import { unpackPackages } from "../packages/unpack.ts";
import type { CriuSettings } from "../settings.ts";
import { criuFingerprint, verifyCriu } from "./probe.ts";

/** The suite whose CRIU follows the newest kernels. */
const newestSuite = "sid";
/** CRIU before it cannot dump TCP sockets on current kernels: not worth a download, let alone a proof. */
const versionWorthInstalling = [4, 2] as const;

/**
 * Finds a CRIU that works on this kernel: the system's, the one unpacked before, the distribution's package when it
 * is new enough, else Debian's newest unpacked beside the system. `<data>/bin/criu` calls the one found.
 * @throws HostError HOST_CRIU_UNUSABLE with what each of them said.
 */
export async function provideCriu(
  distribution: Distribution,
  options: PackageOptions & { directories: Directories },
): Promise<CriuSettings> {
  const { environment, signal } = options;
  const paths = hostPaths(options.directories);
  const failures: string[] = [];
  const attempts = [
    async () => await findProgram("criu", options),
    async () => await findUnpacked(paths.criuPrefix),
    async () => await installDistributionCriu(distribution, options),
    async () => await unpackNewestCriu(distribution, options),
  ];
  const tried = new Set<string>();
  for (const [index, attempt] of attempts.entries()) {
    const criu = await attempt();
    // An unpacked CRIU that did not work is replaced by a newer one, under the same name.
    if (criu === undefined || criu === paths.criu || (tried.has(criu) && index < 3)) continue;
    tried.add(criu);
    const verdict = await verifyCriu(criu, { environment, signal });
    if (!verdict.isUsable) {
      failures.push(`${criu} ${verdict.version ?? ""}: ${verdict.reason}`);
      options.onLine?.(`${criu} ${verdict.version ?? ""} cannot be used: ${verdict.reason}`);
      continue;
    }
    await linkCriu(criu, paths.criu);
    const source = criu.startsWith(paths.criuPrefix) ? "prefix" : "system";
    const verifiedFor = await criuFingerprint(criu);
    return { path: criu, version: verdict.version, source, verifiedFor };
  }
  throw new HostError("HOST_CRIU_UNUSABLE", `no CRIU works here: ${failures.join("; ")}`, {
    hint: "Install CRIU 4.2 or newer for this kernel, then run: byom host setup. Until then models start cold or from a pause.",
  });
}

async function findUnpacked(prefix: string): Promise<string | undefined> {
  const shim = join(prefix, "criu");
  return (await findProgram("criu", { environment: { PATH: prefix } })) === shim ? shim : undefined;
}

async function installDistributionCriu(
  distribution: Distribution,
  options: PackageOptions,
): Promise<string | undefined> {
  if (distribution.packageManager !== "apt") return undefined;
  const { environment, signal } = options;
  const policy = await tryCommand(["apt-cache", "policy", "criu"], { environment, signal });
  const [major = 0, minor = 0] = (/Candidate: ([\d.]+)/.exec(policy.stdout)?.[1] ?? "0")
    .split(".")
    .map(Number);
  const [majorMin, minorMin] = versionWorthInstalling;
  if (major < majorMin || (major === majorMin && minor < minorMin)) return undefined;
  await installPackages(["criu"], distribution, options);
  return await findProgram("criu", options);
}

async function unpackNewestCriu(
  distribution: Distribution,
  options: PackageOptions & { directories: Directories },
): Promise<string | undefined> {
  if (distribution.packageManager !== "apt") return undefined;
  const paths = hostPaths(options.directories);
  if (distribution.id !== "debian") {
    await installPackages(["debian-archive-keyring"], distribution, options);
  }
  const mirror = await findDebianMirror(options);
  await mkdir(dirname(paths.criuPrefix), { recursive: true });
  await unpackPackages(
    {
      packages: ["criu"],
      isSelfContained: true,
      sources: [renderSource(mirror, newestSuite)],
      target: paths.criuPrefix,
      stateDirectory: join(paths.aptState, "criu"),
    },
    options,
  );
  const shim = join(paths.criuPrefix, "criu");
  await writeFile(shim, renderShim(paths.criuPrefix, arch()), { mode: 0o755 });
  await chmod(shim, 0o755);
  return shim;
}

/** Calls the unpacked CRIU with its own loader and libraries, so that the system's stay out of it. */
export function renderShim(prefix: string, architecture: string): string {
  const [triplet, loader] =
    architecture === "arm64"
      ? ["aarch64-linux-gnu", "ld-linux-aarch64.so.1"]
      : ["x86_64-linux-gnu", "ld-linux-x86-64.so.2"];
  const libraries = `${prefix}/usr/lib/${triplet}`;
  return [
    "#!/bin/sh",
    "# Written by byom host setup; removed by byom host teardown.",
    `exec '${libraries}/${loader}' --library-path '${libraries}' '${prefix}/usr/sbin/criu' "$@"`,
    "",
  ].join("\n");
}

async function linkCriu(criu: string, link: string): Promise<void> {
  await mkdir(dirname(link), { recursive: true });
  const part = `${link}.part`;
  await rm(part, { force: true });
  await symlink(criu, part);
  await rename(part, link);
}
