import {
  parsePythonVersion,
  pythonMinorMin,
  pythonVersionDefault,
} from "../compatibility/python.ts";
import { renamedDebianPackages } from "../compatibility/debian-packages.ts";
import type { Problem } from "../problem.ts";
import { problemAt } from "./issues.ts";
import type { CogYaml } from "./schema.ts";
import { valueAt } from "./source.ts";
import type { SourceDocument, SourcePath } from "./source.ts";
import { checkWeights } from "./weights.ts";
import { ownValue } from "../own-value.ts";

/** `predict.py:Predictor`: a Python file of the repo and a name in it. */
export const referencePattern: RegExp = /^([^:\s][^:]*\.py):([A-Za-z_]\w*)$/;

/** What is well-typed and still wrong, or will surprise. No disk is read. */
export function checkSemantics(
  document: SourceDocument,
  cogYaml: CogYaml,
  /** A Python from elsewhere: what cog.yaml says of it does not matter. */
  { hasPython = false }: { readonly hasPython?: boolean } = {},
): Problem[] {
  const checks = [
    ...(hasPython ? [] : [checkPython]),
    checkPackages,
    checkCuda,
    checkRunItems,
    checkSdkVersion,
    checkImage,
    checkReferences,
    checkWeights,
    checkEmptyReference,
  ];
  return checks.flatMap((check) => check({ document, cogYaml, report: reporter(document) }));
}

interface Check {
  readonly document: SourceDocument;
  readonly cogYaml: CogYaml;
  readonly report: ReturnType<typeof reporter>;
}

function reporter(document: SourceDocument) {
  return (
    severity: Problem["severity"],
    path: SourcePath,
    message: string,
    hint?: string,
  ): Problem => problemAt(document, path, { severity, message, hint });
}

function checkPython({ cogYaml, report }: Check): Problem[] {
  const text = cogYaml.build?.python_version;
  if (text === null || text === undefined) {
    const path = cogYaml.build === null || cogYaml.build === undefined ? [] : ["build"];
    const message = `no python_version; using ${pythonVersionDefault}, the most common one`;
    const hint = `write python_version: "${pythonVersionDefault}" under build:`;
    return [report("warning", path, message, hint)];
  }
  const path = ["build", "python_version"];
  const version = parsePythonVersion(text);
  if (version === undefined) {
    return [
      report("error", path, `expected a version such as 3.11, found ${JSON.stringify(text)}`),
    ];
  }
  if (version.major !== 3) return [report("error", path, `Python ${text} is not supported`)];
  if (version.minor >= pythonMinorMin) return [];
  const message = `minimum supported Python version is 3.${pythonMinorMin}, requested ${text}; using 3.${pythonMinorMin}`;
  const hint = `write python_version: "3.${pythonMinorMin}" and see that the pinned packages exist for it`;
  return [report("warning", path, message, hint)];
}

