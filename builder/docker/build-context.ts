import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { readStamps } from "../layer/file-stamp.ts";
import { packLayer } from "../layer/layer.ts";
import type { LayerEntry } from "../layer/layer.ts";
import type { Segment } from "../layer/segment.ts";
import type { Plan } from "../plan/plan.ts";
import type { LoadedHostTrust } from "./trust.ts";

/** Where the build finds what is not the repo's own; renderDockerfile writes the same paths. */
export const contextPaths = {
  dockerfile: ".byom/Dockerfile",
  caBundle: ".byom/ca.crt",
  pipConfig: ".byom/pip.conf",
  helper: ".byom/helper",
} as const;

/** Everything a build reads, in two archives' worth of entries. */
export interface BuildContext {
  /** Decides over the environment's key. */
  readonly keyed: readonly LayerEntry[];
  /** Mounted while steps run and never part of a layer: the host's certificates and index settings. */
  readonly unkeyed: readonly LayerEntry[];
}

/** Collects the context: the Dockerfile, the files it names, byom's in-container helper, the host's trust. */
export async function collectBuildContext(options: {
  plan: Plan;
  dockerfile: string;
  trust: LoadedHostTrust;
  signal?: AbortSignal | undefined;
}): Promise<BuildContext> {
  const { plan, trust, signal } = options;
  const repo = await listRepoFiles(plan);
  const helperFolder = await findHelperFolder();
  const helper = await listFiles(helperFolder);
  const [repoEntries, helperEntries] = await Promise.all([
    toEntries({ folder: plan.directory, paths: repo, prefix: "", signal }),
    toEntries({
      folder: helperFolder,
      paths: helper.filter((path) => /\.(py|pth)$/.test(path)),
      prefix: `${contextPaths.helper}/`,
      signal,
    }),
  ]);
  const dockerfile = bytesEntry(contextPaths.dockerfile, Buffer.from(options.dockerfile));
  return {
    keyed: [dockerfile, ...repoEntries, ...helperEntries],
    unkeyed: [
      ...(trust.caBundle === undefined ? [] : [bytesEntry(contextPaths.caBundle, trust.caBundle)]),
      ...(trust.pipConfig === undefined
        ? []
        : [bytesEntry(contextPaths.pipConfig, Buffer.from(trust.pipConfig))]),
    ],
  };
}

/** The archive that goes to the engine. */
export function packBuildContext(context: BuildContext): Segment[] {
  return packLayer([...context.keyed, ...context.unkeyed]);
}

/** A path in `contextFiles` may be a folder: then everything in it belongs to the context. */
async function listRepoFiles(plan: Plan): Promise<string[]> {
  const nested = await Promise.all(
    plan.contextFiles.map(async (path) => {
      const inFolder = await listFiles(join(plan.directory, path));
      return inFolder.length === 0 ? [path] : inFolder.map((name) => `${path}/${name}`);
    }),
  );
  return [...new Set(nested.flat())];
}

async function toEntries(options: {
  folder: string;
  paths: readonly string[];
  prefix: string;
  signal?: AbortSignal | undefined;
}): Promise<LayerEntry[]> {
  const { folder, paths, prefix, signal } = options;
  const stamps = await readStamps({ paths: paths.map((path) => join(folder, path)), signal });
  return stamps.map((stamp, index): LayerEntry => {
    const path = paths[index] ?? "";
    const file = join(folder, path);
    return { kind: "file", path: `${prefix}${path}`, file, stamp, isExecutable: false };
  });
}

function bytesEntry(path: string, bytes: Buffer): LayerEntry {
  return { kind: "bytes", path, bytes };
}

/** Beside the sources, or beside `dist` when the compiled package runs. */
async function findHelperFolder(): Promise<string> {
  const candidates = ["../python-helper/", "../../../builder/python-helper/"].map((path) =>
    fileURLToPath(new URL(path, import.meta.url)),
  );
  for (const folder of candidates) {
    if ((await listFiles(folder)).length > 0) return folder;
  }
  throw new Error(`byom's Python helper is missing: looked in ${candidates.join(" and ")}`);
}

/** Files below the folder, `/`-separated and relative to it; none when it is no folder. */
async function listFiles(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
      .toSorted();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return [];
    throw error;
  }
}
