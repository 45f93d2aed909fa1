// "Why does it use that?": each setting with the line, the file or the variable that it comes from.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { createFlags } from "../../../../cli/command.ts";
import { config } from "../../../../cli/commands/config.ts";
import { captureOutput } from "../captured-output.ts";
import { createTemporaryFolder } from "../temporary-folder.ts";

it("names the origin of every setting", async () => {
  const directory = createTemporaryFolder();
  writeFileSync(
    join(directory, "cog.yaml"),
    'build:\n  python_version: "3.12"\npredict: predict.py:P\n',
  );
  writeFileSync(join(directory, "byom.yaml"), "model: me/chat\nsetup_timeout: 5m\n");
  const captured = captureOutput({ isJson: true });
  await config.run({
    positionals: [],
    flags: createFlags({}),
    context: {
      environment: { BYOM_BASE_IMAGE_CUDA: "mirror/cuda:{tag}" },
      directory,
      homeDirectory: directory,
      isRoot: false,
      directories: { data: directory, config: directory, run: directory },
      output: captured.output,
      isVerbose: false,
      signal: new AbortController().signal,
    },
  });
  const { settings } = JSON.parse(captured.stdout()) as { settings: unknown[] };
  expect(settings).toEqual(
    expect.arrayContaining([
      { key: "build.python_version", value: "3.12", origin: "cog.yaml:2" },
      { key: "build.gpu", value: false, origin: "default" },
      { key: "run", value: "predict.py:P", origin: "cog.yaml:3" },
      { key: "model", value: "me/chat", origin: "byom.yaml:1" },
      { key: "setup_timeout", value: 300_000, origin: "byom.yaml:2" },
      { key: "base image of cuda", value: "mirror/cuda:{tag}", origin: "BYOM_BASE_IMAGE_CUDA" },
    ]),
  );
});