function checkPackages({ document, cogYaml, report }: Check): Problem[] {
  const build = cogYaml.build ?? {};
  const problems: Problem[] = [];
  if (build.python_requirements && (build.python_packages?.length ?? 0) > 0) {
    const message = "python_packages and python_requirements exclude each other";
    const hint = `move the packages into ${build.python_requirements}`;
    problems.push(report("error", ["build", "python_packages"], message, hint));
  }
  for (const [index, line] of (build.system_packages ?? []).entries()) {
    const path = ["build", "system_packages", index];
    for (const name of line.trim().split(/\s+/)) {
      const successor = ownValue(renamedDebianPackages, name);
      if (successor !== undefined) {
        const message = `${name} no longer exists in Debian; installing ${successor}`;
        problems.push(report("warning", path, message, `write - ${successor}`));
      } else if (withoutComparison(name) !== name) {
        const message = `apt knows no comparison; installing ${withoutComparison(name)} in its newest version`;
        const hint = `write - ${withoutComparison(name)}, or NAME=VERSION for an exact version`;
        problems.push(report("warning", path, message, hint));
      } else if (!/^[A-Za-z0-9-][A-Za-z0-9+._:=~/*-]*$/.test(name)) {
        problems.push(report("error", path, `${JSON.stringify(name)} is not a package name`));
      }
    }
  }
  for (const [index, line] of (build.python_packages ?? []).entries()) {
    if (!/[\r\n]/.test(line.trim()) && !line.includes("\0")) continue;
    const path = ["build", "python_packages", index];
    problems.push(report("error", path, "one package per item, no line break inside"));
  }
  const gpu = valueAt(document.value, ["build", "gpu"]);
  if (typeof gpu === "string" && build.gpu !== undefined) {
    problems.push(report("warning", ["build", "gpu"], `expected true or false, found ${gpu}`));
  }
  return problems;
}

function checkCuda({ cogYaml, report }: Check): Problem[] {
  const { cuda, gpu } = cogYaml.build ?? {};
  if (!cuda) return [];
  const path = ["build", "cuda"];
  if (!/^\d+(\.\d+){1,2}$/.test(cuda.trim())) {
    return [
      report("error", path, `expected a version such as 12.4, found ${JSON.stringify(cuda)}`),
    ];
  }
  const message = "has no effect without gpu: true";
  return gpu === true ? [] : [report("warning", path, message, "write gpu: true or remove cuda")];
}

function checkRunItems({ cogYaml, report }: Check): Problem[] {
  const { run, pre_install: preInstall } = cogYaml.build ?? {};
  const commands = [
    ...(run ?? []).map((item, index) => ({ path: ["build", "run", index], ...item })),
    ...(preInstall ?? []).map((command, index) => ({
      path: ["build", "pre_install", index],
      command,
      mounts: undefined,
    })),
  ];
  return commands.flatMap(({ path, command, mounts }) => {
    const problems = (mounts ?? []).flatMap((mount, index) => {
      const where = [...path, "mounts", index];
      if (!/^[A-Za-z0-9._-]+$/.test(mount.id)) {
        return [
          report("error", [...where, "id"], `${JSON.stringify(mount.id)} is not a secret's name`),
        ];
      }
      if (/^\/[^\s,"']*$/.test(mount.target)) return [];
      return [report("error", [...where, "target"], "expected an absolute path without spaces")];
    });
    if (command.trim() === "") problems.push(report("error", path, "an empty command"));
    else if (/[\r\n\0]/.test(command.trim())) {
      const hint = "write one item per command, or join them with ` && `";
      problems.push(report("error", path, "a command must not hold a line break", hint));
    }
    return problems;
  });
}

function checkSdkVersion({ cogYaml, report }: Check): Problem[] {
  const version = cogYaml.build?.sdk_version?.trim();
  if (!version || version === "prerelease") return [];
  const path = ["build", "sdk_version"];
  const match = /^(\d+)\.(\d+)(\.\d+)*([abc]|rc|\.?dev|\.?post)?\d*$/.exec(version);
  if (match === null) return [report("error", path, `${JSON.stringify(version)} is not a version`)];
  if (Number(match[1]) > 0 || Number(match[2]) >= 17) return [];
  return [report("error", path, `expected 0.17.0 or newer, found ${version}`)];
}

function checkImage({ cogYaml, report }: Check): Problem[] {
  const { image, model } = cogYaml;
  const problems: Problem[] = [];
  if (image && !/^[a-z0-9][a-zA-Z0-9._:/@-]*$/.test(image.trim())) {
    const hint = "write image: registry.example.com/name, in lower case";
    problems.push(
      report("error", ["image"], `${JSON.stringify(image)} is not an image name`, hint),
    );
  }
  if (!model) return problems;
  if (referencePattern.test(model)) {
    const message = "the 2021 name of run:; taken as the predictor";
    problems.push(report("warning", ["model"], message, `rename it: run: ${model}`));
  } else if (image) {
    problems.push(report("error", ["model"], "image and model exclude each other", "keep one"));
  }
  return problems;
}

function checkReferences({ cogYaml, report }: Check): Problem[] {
  const problems: Problem[] = [];
  if (cogYaml.run && cogYaml.predict) {
    problems.push(report("error", ["predict"], "run and predict exclude each other", "keep run:"));
  }
  for (const key of ["run", "predict", "train"] as const) {
    const reference = cogYaml[key];
    if (reference === null || reference === undefined) continue;
    const path = referencePattern.exec(reference.trim())?.[1];
    if (path === undefined) {
      const message = `expected FILE.py:NAME, found ${JSON.stringify(reference)}`;
      problems.push(report("error", [key], message, `write ${key}: ${guessReference(reference)}`));
    } else if (path.startsWith("/") || path.split("/").includes("..")) {
      problems.push(report("error", [key], `${path} lies outside of the model repo`));
    }
  }
  return problems;
}

function checkEmptyReference({ cogYaml, report }: Check): Problem[] {
  const isModelReference = referencePattern.test(cogYaml.model ?? "");
  if (cogYaml.run || cogYaml.predict || cogYaml.train || isModelReference) return [];
  const message = "no run: the image holds an environment but no model";
  return [report("warning", [], message, "write run: predict.py:Predictor")];
}

/** `libtag1-dev>=1.9` is `libtag1-dev` to Cog, where the shell takes the rest for a redirection. */
export function withoutComparison(name: string): string {
  return name.replace(/(?<=[A-Za-z0-9])(>=|<=|==|>|<).*$/, "");
}

/** `predict.Predictor` and `predict.py` become what was probably meant. */
function guessReference(reference: string): string {
  const dotted = /^(\w+)\.(\w+)$/.exec(reference.trim());
  if (dotted !== null && dotted[2] !== "py") return `${dotted[1]}.py:${dotted[2]}`;
  const file = /^[\w./-]+\.py/.exec(reference.trim())?.[0];
  return `${file ?? "predict.py"}:Predictor`;
}
