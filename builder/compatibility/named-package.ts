import type { Config } from "../config/config.ts";
import type { Problem } from "../problem.ts";

/** A Python package that the repo names, and where. */
export interface NamedPackage {
  /** Normalised: lower case, `-` for `_` and `.`. */
  readonly name: string;
  readonly extras: readonly string[];
  /** Specifiers as written, such as `>=2.4,<3`; empty for any version. */
  readonly specifiers: string;
  /** The version of `==`, of `===` or of a wheel's URL, without its local part. */
  readonly pinned?: string;
  /** `cu121` of `2.1.0+cu121`. */
  readonly local?: string;
  readonly place: Pick<Problem, "file" | "line" | "key">;
  /** True for `pip install` in a command of build.run, over which byom has no say. */
  readonly isCommand: boolean;
}

/** Every package that requirements and `pip install` commands name. Markers are passed over: Linux is what they ask for. */
export function namedPackages(config: Config): NamedPackage[] {
  const required = config.requirements.items.flatMap(({ text, ...place }) =>
    readRequirement(text, { place, isCommand: false }),
  );
  const commanded = config.run.flatMap(({ command, key }) => {
    const line = config.lines[key];
    const place = { file: config.file, ...(line === undefined ? {} : { line }), key };
    return pipWords(command).flatMap((word) => readRequirement(word, { place, isCommand: true }));
  });
  return [...required, ...commanded];
}

function readRequirement(
  text: string,
  rest: Pick<NamedPackage, "place" | "isCommand">,
): NamedPackage[] {
  const wheel = /(?:^|\/)([A-Za-z0-9_.]+)-(\d[\w.]*)(?:(?:\+|%2B)([\w.]+))?-[^/]*\.whl/i.exec(text);
  if (wheel !== null) {
    const [, name = "", pinned = "", local] = wheel;
    const found = { name: normalise(name), extras: [], specifiers: `==${pinned}`, pinned };
    return [{ ...found, ...(local === undefined ? {} : { local }), ...rest }];
  }
  const [requirement = ""] = text.split(/;|\s--/, 1);
  const [, name, extras = "", tail = ""] =
    /^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\][]*)\])?\s*(.*)$/s.exec(requirement) ?? [];
  if (name === undefined) return [];
  const specifiers = tail.startsWith("@") ? "" : tail.replace(/^\((.*)\)$/, "$1").trim();
  const [, pinned, local] =
    /(?:^|,)\s*={2,3}\s*(\d[\w.]*?)(?:\+([\w.]+))?\s*(?:,|$)/.exec(specifiers) ?? [];
  return [
    {
      name: normalise(name),
      extras: extras.split(",").flatMap((extra) => (extra.trim() === "" ? [] : [extra.trim()])),
      specifiers,
      ...(pinned === undefined ? {} : { pinned }),
      ...(local === undefined ? {} : { local }),
      ...rest,
    },
  ];
}

/** The requirements in the `pip install` parts of a command. */
function pipWords(command: string): string[] {
  const installs = command.matchAll(/\b(?:uv\s+)?pip3?\s+install\s+([^&|;]*)/g);
  return [...installs].flatMap(([, words = ""]) =>
    words
      .split(/\s+/)
      .map((word) => word.replace(/^["']|["']$/g, ""))
      .filter((word) => word !== "" && !word.startsWith("-") && !/^(?:\.|\/|\$|git\+)/.test(word))
      .filter((word) => !/^https?:/.test(word) || word.includes(".whl")),
  );
}

/** PEP 503. */
function normalise(name: string): string {
  return name.toLowerCase().replaceAll(/[-_.]+/g, "-");
}
