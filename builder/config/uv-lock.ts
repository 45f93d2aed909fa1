/** What byom needs to know of a `uv.lock`; uv itself turns it into requirements while the environment is built. */
export interface UvLock {
  /** `name==version` of every locked package, those of other platforms and of groups too. */
  readonly packages: readonly string[];
  /** Indexes other than PyPI that hold some of them, in order of appearance. */
  readonly indexes: readonly string[];
  /** Folders and archives of the repo that are packages of their own, without the project itself. */
  readonly localPaths: readonly string[];
  /** False where a source has no digest (Git, a folder): pip takes digests for all packages or for none. */
  readonly hasHashes: boolean;
}

const pypi = "https://pypi.org/simple";

/**
 * Reads a lock line by line: uv writes it, each value on a line of its own, so that no TOML parser is needed.
 * Source: uv's documentation, "Project structure and files", and locks of version 1.
 * @returns undefined for a text that is no lock of version 1.
 */
export function readUvLock(text: string): UvLock | undefined {
  if (!/^version = 1$/m.test(text)) return undefined;
  const packages: string[] = [];
  const sources: { readonly kind: string; readonly place: string }[] = [];
  for (const block of text.split(/^\[\[package\]\]$/m).slice(1)) {
    const name = /^name = "([^"]+)"/m.exec(block)?.[1];
    const version = /^version = "([^"]+)"/m.exec(block)?.[1];
    const [, kind, place] = /^source = \{ ([a-z]+) = "([^"]+)"/m.exec(block) ?? [];
    if (name === undefined || kind === undefined || place === undefined) continue;
    sources.push({ kind, place });
    if (version !== undefined && place !== ".") packages.push(`${name}==${version}`);
  }
  const places = (kinds: readonly string[]): string[] => [
    ...new Set(sources.filter(({ kind }) => kinds.includes(kind)).map(({ place }) => place)),
  ];
  const localPaths = places(["editable", "directory", "path", "virtual"]).filter(
    (path) => path !== ".",
  );
  return {
    packages: [...new Set(packages)],
    indexes: places(["registry"]).filter((url) => url.replace(/\/$/, "") !== pypi),
    localPaths,
    hasHashes: localPaths.length === 0 && places(["git"]).length === 0,
  };
}
