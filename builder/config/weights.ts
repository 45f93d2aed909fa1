import { z } from "zod";
import type { Problem } from "../problem.ts";
import { problemAt } from "./issues.ts";
import type { SourceDocument } from "./source.ts";
import { toPlain, valueAt } from "./source.ts";

/** Rules of Cog's `weights` list (`pkg/config/data/config_schema_v1.0.json` and `validate.go` of Cog 0.22). */
const namePattern = /^[a-z0-9]+([._-][a-z0-9]+)*$/;

const sourceSchema = z.object({
  uri: z.string().min(1),
  include: z.array(z.string()).nullish(),
  exclude: z.array(z.string()).nullish(),
});

/** Each weight has a name and a folder of its own, and sources that can be told apart. */
export function checkWeights(options: {
  readonly document: SourceDocument;
  readonly cogYaml: {
    readonly model?: string | null | undefined;
    readonly weights?: readonly unknown[] | null | undefined;
  };
}): Problem[] {
  const { document, cogYaml } = options;
  const weights = (cogYaml.weights ?? []) as readonly Weight[];
  if (weights.length === 0) return [];
  const report = (path: readonly (string | number)[], message: string, hint?: string): Problem =>
    problemAt(document, ["weights", ...path], { severity: "error", message, hint });
  const problems = cogYaml.model
    ? []
    : [report([], "weights needs model", "rename 'image' to 'model'")];
  for (const [index, { name, target }] of weights.entries()) {
    const others = weights.slice(0, index);
    if (!namePattern.test(name)) {
      const hint = "write lower case letters and digits, with single . _ or - between them";
      problems.push(
        report([index, "name"], `${JSON.stringify(name)} is not a weight's name`, hint),
      );
    } else if (others.some((other) => other.name === name)) {
      problems.push(
        report([index, "name"], `${name} is there twice`, "give each weight its own name"),
      );
    }
    const overlapping = others.find((other) => overlaps(other.target, target));
    if (!/^\/[^\0]*[^/\0]/.test(target) || target.split("/").includes("..")) {
      problems.push(
        report(
          [index, "target"],
          "expected an absolute folder below /",
          "write target: /src/weights",
        ),
      );
    } else if (overlapping !== undefined) {
      const message = `${target} and ${overlapping.target} lie one in another`;
      problems.push(report([index, "target"], message, "give each weight a folder of its own"));
    }
    problems.push(...sourceProblems(document, index, report));
  }
  return problems;
}

interface Weight {
  readonly name: string;
  readonly target: string;
}

function sourceProblems(
  document: SourceDocument,
  index: number,
  report: (path: readonly (string | number)[], message: string, hint?: string) => Problem,
): Problem[] {
  const written = valueAt(document.value, ["weights", index, "source"]);
  if (written === undefined || written === null) return [];
  const isList = Array.isArray(written);
  const sources = isList ? written : [written];
  return sources.flatMap((source, position) => {
    const path = [index, "source", ...(isList ? [position] : [])];
    const parsed = sourceSchema.safeParse(toPlain(source));
    if (!parsed.success)
      return [
        report(path, "expected {uri, include, exclude}", "write source: {uri: hf://org/repo}"),
      ];
    const globs = [...(parsed.data.include ?? []), ...(parsed.data.exclude ?? [])];
    const bad = globs.find((glob) => glob === "" || glob.startsWith("!") || glob.includes("\\"));
    const problems =
      bad === undefined
        ? []
        : [report(path, `the pattern ${JSON.stringify(bad)} is empty, begins with ! or holds \\`)];
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(parsed.data.uri)?.[1];
    if (scheme !== undefined && !["hf", "file", "https"].includes(scheme.toLowerCase())) {
      problems.push(
        report([...path, "uri"], `expected hf://, file://, https:// or a path, found ${scheme}://`),
      );
    }
    return problems;
  });
}

function overlaps(left: string, right: string): boolean {
  const [a, b] = [`${left.replace(/\/+$/, "")}/`, `${right.replace(/\/+$/, "")}/`];
  return a.startsWith(b) || b.startsWith(a);
}
