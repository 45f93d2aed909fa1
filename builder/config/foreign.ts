import type { Problem } from "../problem.ts";
import { deadKeys } from "./hints.ts";
import { isSourceMapping } from "./source.ts";
import type { SourceDocument } from "./source.ts";
import { suggest } from "./suggest.ts";
import { ownValue } from "../own-value.ts";

/** Other programs' files that have been found under the name cog.yaml, by keys that only they have. */
const programs: readonly { readonly name: string; readonly keys: readonly string[] }[] = [
  {
    name: "Cocogitto, a tool for commits",
    keys: ["changelog", "tag_prefix", "pre_bump_hooks", "post_bump_hooks", "bump_profiles"],
  },
  { name: "conda, an environment.yml", keys: ["channels", "dependencies"] },
  { name: "Docker Compose", keys: ["services"] },
  { name: "GitHub Actions, a workflow", keys: ["jobs"] },
];

/** Not one key that Cog has or had: the file is another program's, and building it would make an empty image. */
export function findForeign(
  document: SourceDocument,
  known: readonly string[],
): Problem | undefined {
  if (!isSourceMapping(document.value)) return undefined;
  const keys = Object.keys(document.value);
  const isCogs = (key: string): boolean =>
    known.includes(key) ||
    ownValue(deadKeys, key) !== undefined ||
    suggest(key, known) !== undefined;
  const isNamed = programs.find((program) => program.keys.some((key) => keys.includes(key)));
  if (keys.length === 0 || keys.some((key) => known.includes(key))) return undefined;
  if (isNamed === undefined && keys.some(isCogs)) return undefined;
  const whose = isNamed === undefined ? "" : `; it looks like a file of ${isNamed.name}`;
  return {
    severity: "error",
    file: document.file,
    line: 1,
    message: `not a file of Cog: it knows none of the keys ${keys.slice(0, 5).join(", ")}${whose}`,
    hint: "name Cog's own file with -f FILE, or write one with `byom init`",
  };
}
