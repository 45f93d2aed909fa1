import type { Problem } from "../problem.ts";
import { deadKeys, deprecatedKeys } from "./hints.ts";
import { problemAt } from "./issues.ts";
import { dottedKey, isSourceMapping, valueAt } from "./source.ts";
import type { SourceDocument, SourcePath, SourceValue } from "./source.ts";
import { suggest } from "./suggest.ts";
import { ownValue } from "../own-value.ts";

/** Known keys of each mapping, by dotted path with `[]` for any index. */
export type KnownKeys = Readonly<Record<string, readonly string[]>>;

/** Cog drops unknown keys in silence, so a typo costs an hour: each becomes a warning that names the likely one. */
export function unknownKeyProblems(document: SourceDocument, known: KnownKeys): Problem[] {
  const problems: Problem[] = [];
  visit(document.value, [], (path, mapping) => {
    const place = dottedKey(path).replaceAll(/\[\d+\]/g, "[]");
    const names = ownValue(known, place);
    // A command with an unquoted `: ` in it is no mapping of keys; the schema says so.
    const isCommandGoneWrong = place === "build.run[]" && !("command" in mapping);
    if (names === undefined || isCommandGoneWrong) return;
    for (const key of Object.keys(mapping)) {
      if (names.includes(key)) continue;
      const hint = unknownKeyHint({ place, key, known });
      const message = "unknown key, ignored";
      problems.push(problemAt(document, [...path, key], { severity: "warning", message, hint }));
    }
  });
  return problems;
}

/** A warning for each key that Cog has replaced, and for each known key that nothing reads any more. */
export function deprecatedKeyProblems(document: SourceDocument): Problem[] {
  return Object.entries({ ...deprecatedKeys, "concurrency.default_target": "" }).flatMap(
    ([key]) => {
      const path = key.split(".");
      if ((valueAt(document.value, path) ?? null) === null) return [];
      const dead = ownValue(deadKeys, key);
      const message = dead === undefined ? "deprecated" : "has no effect";
      const hint = dead ?? deprecatedKeys[key];
      return [problemAt(document, path, { severity: "warning", message, hint })];
    },
  );
}

function unknownKeyHint(options: {
  readonly place: string;
  readonly key: string;
  readonly known: KnownKeys;
}): string {
  const { place, key, known } = options;
  const dead = ownValue(deadKeys, place === "" ? key : `${place}.${key}`);
  if (dead !== undefined) return dead;
  const near = suggest(key, ownValue(known, place) ?? []);
  if (near !== undefined) return `did you mean ${near}?`;
  const home = Object.keys(known).find(
    (other) => other !== place && !other.includes("[]") && known[other]?.includes(key),
  );
  if (home !== undefined) {
    return home === "" ? "move it to the top level" : `move it under ${home}:`;
  }
  return `known here: ${(ownValue(known, place) ?? []).join(", ")}`;
}

function visit(
  value: SourceValue,
  path: SourcePath,
  onMapping: (path: SourcePath, mapping: Record<string, SourceValue>) => void,
): void {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) visit(item, [...path, index], onMapping);
  } else if (isSourceMapping(value)) {
    onMapping(path, value);
    for (const [key, item] of Object.entries(value)) visit(item, [...path, key], onMapping);
  }
}
