import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { onTestFinished } from "vitest";
import { loadConfig, requireConfig } from "../../../builder/index.ts";
import type { Config, Problem } from "../../../builder/index.ts";

/** A model repo in a temporary folder that is removed after the test. */
export function writeRepo(files: Readonly<Record<string, string | Buffer>>): string {
  const directory = mkdtempSync(join(tmpdir(), "byom-repo-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), content);
  }
  return directory;
}

/** The problems of a cog.yaml, with the predictor that most tests name in place. */
export async function problemsOf(
  cogYaml: string,
  files: Readonly<Record<string, string>> = {},
): Promise<readonly Problem[]> {
  const directory = writeRepo({ "predict.py": "", ...files, "cog.yaml": cogYaml });
  return (await loadConfig({ directory })).problems;
}

/** The config of a cog.yaml that must be valid. */
export async function configOf(
  cogYaml: string,
  files: Readonly<Record<string, string>> = {},
): Promise<Config> {
  const directory = writeRepo({ "predict.py": "", ...files, "cog.yaml": cogYaml });
  return requireConfig(await loadConfig({ directory }));
}
