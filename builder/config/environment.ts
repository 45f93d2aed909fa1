import type { Problem } from "../problem.ts";
import { problemAt } from "./issues.ts";
import type { SourceDocument } from "./source.ts";

/** Names that the base image, the engine or the serving side own (Cog 0.22 `pkg/config/env_variables.go`). */
const reservedNames: readonly (string | RegExp)[] = [
  "PATH",
  "LD_LIBRARY_PATH",
  "PYTHONPATH",
  "VIRTUAL_ENV",
  "PYTHONUNBUFFERED",
  "LIBRARY_PATH",
  "HF_ENDPOINT",
  "HF_HUB_ENABLE_HF_TRANSFER",
  /^(R8|REPLICATE|CUDA|NVIDIA|NV|PGET|KUBERNETES)_/,
];

/** The `environment` list as a record, with a problem for every item that breaks a rule. */
export function readEnvironment(
  document: SourceDocument,
  items: readonly string[],
): { readonly variables: Readonly<Record<string, string>>; readonly problems: readonly Problem[] } {
  const variables: Record<string, string> = {};
  const problems: Problem[] = [];
  for (const [index, item] of items.entries()) {
    const match = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(item);
    const [, name = "", value = ""] = match ?? [];
    const refusal = refusalOf(name, value, variables);
    if (refusal === undefined) variables[name] = value;
    else
      problems.push(problemAt(document, ["environment", index], { severity: "error", ...refusal }));
  }
  return { variables, problems };
}

function refusalOf(
  name: string,
  value: string,
  variables: Readonly<Record<string, string>>,
): { readonly message: string; readonly hint?: string } | undefined {
  if (name === "") return { message: "expected NAME=value" };
  if (isReserved(name)) {
    const hint = "remove it; give it to the container when it is deployed";
    return { message: `${name} is reserved: the build or the platform sets it`, hint };
  }
  if (Object.hasOwn(variables, name)) {
    return { message: `${name} is there twice`, hint: "keep one of them" };
  }
  if (/[\r\n\0]/.test(value)) {
    return { message: `the value of ${name} holds a line break`, hint: "write it on one line" };
  }
  return undefined;
}

function isReserved(name: string): boolean {
  return reservedNames.some((rule) => (typeof rule === "string" ? rule === name : rule.test(name)));
}
