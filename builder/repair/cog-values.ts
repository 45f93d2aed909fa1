import { isMap, isScalar } from "yaml";
import { renamedDebianPackages } from "../compatibility/debian-packages.ts";
import {
  parsePythonVersion,
  pythonMinorMin,
  pythonVersionDefault,
} from "../compatibility/python.ts";
import { withoutComparison } from "../config/semantics.ts";
import type { Repair } from "./repair.ts";
import { blockSequence, pairsOf, quote, scalarOf, type YamlText } from "./yaml-text.ts";
import { ownValue } from "../own-value.ts";

/** Repairs of values. `exists` tells whether the repo has a file. */
export function findValueRepairs(yaml: YamlText, exists: (path: string) => boolean): Repair[] {
  return [
    ...pythonVersion(yaml),
    ...gpu(yaml),
    ...concurrency(yaml),
    ...systemPackages(yaml),
    ...references(yaml, exists),
    ...runItems(yaml),
    ...environment(yaml),
  ];
}

function pythonVersion(yaml: YamlText): Repair[] {
  const key = "build.python_version";
  const pair = yaml.pair("build", "python_version");
  if (pair === undefined) return missingPythonVersion(yaml);
  const scalar = scalarOf(pair.value);
  const version = parsePythonVersion(scalar?.text ?? "");
  if (scalar === undefined || version === undefined || version.major !== 3) return [];
  const replace = (text: string, message: string): Repair[] => [
    yaml.repair({
      at: pair.key.range[0],
      key,
      message,
      action: `write python_version: "${text}"`,
      edits: [{ start: scalar.start, end: scalar.end, text: `"${text}"` }],
    }),
  ];
  if (version.minor < pythonMinorMin) {
    return replace(
      `3.${pythonMinorMin}`,
      `Python ${scalar.text} is older than 3.${pythonMinorMin}, which Cog needs`,
    );
  }
  const isNumber = isScalar(pair.value) && typeof pair.value.value === "number";
  return isNumber ? replace(scalar.text, "a number to YAML: 3.10 and 3.1 are one") : [];
}

function missingPythonVersion(yaml: YamlText): Repair[] {
  const build = yaml.pair("build");
  const setting = `python_version: "${pythonVersionDefault}"`;
  const details = { key: "build.python_version", message: "missing", action: `write ${setting}` };
  if (build === undefined) {
    // A file of 2021 has its build under another name, which is mended first.
    if (yaml.root === undefined || yaml.pair("environment") !== undefined) return [];
    const start = yaml.lines(yaml.root.range?.[0] ?? 0, 0).start;
    const text = `build:${yaml.lineBreak}  ${setting}${yaml.lineBreak}`;
    return [yaml.repair({ at: start, ...details, edits: [{ start, end: start, text }] })];
  }
  if (!isMap(build.value) || build.value.flow === true) return [];
  const [first] = pairsOf(build.value);
  if (first === undefined) return [];
  const { start } = yaml.lines(first.key.range[0], first.key.range[0]);
  const indent = yaml.text.slice(start, first.key.range[0]);
  if (indent.trim() !== "") return [];
  const text = `${indent}${setting}${yaml.lineBreak}`;
  return [
    yaml.repair({ at: build.key.range[0], ...details, edits: [{ start, end: start, text }] }),
  ];
}

function gpu(yaml: YamlText): Repair[] {
  const pair = yaml.pair("build", "gpu");
  const scalar = scalarOf(pair?.value);
  if (pair === undefined || scalar === undefined || !isScalar(pair.value)) return [];
  const word = String(pair.value.value).toLowerCase();
  if (typeof pair.value.value === "boolean" || !/^(true|false|yes|no|on|off)$/.test(word))
    return [];
  const text = /^(true|yes|on)$/.test(word) ? "true" : "false";
  return [
    yaml.repair({
      at: pair.key.range[0],
      key: "build.gpu",
      message: `expected true or false, found ${JSON.stringify(pair.value.value)}`,
      action: `write gpu: ${text}`,
      edits: [{ start: scalar.start, end: scalar.end, text }],
    }),
  ];
}

