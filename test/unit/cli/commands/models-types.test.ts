// The command against a platform's own routes: what it writes is what the catalog says, of all its pages.
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { afterEach, beforeEach, expect, it } from "vitest";

import { createFlags } from "../../../../cli/command.ts";
import { modelsTypes } from "../../../../cli/commands/models-types.ts";
import { callKey, startHarness, type Harness } from "../../gateway/harness.ts";
import { captureOutput, type CapturedOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

let harness: Harness;
let folder: string;
beforeEach(async () => {
  harness = await startHarness();
  folder = createTemporaryFolder();
});
afterEach(async () => {
  await harness.close();
});

async function run(
  positionals: readonly string[],
  flags: Readonly<Record<string, unknown>> = {},
): Promise<CapturedOutput> {
  const captured = captureOutput();
  await modelsTypes.run({
    positionals,
    flags: createFlags(flags),
    context: {
      environment: { BYOM_URL: harness.url, BYOM_API_KEY: callKey },
      directory: folder,
      homeDirectory: folder,
      isRoot: false,
      directories: { data: folder, config: join(folder, "config"), run: join(folder, "run") },
      output: captured.output,
      isVerbose: false,
      signal: new AbortController().signal,
    },
  });
  return captured;
}

it("prints the types of all models, or writes them to a file", async () => {
  const printed = (await run([])).stdout();
  expect(printed).toContain('"acme/chat": {');
  expect(printed).toContain('readonly language?: "en" | "de";');
  const path = join(folder, "models.d.ts");
  expect((await run([], { output: path })).stdout()).toBe(`${path}: types of 2 models\n`);
  expect(readFileSync(path, "utf8")).toBe(printed);
});

it("writes those of the named models only, and says which one there is not", async () => {
  const printed = (await run(["acme/ocr"])).stdout();
  expect(printed).not.toContain("acme/chat");
  await expect(run(["acme/none"])).rejects.toMatchObject({ code: "model_not_found" });
});
