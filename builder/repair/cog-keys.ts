import { isMap, isScalar } from "yaml";
import { deadKeys } from "../config/hints.ts";
import type { KnownKeys } from "../config/keys.ts";
import { cogYamlKeys } from "../config/schema.ts";
import { referencePattern } from "../config/semantics.ts";
import { suggest } from "../config/suggest.ts";
import type { Repair } from "./repair.ts";
import { pairsOf, type KeyedPair, type YamlText } from "./yaml-text.ts";
import { ownValue } from "../own-value.ts";

/** Repairs of keys: old names, misspelled names, keys that nothing reads. */
export function findKeyRepairs(yaml: YamlText): Repair[] {
  return [...renames(yaml), ...misspelled(yaml), ...dead(yaml)];
}

function renames(yaml: YamlText): Repair[] {
  const repairs: Repair[] = [];
  const predict = yaml.pair("predict");
  if (predict !== undefined && yaml.pair("run") === undefined && isScalar(predict.value)) {
    repairs.push(rename(yaml, predict, "run", "deprecated", "predict"));
  }
  const model = yaml.pair("model");
  const isReference = isScalar(model?.value) && referencePattern.test(String(model.value.value));
  const hasOther = yaml.pair("run") !== undefined || yaml.pair("predict") !== undefined;
  if (model !== undefined && isReference && !hasOther) {
    repairs.push(rename(yaml, model, "run", "the 2021 name of run:", "model"));
  }
  const environment = yaml.pair("environment");
  const keys = isMap(environment?.value) ? pairsOf(environment.value).map(({ name }) => name) : [];
  const isBuild = keys.some((name) => cogYamlKeys["build"]?.includes(name));
  if (environment !== undefined && isBuild && yaml.pair("build") === undefined) {
    repairs.push(rename(yaml, environment, "build", "the 2021 name of build:", "environment"));
  }
  return repairs;
}

/** A name that is off by few letters, when the right one is not there as well. */
function misspelled(yaml: YamlText): Repair[] {
  return unknownPairs(yaml, cogYamlKeys).flatMap(({ pair, place, siblings }) => {
    const key = place === "" ? pair.name : `${place}.${pair.name}`;
    if (ownValue(deadKeys, key) !== undefined) return [];
    const near = suggest(pair.name, cogYamlKeys[place] ?? []);
    // `predict` is old itself, and what begins with it may be meant for either.
    if (near === undefined || siblings.includes(near)) return [];
    return [rename(yaml, pair, near, "unknown key, ignored", key)];
  });
}

/** Commented out, not removed: what an author wrote stays readable. */
function dead(yaml: YamlText): Repair[] {
  return Object.entries(deadKeys).flatMap(([key, reason]) => {
    const pair = yaml.pair(...key.split("."));
    // A mapping without any key left would be another value.
    if (pair === undefined || countOf(yaml, key) < 2) return [];
    const { start, end } = yaml.lines(pair.key.range[0], pair.valueEnd);
    const text = yaml.text.slice(start, end).replaceAll(/^(\s*)(?=\S)/gm, "$1# ");
    const [message, action] = ["has no effect", `comment it out; ${reason}`];
    return [
      yaml.repair({ at: pair.key.range[0], key, message, action, edits: [{ start, end, text }] }),
    ];
  });
}

function countOf(yaml: YamlText, key: string): number {
  const parent = key.split(".").slice(0, -1);
  const map = parent.length === 0 ? yaml.root : yaml.pair(...parent)?.value;
  return isMap(map) ? map.items.length : 0;
}

function rename(
  yaml: YamlText,
  pair: KeyedPair,
  name: string,
  message: string,
  key: string,
): Repair {
  const [start, end] = pair.key.range;
  const action = `rename it to ${name}:`;
  return yaml.repair({ at: start, key, message, action, edits: [{ start, end, text: name }] });
}

function unknownPairs(
  yaml: YamlText,
  known: KnownKeys,
): { readonly pair: KeyedPair; readonly place: string; readonly siblings: readonly string[] }[] {
  return ["", "build", "concurrency"].flatMap((place) => {
    const map = place === "" ? yaml.root : yaml.pair(place)?.value;
    if (!isMap(map) || map.flow === true) return [];
    const pairs = pairsOf(map);
    const siblings = pairs.map(({ name }) => name);
    const names = known[place] ?? [];
    return pairs
      .filter(({ name }) => !names.includes(name))
      .map((pair) => ({ pair, place, siblings }));
  });
}
