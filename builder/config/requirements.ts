import { readFile, stat } from "node:fs/promises";
import { join, posix } from "node:path";
import type { Problem } from "../problem.ts";
import type { Requirements } from "./config.ts";

/** Requirements files one in another; pip has no limit, a loop has no end. */
const nestingMax = 10;

const archiveEnding = /\.(whl|zip|tar\.gz|tgz|tar\.bz2|tar\.xz)$/i;

/** Reads a requirements file and everything that it names inside the repo, without changing a character of it. */
export async function readRequirementsFile(options: {
  readonly directory: string;
  readonly file: string;
  readonly signal?: AbortSignal | undefined;
}): Promise<{ readonly requirements: Requirements; readonly problems: readonly Problem[] }> {
  const reader = new RequirementsReader(options.directory, options.signal);
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
  return { requirements: reader.result(options.lines, undefined), problems: reader.problems };
}

type Place = Pick<Problem, "file" | "line" | "key">;

class RequirementsReader {
  readonly problems: Problem[] = [];
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
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
    };
  }

  async readFile(file: string, depth: number): Promise<readonly string[]> {
    this.#files.add(file);
    const text = await readFile(join(this.#directory, file), {
      encoding: "utf8",
      ...(this.#signal === undefined ? {} : { signal: this.#signal }),
    });
    const lines = text.replace(/^\uFEFF/, "").split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    const folder = posix.dirname(file);
    for (const [index, line] of lines.entries()) {
      const isContinuation = index > 0 && lines[index - 1]?.endsWith("\\");
      if (isContinuation) continue;
      await this.readLine({ line, folder, depth, place: { file, line: index + 1 } });
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
    const links = optionValue(line, ["-f", "--find-links"]);
    if (links !== undefined) {
      if (!isRemote(links)) await this.#notePath(links, options.folder, options.place);
      return;
    }
    const editable = optionValue(line, ["-e", "--editable"]);
    if (editable === undefined && line.startsWith("-")) return;
    const local = localPath(editable ?? line);
    if (local !== undefined) await this.#notePath(local, ".", options.place);
    else if (editable === undefined && !isRemote(line)) this.#checkName(line, options.place);
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
    if (/^[A-Za-z0-9][A-Za-z0-9._-]*\s*($|[[(<>=!~;@\s-])/.test(line) && !isSentence(line)) return;
    const strange = /[^\x20-\x7e]/u.exec(line)?.[0];
    const codePoint = strange?.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
    this.problems.push({
      severity: "warning",
      ...place,
      message: `pip will probably refuse ${JSON.stringify(line)}`,
      hint:
        codePoint === undefined
          ? "write a requirement such as numpy==1.26.4"
          : `replace the character U+${codePoint}; a hyphen is U+002D`,
    });
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
  if (file !== undefined) return file;
  const path = requirement
    .replace(/\s*;.*$/, "")
    .replace(/\s+--hash=.*$/, "")
    .replace(/\[[^\]]*\]$/, "");
  if (isRemote(path) || /\s@\s|@\w+[+:]/.test(path)) return undefined;
  const isPath = /^\.{1,2}(\/|$)/.test(path) || path.startsWith("/") || archiveEnding.test(path);
  return isPath ? path : undefined;
}

function isRemote(text: string): boolean {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(text) || /^(git|hg|svn|bzr)\+/i.test(text);
}

/** `git add .` in a requirements.txt: two words in a row are no requirement. */
function isSentence(line: string): boolean {
  return /^[\w.-]+\s+[\w./]/.test(line) && !/^[\w.-]+\s+(@|;)/.test(line);
}
