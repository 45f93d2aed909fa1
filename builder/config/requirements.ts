import { readFile, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Problem } from "../problem.ts";
import type { RequirementItem, Requirements } from "./config.ts";
import { checkRequirement } from "./requirement-line.ts";
import { readUvLock } from "./uv-lock.ts";

/** Requirements files one in another; pip has no limit, a loop has no end. */
const nestingMax = 10;

/** A requirements file of this size is a data file by mistake: the largest known, with hashes, is a tenth of it. */
const fileBytesMax = 4 * 1024 * 1024;

const exportHint = "export it as requirements.txt and write python_requirements: requirements.txt";

const lockHint = "run `uv lock` and commit uv.lock, or write python_requirements: requirements.txt";

const project = "pyproject.toml";
const uvLock = "uv.lock";

const archiveEnding = /\.(whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)$/i;

/** Reads a requirements file and everything that it names inside the repo, without changing a character of it. */
export async function readRequirementsFile(options: {
  readonly directory: string;
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ readonly requirements: Requirements; readonly problems: readonly Problem[] }> {
  const reader = new RequirementsReader(options.directory, options.signal);
  if (options.file === project || options.file === uvLock) return await reader.readProject("named");
  const lines = await reader.readFile(options.file, 0);
  return { requirements: reader.result(lines, options.file), problems: reader.problems };
}

/** The same for the lines of `python_packages`, whose relative paths start at the repo. */
export async function readRequirementsList(options: {
  readonly directory: string;
  readonly lines: readonly string[];
  /** File and line of a package, for problems. */
  readonly locate: (index: number) => Pick<Problem, "file" | "line" | "key">;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ readonly requirements: Requirements; readonly problems: readonly Problem[] }> {
  const reader = new RequirementsReader(options.directory, options.signal);
  for (const [index, line] of options.lines.entries()) {
    await reader.readLine({ line, folder: ".", depth: 0, place: options.locate(index) });
  }
  if (options.lines.length === 0) return await reader.readProject("found");
  return { requirements: reader.result(options.lines, undefined), problems: reader.problems };
}

type Place = Pick<Problem, "file" | "line" | "key">;

class RequirementsReader {
  readonly problems: Problem[] = [];
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #items: RequirementItem[] = [];
  readonly #directory: string;
  readonly #signal: AbortSignal | undefined;

  constructor(directory: string, signal: AbortSignal | undefined) {
    this.#directory = directory;
    this.#signal = signal;
  }

  result(lines: readonly string[], file: string | undefined): Requirements {
    return {
      lines,
      ...(file === undefined ? {} : { file }),
      files: [...this.#files].toSorted(),
      folders: [...this.#folders].toSorted(),
      items: this.#items,
    };
  }

  async readFile(file: string, depth: number): Promise<readonly string[]> {
    if (/\.(toml|lock|ya?ml|json)$|(^|\/)Pipfile$/i.test(file)) {
      this.#report(
        { file, line: 1 },
        "not a requirements file, which pip would need here",
        exportHint,
      );
      return [];
    }
    this.#files.add(file);
    const text = await this.#readText(file);
    if (text === undefined) return [];
    const lines = text.split(/\r\n|\n|\r/);
    if (lines.at(-1) === "") lines.pop();
    const folder = posix.dirname(file);
    for (const { line, number } of joinContinuations(lines)) {
      await this.readLine({ line, folder, depth, place: { file, line: number } });
    }
    return lines;
  }

  async readLine(options: {
    readonly line: string;
    readonly folder: string;
    readonly depth: number;
    readonly place: Place;
  }): Promise<void> {
    const line = options.line
      .replace(/(^|\s)#.*$/, "")
      .replace(/\\$/, "")
      .trim();
    if (line === "") return;
    const nested = optionValue(line, ["-r", "--requirement", "-c", "--constraint"]);
    if (nested !== undefined) return await this.#readNested(nested, options);
    this.#items.push({ text: line, ...options.place });
    const links = optionValue(line, ["-f", "--find-links"]);
    if (links !== undefined) {
      if (!isRemote(links)) await this.#notePath(links, options.folder, options.place);
      return;
    }
    const editable = optionValue(line, ["-e", "--editable"]);
    if (editable === undefined && line.startsWith("-")) return this.#checkName(line, options.place);
    const local = localPath(editable ?? line);
    if (local !== undefined) await this.#notePath(local, ".", options.place);
    else if (editable === undefined && !isRemote(line)) this.#checkName(line, options.place);
  }

  /**
   * The packages of `uv.lock`, with `pyproject.toml` beside it. Cog reads neither; a repo that names no packages in
   * cog.yaml and has a lock means these.
   */
  async readProject(
    reason: "named" | "found",
  ): Promise<{ readonly requirements: Requirements; readonly problems: readonly Problem[] }> {
    const none = () => ({ requirements: this.result([], undefined), problems: this.problems });
    const hasLock = await this.#isKind(uvLock, "file");
    const hasProject = await this.#isKind(project, "file");
    if (hasLock && hasProject) {
      const text = await this.#readText(uvLock);
      const lock = text === undefined ? undefined : readUvLock(text);
      const place = { file: uvLock, line: 1 };
      if (text !== undefined && lock === undefined) {
        this.#report(place, "expected a lock of version 1, as uv writes it", "run `uv lock`");
      }
      if (lock === undefined) return none();
      for (const path of [project, uvLock]) this.#files.add(path);
      for (const path of lock.localPaths) await this.#notePath(path, ".", place);
      this.#items.push(...lock.packages.map((text) => ({ text, ...place })));
      const { indexes, hasHashes } = lock;
      const requirements = { ...this.result(lock.packages, uvLock), lock: { indexes, hasHashes } };
      return { requirements, problems: this.problems };
    }
    if (reason === "named") {
      const missing = hasLock ? project : uvLock;
      const hint = hasLock ? "commit it beside uv.lock" : lockHint;
      this.#report({ file: hasLock ? uvLock : project, line: 1 }, `no ${missing} beside it`, hint);
    } else if (hasLock || (hasProject && (await this.#hasDependencies()))) {
      const file = hasLock ? uvLock : project;
      const message = `not installed: cog.yaml names no Python packages, and no ${hasLock ? project : uvLock} is here`;
      this.problems.push({ severity: "warning", file, line: 1, message, hint: lockHint });
    }
    return none();
  }

  /** A pyproject.toml is as often only the settings of a formatter. */
  async #hasDependencies(): Promise<boolean> {
    return /^\s*dependencies\s*=\s*\[\s*["']/m.test((await this.#readText(project)) ?? "");
  }

  async #readText(file: string): Promise<string | undefined> {
    this.#signal?.throwIfAborted();
    const path = join(this.#directory, file);
    try {
      const { size } = await stat(path);
      if (size > fileBytesMax) {
        this.#report(
          { file, line: 1 },
          `${size} bytes are more than the ${fileBytesMax} that byom reads`,
        );
        return undefined;
      }
      return decodeText(await readFile(path));
    } catch (error) {
      this.#signal?.throwIfAborted();
      if (error instanceof TypeError)
        this.#report({ file, line: 1 }, "not UTF-8 text", "save the file as UTF-8");
      else
        this.#report(
          { file, line: 1 },
          `cannot be read: ${String((error as NodeJS.ErrnoException).code)}`,
        );
      return undefined;
    }
  }

  async #readNested(
    nested: string,
    options: { readonly folder: string; readonly depth: number; readonly place: Place },
  ): Promise<void> {
    if (isRemote(nested)) return;
    const file = this.#insideRepo(posix.join(options.folder, nested), options.place);
    if (file === undefined || this.#files.has(file)) return;
    if (options.depth >= nestingMax) {
      this.#report(options.place, `more than ${nestingMax} requirements files one in another`);
    } else if (await this.#isKind(file, "file")) await this.readFile(file, options.depth + 1);
    else this.#report(options.place, `${file} does not exist`, "create it or remove the line");
  }

  async #notePath(path: string, folder: string, place: Place): Promise<void> {
    const file = this.#insideRepo(posix.join(folder, path), place);
    if (file === undefined) return;
    if (await this.#isKind(file, "file")) this.#files.add(file);
    else if (await this.#isKind(file, "folder")) this.#folders.add(file);
    else this.#report(place, `${file} does not exist`, "create it or remove the line");
  }

  #insideRepo(path: string, place: Place): string | undefined {
    const normal = posix.normalize(path).replace(/(?<=.)\/$/, "");
    if (!posix.isAbsolute(normal) && normal !== ".." && !normal.startsWith("../")) return normal;
    this.#report(place, `${path} lies outside of the model repo`, "copy it into the repo");
    return undefined;
  }

  /** Pip would say the same, minutes later. */
  #checkName(line: string, place: Place): void {
    const found = checkRequirement(line);
    if (found !== undefined) this.problems.push({ severity: "warning", ...place, ...found });
  }

  #report(place: Place, message: string, hint?: string): void {
    const problem: Problem = { severity: "error", ...place, message };
    this.problems.push(hint === undefined ? problem : { ...problem, hint });
  }

  async #isKind(path: string, kind: "file" | "folder"): Promise<boolean> {
    this.#signal?.throwIfAborted();
    const stats = await stat(join(this.#directory, path)).catch(() => undefined);
    return kind === "file" ? stats?.isFile() === true : stats?.isDirectory() === true;
  }
}

/** As pip does: Windows' PowerShell writes `pip freeze >` as UTF-16, with a byte order mark. Throws TypeError. */
function decodeText(bytes: Buffer): string {
  const isLittle = bytes[0] === 0xff && bytes[1] === 0xfe;
  const isBig = bytes[0] === 0xfe && bytes[1] === 0xff;
  const encoding = isLittle ? "utf-16le" : isBig ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding, { fatal: true }).decode(bytes);
}

/** A line that ends with a backslash goes on in the next one; a comment line ends what is being joined, as in pip. */
function joinContinuations(
  lines: readonly string[],
): { readonly line: string; readonly number: number }[] {
  const joined: { line: string; number: number }[] = [];
  let parts: string[] = [];
  let start = 0;
  for (const [index, line] of lines.entries()) {
    if (parts.length === 0) start = index;
    const isComment = /^\s*#/.test(line);
    // pip puts a space before a comment line that it meets here, so that it does not become part of an URL.
    parts.push(isComment && parts.length > 0 ? ` ${line}` : line.replace(/\\$/, ""));
    if (line.endsWith("\\") && !isComment && index < lines.length - 1) continue;
    joined.push({ line: parts.join(""), number: start + 1 });
    parts = [];
  }
  return joined;
}

/** `-r x`, `-rx`, `--requirement x` and `--requirement=x` give x. */
function optionValue(line: string, names: readonly string[]): string | undefined {
  for (const name of names) {
    if (!line.startsWith(name)) continue;
    const rest = line.slice(name.length);
    const isSeparated = /^[\s=]/.test(rest);
    if (!isSeparated && (name.startsWith("--") || rest.startsWith("-"))) continue;
    const value = rest.replace(/^[\s=]+/, "").replace(/^(["'])(.*)\1$/, "$2");
    if (value !== "") return value;
  }
  return undefined;
}

/** The path of a requirement that is a file or folder of the repo: `./x.whl`, `dist/x.whl`, `name @ file:./x`, `.`. */
function localPath(requirement: string): string | undefined {
  const file = /^(?:[\w.-]+(?:\[[^\]]*\])?\s*@\s*)?file:(?:\/\/)?([^\s;#]+)/.exec(requirement)?.[1];
  if (file !== undefined) return decodePath(file);
  const path = (requirement.split(/;|\s--/, 1)[0] ?? "")
    .trim()
    .replace(/#(egg|subdirectory)=.*$/, "")
    .replace(/\[[^\][]*\]$/, "");
  if (isRemote(path) || /\s@\s|@\w+[+:]/.test(path)) return undefined;
  const isPath = /^\.{1,2}(\/|$)/.test(path) || path.startsWith("/") || archiveEnding.test(path);
  return isPath ? path : undefined;
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

function isRemote(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(git|hg|svn|bzr)\+/i.test(text);
}