function concurrency(yaml: YamlText): Repair[] {
  const pair = yaml.pair("concurrency");
  const scalar = scalarOf(pair?.value);
  if (pair === undefined || scalar === undefined || !/^[1-9]\d*$/.test(scalar.text)) return [];
  const text = `{max: ${scalar.text}}`;
  return [
    yaml.repair({
      at: pair.key.range[0],
      key: "concurrency",
      message: `expected a mapping, found ${scalar.text}`,
      action: `write concurrency: ${text}`,
      edits: [{ start: scalar.start, end: scalar.end, text }],
    }),
  ];
}

/** Names that Debian has no more, and comparisons, which apt does not know. */
function systemPackages(yaml: YamlText): Repair[] {
  const items = blockSequence(yaml.pair("build", "system_packages")?.value)?.items ?? [];
  return items.flatMap((item, index) => {
    const scalar = scalarOf(item);
    if (scalar === undefined || /\s/.test(scalar.text)) return [];
    const successor =
      ownValue(renamedDebianPackages, scalar.text) ?? withoutComparison(scalar.text);
    if (successor === scalar.text) return [];
    const isGone = ownValue(renamedDebianPackages, scalar.text) !== undefined;
    return [
      yaml.repair({
        at: scalar.start,
        key: `build.system_packages[${index}]`,
        message: isGone ? `${scalar.text} no longer exists in Debian` : "apt knows no comparison",
        action: `write - ${successor}`,
        edits: [{ start: scalar.start, end: scalar.end, text: successor }],
      }),
    ];
  });
}

/** `predict.Predictor` where predict.py is there. */
function references(yaml: YamlText, exists: (path: string) => boolean): Repair[] {
  return ["run", "predict", "train"].flatMap((key) => {
    const pair = yaml.pair(key);
    const scalar = scalarOf(pair?.value);
    const [, module, name] = /^([\w/]+)[.:]([A-Za-z_]\w*)$/.exec(scalar?.text ?? "") ?? [];
    if (pair === undefined || scalar === undefined || module === undefined || name === "py")
      return [];
    const text = `${module}.py:${name}`;
    if (!exists(`${module}.py`)) return [];
    return [
      yaml.repair({
        at: pair.key.range[0],
        key,
        message: `expected FILE.py:NAME, found ${JSON.stringify(scalar.text)}`,
        action: `write ${key}: ${text}`,
        edits: [{ start: scalar.start, end: scalar.end, text }],
      }),
    ];
  });
}

/** A command with `: ` in it is a mapping to YAML until it is quoted. */
function runItems(yaml: YamlText): Repair[] {
  const items = blockSequence(yaml.pair("build", "run")?.value)?.items ?? [];
  return items.flatMap((item, index) => {
    if (!isMap(item) || item.flow === true || item.has("command")) return [];
    const [start] = item.range ?? [0];
    const last = pairsOf(item).at(-1);
    if (last === undefined) return [];
    const text = yaml.text.slice(start, last.valueEnd);
    if (/[\r\n]/.test(text) || text === "") return [];
    return [
      yaml.repair({
        at: start,
        key: `build.run[${index}]`,
        message: "expected text, found a mapping",
        action: "put the command in quotes",
        edits: [{ start, end: last.valueEnd, text: quote(text) }],
      }),
    ];
  });
}

/** `NAME: value` becomes `- NAME=value`. */
function environment(yaml: YamlText): Repair[] {
  const pair = yaml.pair("environment");
  if (pair === undefined || !isMap(pair.value) || pair.value.flow === true) return [];
  const pairs = pairsOf(pair.value);
  if (!pairs.every(({ name, value }) => /^[A-Z_][A-Z0-9_]*$/.test(name) && isPlain(value)))
    return [];
  const edits = pairs.map(({ name, key, value, valueEnd }) => {
    const text = `${name}=${isScalar(value) ? (value.source ?? "") : ""}`;
    const isSafe = /^[\w=./+-]*$/.test(text);
    return {
      start: key.range[0],
      end: Math.max(valueEnd, key.range[1] + 1),
      text: `- ${isSafe ? text : quote(text)}`,
    };
  });
  return [
    yaml.repair({
      at: pair.key.range[0],
      key: "environment",
      message: "expected a list, found a mapping",
      action: "write each variable as - NAME=value",
      edits,
    }),
  ];
}

function isPlain(value: unknown): boolean {
  return value === null || (isScalar(value) && !/[\r\n]/.test(value.source ?? ""));
}
