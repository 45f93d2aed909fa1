import { isScalar } from "yaml";
import type { Scalar } from "yaml";
import type { Repair } from "./repair.ts";
import { blockSequence, type YamlText } from "./yaml-text.ts";

const requirementsFile = "requirements.txt";

/** `python_packages` moves to a requirements.txt with its comments, `pre_install` to build.run. */
export function findPackageRepairs(yaml: YamlText, exists: (path: string) => boolean): Repair[] {
  return [...pythonPackages(yaml, exists), ...preInstall(yaml)];
}

function pythonPackages(yaml: YamlText, exists: (path: string) => boolean): Repair[] {
  const pair = yaml.pair("build", "python_packages");
  const items = blockSequence(pair?.value)?.items ?? [];
  const isTaken =
    exists(requirementsFile) || yaml.pair("build", "python_requirements") !== undefined;
  if (pair === undefined || items.length === 0 || isTaken) return [];
  if (
    !items.every((item): item is Scalar => isScalar(item) && !/[\r\n]/.test(String(item.value)))
  ) {
    return [];
  }
  const { start, end } = yaml.lines(pair.key.range[0], pair.valueEnd);
  const indent = yaml.text.slice(start, pair.key.range[0]);
  if (indent.trim() !== "") return [];
  // Line by line, so that every comment between the items stays where it stands.
  const [head = "", ...rest] = yaml.text.slice(start, end).split("\n");
  const behindKey = /#.*$/.exec(head)?.[0];
  let offset = start + head.length + 1;
  const written = rest.map((line) => {
    const from = offset;
    offset += line.length + 1;
    const item = items.find(({ range }) => range && range[0] >= from && range[0] < offset);
    if (item === undefined) return line.trim();
    const comment = /^\s+(#.*)$/.exec(line.slice((item.range?.[1] ?? from) - from).trimEnd())?.[1];
    const requirement = String(item.source ?? item.value).trim();
    return comment === undefined ? requirement : `${requirement}  ${comment}`;
  });
  const comments = behindKey === undefined ? [] : [behindKey];
  const text = [...comments, ...written, ""].join("\n");
  return [
    yaml.repair({
      at: pair.key.range[0],
      key: "build.python_packages",
      message: "deprecated",
      action: `move the packages to ${requirementsFile}`,
      edits: [{ start, end, text: `${indent}python_requirements: ${requirementsFile}` }],
      created: new Map([[requirementsFile, text]]),
    }),
  ];
}

/** Cog runs them behind build.run, in spite of the name: there they go. */
function preInstall(yaml: YamlText): Repair[] {
  const pair = yaml.pair("build", "pre_install");
  const items = blockSequence(pair?.value)?.items ?? [];
  if (pair === undefined || items.length === 0) return [];
  const details = { at: pair.key.range[0], key: "build.pre_install", message: "deprecated" };
  const run = yaml.pair("build", "run");
  if (run === undefined) {
    const [start, end] = pair.key.range;
    return [
      yaml.repair({
        ...details,
        action: "rename it to run:",
        edits: [{ start, end, text: "run" }],
      }),
    ];
  }
  const last = blockSequence(run.value)?.items.at(-1);
  if (last === undefined) return [];
  const block = yaml.lines(pair.key.range[0], pair.valueEnd);
  const [, ...lines] = yaml.text.slice(block.start, block.end).split(/\r?\n/);
  const dash = (offset: number): string => {
    const { start, end } = yaml.lines(offset, offset + 1);
    return /^\s*/.exec(yaml.text.slice(start, end))?.[0] ?? "";
  };
  const first = items[0] as Scalar;
  const [from, to] = [dash(first.range?.[0] ?? 0), dash((last as Scalar).range?.[0] ?? 0)];
  const moved = lines.map((line) => (line.startsWith(from) ? to + line.slice(from.length) : line));
  const target = yaml.lines(run.key.range[0], run.valueEnd).end;
  const hasBreak = yaml.text.slice(block.end).match(/^\r?\n/)?.[0] ?? "";
  return [
    yaml.repair({
      ...details,
      action: "move the commands to build.run, which runs before it",
      edits: [
        { start: block.start, end: block.end + hasBreak.length, text: "" },
        { start: target, end: target, text: yaml.lineBreak + moved.join(yaml.lineBreak) },
      ],
    }),
  ];
}
