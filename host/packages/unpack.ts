import { mkdir, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "../command.ts";
import { aptEnvironment, type PackageOptions } from "./distribution.ts";

/** A package and all it needs, taken from a suite and unpacked into a folder: the system does not notice. */
export interface UnpackRequest {
  readonly packages: readonly string[];
  /** apt sources, one per line, as in sources.list. */
  readonly sources: readonly string[];
  /** Dependencies are unpacked too; without them the program runs on the system's libraries. */
  readonly isSelfContained: boolean;
  /** Folder that is created whole or replaced whole. */
  readonly target: string;
  /** apt's private lists, cache and (empty) package status during the download. */
  readonly stateDirectory: string;
}

/**
 * Lets apt find the closure of the packages as on an empty system, downloads it with apt's own verification and
 * unpacks every package with `dpkg -x`: no maintainer script runs, no file outside of `target` changes.
 */
export async function unpackPackages(
  request: UnpackRequest,
  options: PackageOptions,
): Promise<readonly string[]> {
  const state = request.stateDirectory;
  const archives = join(state, "cache/archives");
  const part = `${request.target}.part`;
  const environment = aptEnvironment(options.environment);
  try {
    await rm(part, { recursive: true, force: true });
    for (const folder of ["lists/partial", "cache/archives/partial", "preferences.d"]) {
      await mkdir(join(state, folder), { recursive: true });
    }
    await writeFile(join(state, "sources.list"), `${request.sources.join("\n")}\n`);
    await writeFile(join(state, "status"), "");
    const apt = { ...options, environment };
    await runCommand(["apt-get", ...privateApt(state), "update", "-q"], apt);
    const command = request.isSelfContained
      ? ["install", "-y", "-q", "--no-install-recommends", "--download-only"]
      : ["download", "-q"];
    await runCommand(["apt-get", ...privateApt(state), ...command, ...request.packages], {
      ...apt,
      directory: archives,
    });
    const files = (await readdir(archives)).filter((name) => name.endsWith(".deb")).sort();
    await mkdir(part, { recursive: true });
    for (const file of files) await runCommand(["dpkg", "-x", join(archives, file), part], apt);
    await rm(request.target, { recursive: true, force: true });
    await rename(part, request.target);
    return files;
  } finally {
    await rm(part, { recursive: true, force: true });
    await rm(state, { recursive: true, force: true });
  }
}

/** sid's release file is sometimes older than its validity says; its signature is checked all the same. */
function privateApt(state: string): readonly string[] {
  const settings = {
    "Dir::Etc::sourcelist": join(state, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": join(state, "preferences.d"),
    "Dir::State": state,
    "Dir::State::Lists": join(state, "lists"),
    "Dir::State::status": join(state, "status"),
    "Dir::Cache": join(state, "cache"),
    "Acquire::Check-Valid-Until": "false",
    "Acquire::Languages": "none",
    "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    // The private folders are readable by root only; apt's unprivileged user could not write there.
    "APT::Sandbox::User": "root",
  };
  return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
}
