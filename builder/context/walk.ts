import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { Dirent } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { ConfigInvalidError, RepositoryReadError } from "../errors.ts";
import type { PlannedFile } from "../plan/plan.ts";
import type { Problem } from "../problem.ts";
import { findIgnoreProblems, IgnoreMatcher, parseIgnoreFile } from "./ignore.ts";
import type { MatchState } from "./ignore.ts";

/** Folders between two breaths: the event loop stays responsive, and an abort is seen, without slowing the walk. */
const foldersPerTurn = 64;

/** Folders nested deeper than this are a loop of mounts, not a model repo. */
const depthMax = 200;

/** Never part of a model: version control, Cog's and byom's own state, caches that Python makes again. */
const alwaysIgnoredFolders: ReadonlySet<string> = new Set([
  ".git",
  ".hg",
  ".svn",
  ".cog",
  ".byom",
  "__pycache__",
  ".mypy_cache",
  ".pytest_cache",
  ".ruff_cache",
  ".ipynb_checkpoints",
]);

/**
 * Lists the files and links of the model repo that go into the image, by bytes of their path.
 * Only names and stats are read, synchronously: that is several times faster than promises for thousands of small files.
 * Sockets, pipes, devices, empty folders and virtual environments (`pyvenv.cfg`) are left out.
 * Throws {@link RepositoryReadError} for a folder or file that cannot be read, {@link ConfigInvalidError} for patterns
 * of `.dockerignore` that Docker refuses.
 */
export async function walkRepository(options: {
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<PlannedFile[]> {
  const { directory, signal } = options;
  const matcher = new IgnoreMatcher(readIgnorePatterns(directory));
  const files: PlannedFile[] = [];
  const folders: Folder[] = [{ path: "", isIgnored: false, state: undefined, depth: 0 }];
  let count = 0;
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    if (count++ % foldersPerTurn === 0) {
      signal?.throwIfAborted();
      await setImmediate();
    }
    readFolder({ directory, folder, matcher, files, folders });
  }
  return sortByPathBytes(files);
}

/** Order of the paths' UTF-8 bytes, which is the order of tar layers and independent of the locale. */
function sortByPathBytes<File extends { readonly path: string }>(files: readonly File[]): File[] {
  return files
    .map((file) => ({ file, bytes: Buffer.from(file.path) }))
    .sort((left, right) => Buffer.compare(left.bytes, right.bytes))
    .map(({ file }) => file);
}

interface Folder {
  readonly path: string;
  readonly isIgnored: boolean;
  readonly state: MatchState | undefined;
  readonly depth: number;
}

function readFolder(options: {
  readonly directory: string;
  readonly folder: Folder;
  readonly matcher: IgnoreMatcher;
  readonly files: PlannedFile[];
  readonly folders: Folder[];
}): void {
  const { directory, folder, matcher, files, folders } = options;
  const entries = listFolder(join(directory, folder.path));
  const isVirtualEnvironment =
    folder.path !== "" && entries.some((entry) => entry.name === "pyvenv.cfg");
  if (isVirtualEnvironment || folder.depth > depthMax) return;
  for (const entry of entries) {
    const path = folder.path === "" ? entry.name : `${folder.path}/${entry.name}`;
    if (entry.isDirectory()) {
      if (alwaysIgnoredFolders.has(entry.name)) continue;
      const { isIgnored, state } = matcher.match(path, folder.state);
      if (isIgnored && !matcher.mayTakeBackBelow(path)) continue;
      folders.push({ path, isIgnored, state, depth: folder.depth + 1 });
    } else if (entry.isFile() || entry.isSymbolicLink()) {
      // `.git` is a file in worktrees and submodules; compiled Python belongs to the interpreter that made it.
      if (entry.name === ".git" || entry.name === ".DS_Store" || entry.name.endsWith(".pyc"))
        continue;
      if (matcher.match(path, folder.state).isIgnored) continue;
      files.push(describeFile(directory, path, entry));
    }
  }
}

function listFolder(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (cause) {
    throw new RepositoryReadError({ path, cause });
  }
}

function describeFile(directory: string, path: string, entry: Dirent): PlannedFile {
  const absolute = join(directory, path);
  try {
    if (entry.isSymbolicLink()) {
      return { path, sizeBytes: 0, isExecutable: false, linkTarget: readlinkSync(absolute) };
    }
    const stats = lstatSync(absolute);
    return { path, sizeBytes: stats.size, isExecutable: (stats.mode & 0o111) !== 0 };
  } catch (cause) {
    throw new RepositoryReadError({ path: absolute, cause });
  }
}

function readIgnorePatterns(directory: string): string[] {
  const path = join(directory, ".dockerignore");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new RepositoryReadError({ path, cause });
  }
  const problems = findIgnoreProblems(text).map(({ line, pattern }): Problem => ({
    severity: "error",
    file: ".dockerignore",
    line,
    message: `Docker refuses the pattern ${JSON.stringify(pattern)}`,
    hint: "close every [, leave no \\ or ! alone; \\[ is a bracket itself",
  }));
  if (problems.length > 0) throw new ConfigInvalidError(problems);
  return parseIgnoreFile(text);
}
