import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { findProgram, lastLines } from "../command.ts";
import { startDetached } from "../detached.ts";
import { type Directories, hostPaths } from "../directories.ts";
import { HostError } from "../errors.ts";
import { findDebianMirror, renderSource } from "../packages/debian-sources.ts";
import type { Distribution, PackageOptions } from "../packages/distribution.ts";
import { unpackPackages } from "../packages/unpack.ts";
import { waitFor } from "../wait.ts";
import { isRegistryHealthy } from "./probe.ts";

/** The server is up within 0.1 s; a cold disk gets this long. */
const readyTimeoutMs = 15_000;
const packageName = "docker-registry";

export type RegistryProcessOptions = PackageOptions & { readonly directories: Directories };

/**
 * The registry's program: the system's, else the distribution's package unpacked into byom's folder. Not installed:
 * the package's service would listen on every interface.
 */
export async function provideRegistryProgram(
  distribution: Distribution,
  options: RegistryProcessOptions,
): Promise<string> {
  const installed = await findRegistryProgram(options);
  if (installed !== undefined) return installed;
  const { registryPackage, aptState } = hostPaths(options.directories);
  if (distribution.packageManager !== "apt") {
    throw new HostError(
      "HOST_REGISTRY_FAILED",
      `neither can registry:3 be pulled nor does ${distribution.name} have a package that byom knows`,
      { hint: "Point byom at a registry: BYOM_REGISTRY=host:port byom host setup" },
    );
  }
  const suite = distribution.id === "debian" ? distribution.codename : "sid";
  const sources = [renderSource(await findDebianMirror(options), suite || "sid")];
  await unpackPackages(
    {
      packages: [packageName],
      // A Go program: it needs nothing but the C library.
      isSelfContained: false,
      sources,
      target: registryPackage,
      stateDirectory: join(aptState, packageName),
    },
    options,
  );
  return join(registryPackage, "usr/bin/docker-registry");
}

/** The registry's program when it is on this host already. */
export async function findRegistryProgram(
  options: RegistryProcessOptions,
): Promise<string | undefined> {
  const unpacked = join(hostPaths(options.directories).registryPackage, "usr/bin");
  return (
    (await findProgram(packageName, options)) ??
    (await findProgram(packageName, { environment: { PATH: unpacked } }))
  );
}

/**
 * Starts the registry as a process of its own on loopback and waits until it answers.
 * @throws HostError HOST_REGISTRY_FAILED with the last lines of its log.
 */
export async function startRegistryProcess(
  program: string,
  port: number,
  options: RegistryProcessOptions,
): Promise<string> {
  const { directories, environment, signal } = options;
  const paths = hostPaths(directories);
  const address = `127.0.0.1:${port}`;
  const log = join(paths.log, "registry.log");
  await stopRegistryProcess(options);
  await mkdir(paths.registryStorage, { recursive: true });
  await mkdir(dirname(paths.registryPid), { recursive: true });
  await writeFile(paths.registryConfig, renderRegistryConfig(address, paths.registryStorage));
  const command = [program, "serve", paths.registryConfig] as const;
  // An OTEL_ or REGISTRY_ variable of the caller would override the file.
  const kept = { PATH: environment["PATH"], HOME: environment["HOME"] };
  const pid = await startDetached(command, { environment: kept, log, signal });
  await writeFile(paths.registryPid, `${pid}\n`);
  const look = async (): Promise<true | undefined> =>
    (await isRegistryHealthy(address, { signal })) ? true : undefined;
  if (await waitFor(look, { timeoutMs: readyTimeoutMs, signal })) return address;
  throw new HostError("HOST_REGISTRY_FAILED", "the registry was started but does not answer", {
    output: lastLines(await readFile(log, "utf8").catch(() => ""), 15),
    hint: `See ${log}, or point byom at another registry: BYOM_REGISTRY=host:port byom host setup`,
  });
}

/** Stops the registry that an earlier set-up started; true when there was one. */
export async function stopRegistryProcess(options: RegistryProcessOptions): Promise<boolean> {
  const paths = hostPaths(options.directories);
  const pid = Number((await readFile(paths.registryPid, "utf8").catch(() => "")).trim());
  await rm(paths.registryPid, { force: true });
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (!(await isOurs(pid, paths.registryConfig))) return false;
  process.kill(pid, "SIGTERM");
  const look = async (): Promise<true | undefined> =>
    (await isOurs(pid, paths.registryConfig)) ? undefined : true;
  await waitFor(look, { timeoutMs: readyTimeoutMs, signal: options.signal });
  return true;
}

/** A pid may belong to somebody else by now: only the process that was given our configuration is ours. */
async function isOurs(pid: number, config: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return commandLine.split("\0").includes(config);
}

/** Settings of CNCF Distribution 2.8 and 3: loopback only, deletion on, no credentials. */
export function renderRegistryConfig(address: string, storage: string): string {
  return `# Written by byom host setup.
version: 0.1
log: { level: warn }
storage:
  filesystem: { rootdirectory: ${JSON.stringify(storage)} }
  delete: { enabled: true }
http: { addr: ${JSON.stringify(address)} }
`;
}
