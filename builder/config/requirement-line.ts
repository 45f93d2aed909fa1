/** Options that pip takes on a line of their own in a requirements file (pip, "Requirements File Format"). */
const lineOptions: ReadonlySet<string> = new Set(
  (
    "-i --index-url --pypi-url --extra-index-url --no-index -c --constraint -r --requirement -e --editable -f " +
    "--find-links --no-binary --only-binary --prefer-binary --require-hashes --pre --trusted-host --use-feature " +
    "--process-dependency-links --global-option --build-constraint --all-releases --only-final"
  ).split(" "),
);

/** Why pip will refuse a line, and what to write; undefined when it will probably take it. Names only, no paths or URLs. */
export function checkRequirement(
  line: string,
): { readonly message: string; readonly hint: string } | undefined {
  if (line.includes("${")) return undefined;
  if (line.startsWith("-")) return checkOption(line);
  const [requirement = ""] = line.split(/;|\s--/, 1);
  const [, name, rest = ""] =
    /^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\][]*\])?(.*)$/s.exec(requirement.trim()) ?? [];
  if (name !== undefined && isVersionOrUrl(rest.trim())) return undefined;
  return {
    message: `pip will probably refuse ${JSON.stringify(shorten(line))}`,
    hint: hintFor(line, name, rest),
  };
}

function checkOption(
  line: string,
): { readonly message: string; readonly hint: string } | undefined {
  const option = /^(--[^\s=]*|-.?)/.exec(line)?.[0] ?? line;
  if (lineOptions.has(option)) return undefined;
  const message = `pip takes no ${JSON.stringify(shorten(option))} in a requirements file`;
  return { message, hint: "remove the line, or move it to build.run as a pip command" };
}

function isVersionOrUrl(text: string): boolean {
  if (text === "" || /^@\s*\S+$/.test(text)) return true;
  const clauses = text.startsWith("(") && text.endsWith(")") ? text.slice(1, -1) : text;
  const clause = /^(?:===|==|~=|!=|<=|>=|<|>)\s*[A-Za-z0-9.*+!_-]+$/;
  return clauses.split(",").every((part) => part.trim() === "" || clause.test(part.trim()));
}

function hintFor(line: string, name: string | undefined, rest: string): string {
  const strange = /[^\x20-\x7e]/u.exec(line)?.[0];
  const codePoint = strange?.codePointAt(0)?.toString(16).toUpperCase().padStart(4, "0");
  if (codePoint !== undefined) return `replace the character U+${codePoint}; a hyphen is U+002D`;
  const installed = /^(?:python3? -m )?pip3? install\s+(\S.*)$/.exec(line)?.[1];
  if (installed !== undefined) return `write only what follows install: ${shorten(installed)}`;
  const version = /^\s*=\s*([\w.+]+)$/.exec(rest)?.[1];
  if (name !== undefined && version !== undefined) return `write ${name}==${version}`;
  return "write a requirement such as numpy==1.26.4";
}

/** Longest part of a line that a message repeats. */
const shownCharactersMax = 120;

function shorten(text: string): string {
  return text.length <= shownCharactersMax ? text : `${text.slice(0, shownCharactersMax)}…`;
}
