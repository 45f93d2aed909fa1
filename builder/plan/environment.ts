import type { Config } from "../config/config.ts";
import { cogletVersionDefault, cogVersionDefault } from "./cog-version.ts";
import type { Decision, EnvironmentStep } from "./plan.ts";
import { reasonAt } from "./reason.ts";

/** Programs that Cog's own base images have and that repos call without naming them, with the words that call them. */
const impliedPackages: readonly { readonly name: string; readonly calls: RegExp }[] = [
  { name: "curl", calls: /\bcurl\b/ },
  { name: "wget", calls: /\bwget\b/ },
  { name: "git", calls: /\bgit\s+(clone|lfs|init|fetch|-C)\b|\bgit\+|@\s*git:/ },
  { name: "unzip", calls: /\bunzip\b/ },
  { name: "xz-utils", calls: /\bxz\b|\.tar\.xz\b|\btar\s+-?\w*J/ },
];

export function chooseCogVersion(config: Config): Decision<string> {
  return {
    value: config.sdkVersion ?? cogVersionDefault,
    reason: reasonAt(config, "build.sdk_version"),
  };
}

/** The steps of the environment in Cog's order: apt, pip, cog itself, then the author's commands. */
export function planEnvironment(config: Config, index?: string): EnvironmentStep[] {
  const { requirements, sdkVersion } = config;
  const steps: EnvironmentStep[] = [planSystemPackages(config)];
  if (requirements.lines.some((line) => line.trim() !== "")) {
    steps.push({
      kind: "python-requirements",
      lines: requirements.lines,
      ...(requirements.file === undefined ? {} : { file: requirements.file }),
      files: requirements.files,
      needsContext: requirements.folders.length > 0,
      ...(index === undefined ? {} : { index }),
      ...(requirements.lock === undefined ? {} : { lock: requirements.lock }),
    });
  }
  steps.push({
    kind: "cog",
    cogVersion: sdkVersion ?? cogVersionDefault,
    // Both packages are released together, under one version.
    cogletVersion: sdkVersion ?? cogletVersionDefault,
  });
  for (const { command, secrets } of config.run) steps.push({ kind: "run", command, secrets });
  return steps;
}

function planSystemPackages(config: Config): EnvironmentStep {
  const named = new Set(config.systemPackages.map((name) => name.replace(/[=/].*$/, "")));
  const reasons: Record<string, string> = {};
  if (!named.has("tini")) reasons.tini = "first process of the container";
  const commands = config.run.map((item) => item.command);
  for (const { name, calls } of impliedPackages) {
    if (named.has(name)) continue;
    if (commands.some((command) => calls.test(command))) reasons[name] = "called by build.run";
    else if (name === "git" && config.requirements.lines.some((line) => calls.test(line))) {
      reasons[name] = "named by a requirement";
    }
  }
  const isDownloading = ["curl", "wget", "git"].some((name) => name in reasons || named.has(name));
  if (isDownloading && !named.has("ca-certificates")) reasons["ca-certificates"] = "for https";
  return {
    kind: "system-packages",
    packages: [...config.systemPackages, ...Object.keys(reasons)],
    reasons,
  };
}
