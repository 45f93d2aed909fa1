import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { type Directories, systemDataDirectory } from "./directories.ts";
import { HostError } from "./errors.ts";

/** What set-up found or made on this host, kept in `host.json`; the builder and the platform read it. */
export interface HostSettings {
  readonly version: 1;
  readonly engine?: EngineSettings;
  readonly criu?: CriuSettings;
  readonly ociRuntime?: OciRuntimeSettings;
  readonly registry?: RegistrySettings;
  /** Templates of base images: `python` with `{version}`, `cuda` with `{tag}` in it. */
  readonly baseImages?: { readonly python?: string; readonly cuda?: string };
  /** Whether restores may switch the host's transparent huge pages to `always` while they fill memory. Default: true. */
  readonly hugePages?: boolean;
}

export interface EngineSettings {
  /** The engine that was set up: a `unix://` or `tcp://` address. */
  readonly host: string;
  /** byom installed its packages: `teardown --purge` removes them. */
  readonly isInstalledByUs: boolean;
}

export interface CriuSettings {
  /** Absolute path of the CRIU that `<data>/bin/criu` calls. */
  readonly path: string;
  readonly version: string;
  readonly source: "system" | "prefix";
  /** What the dump-and-restore probe was run against; another kernel or binary is probed anew. */
  readonly verifiedFor: string;
}

export interface OciRuntimeSettings {
  /** The name that the engine knows it by. */
  readonly name: string;
  readonly path: string;
}

export interface RegistrySettings {
  /** `host:port`, as it stands at the front of an image reference. */
  readonly address: string;
  /** Who runs it: somebody else, a container of ours, or a process of ours. */
  readonly kind: "configured" | "container" | "process";
}

const settingsSchema: z.ZodType<HostSettings> = z.object({
  version: z.literal(1),
  engine: z.object({ host: z.string(), isInstalledByUs: z.boolean() }).exactOptional(),
  criu: z
    .object({
      path: z.string(),
      version: z.string(),
      source: z.enum(["system", "prefix"]),
      verifiedFor: z.string(),
    })
    .exactOptional(),
  ociRuntime: z.object({ name: z.string(), path: z.string() }).exactOptional(),
  registry: z
    .object({ address: z.string(), kind: z.enum(["configured", "container", "process"]) })
    .exactOptional(),
  baseImages: z
    .object({ python: z.string().exactOptional(), cuda: z.string().exactOptional() })
    .exactOptional(),
  hugePages: z.boolean().exactOptional(),
});

/**
 * Reads `host.json` of the data directory; without one, that of a set-up made by root; without that, empty settings.
 * @throws HostError HOST_SETTINGS_INVALID when the file is there but cannot be understood.
 */
export async function loadHostSettings(
  directories: Directories,
  options: { signal?: AbortSignal; systemDirectory?: string } = {},
): Promise<HostSettings> {
  const system = options.systemDirectory ?? systemDataDirectory;
  for (const directory of new Set([directories.data, system])) {
    const file = join(directory, "host.json");
    const text = await readIfPresent(file, options.signal);
    if (text !== undefined) return parseSettings(text, file);
  }
  return { version: 1 };
}

/** The settings of this data directory alone: what a set-up or a teardown there may change. */
export async function loadOwnSettings(
  directories: Directories,
  options: { signal?: AbortSignal } = {},
): Promise<HostSettings> {
  return await loadHostSettings(directories, { ...options, systemDirectory: directories.data });
}

/** Writes `host.json` whole or not at all. */
export async function saveHostSettings(
  directories: Directories,
  settings: HostSettings,
  options: { signal?: AbortSignal } = {},
): Promise<void> {
  const file = join(directories.data, "host.json");
  const part = `${file}.${randomUUID()}.part`;
  await mkdir(dirname(file), { recursive: true });
  try {
    const text = `${JSON.stringify(settings, null, 2)}\n`;
    await writeFile(part, text, { mode: 0o644, signal: options.signal });
    await rename(part, file);
  } finally {
    await rm(part, { force: true });
  }
}

function parseSettings(text: string, file: string): HostSettings {
  try {
    return settingsSchema.parse(JSON.parse(text));
  } catch (cause) {
    const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    throw new HostError("HOST_SETTINGS_INVALID", `${file} cannot be read: ${detail}`, {
      hint: `Remove the file and run: byom host setup`,
      cause,
    });
  }
}

async function readIfPresent(file: string, signal?: AbortSignal): Promise<string | undefined> {
  try {
    return await readFile(file, { encoding: "utf8", signal });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "EACCES" || code === "ENOTDIR") return undefined;
    throw error;
  }
}
