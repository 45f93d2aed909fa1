import type { PlannedFile } from "./plan.ts";

/** An entry of cog.yaml's `weights`: a folder of the running model and what goes into it. */
export interface ManagedWeight {
  readonly name: string;
  /** Absolute folder in the container. */
  readonly target: string;
  readonly uris: readonly string[];
  /** Of sources that lie in the repo; absent where one of them does not. */
  readonly sizeBytes?: number;
}

/** The entries as cog.yaml writes them, checked before, with the size of what the repo holds of them. */
export function listManagedWeights(
  weights: readonly unknown[],
  files: readonly PlannedFile[],
): ManagedWeight[] {
  return (weights as readonly WrittenWeight[]).map(({ name, target, source }) => {
    const sources = source === undefined || source === null ? [] : [source].flat();
    const uris = sources.map(({ uri }) => String(uri));
    const sizes = uris.map((uri) => sizeInRepo(uri, files));
    const isLocal = sizes.length > 0 && sizes.every((size) => size !== undefined);
    const sizeBytes = sizes.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    return { name, target, uris, ...(isLocal ? { sizeBytes } : {}) };
  });
}

interface WrittenWeight {
  readonly name: string;
  readonly target: string;
  readonly source?: WrittenSource | readonly WrittenSource[] | null;
}

interface WrittenSource {
  readonly uri: unknown;
}

function sizeInRepo(uri: string, files: readonly PlannedFile[]): number | undefined {
  if (/^(?!file:)[a-z][a-z0-9+.-]*:\/\//i.test(uri)) return undefined;
  const path = uri
    .replace(/^file:\/\//, "")
    .replace(/^\.\//, "")
    .replace(/\/$/, "");
  const found = files.filter((file) => file.path === path || file.path.startsWith(`${path}/`));
  return found.length === 0 ? undefined : found.reduce((sum, file) => sum + file.sizeBytes, 0);
}
