import { truncateSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import {
  createPlan,
  loadConfig,
  renderPlannedFiles,
  requireConfig,
} from "../../../../builder/index.ts";
import { writeRepo } from "../repo.ts";

test("every file that goes into the image is listed, and none that does not: the way to find a stray secret", async () => {
  const directory = writeRepo({
    "cog.yaml": "build: {python_version: '3.11'}\nrun: predict.py:P\n",
    "predict.py": "x",
    ".dockerignore": "secret.env\n",
    "secret.env": "",
    "large.safetensors": "",
    "odd\nname": "",
  });
  truncateSync(join(directory, "large.safetensors"), 1536 * 1024 ** 2);
  symlinkSync("predict.py", join(directory, "link.py"));
  const config = requireConfig(await loadConfig({ directory }));
  expect(renderPlannedFiles(await createPlan({ config, directory }))).toBe(
    [
      "weights, one layer each below the code: 1 file, 1.5 GiB",
      "  1.5 GiB  large.safetensors",
      "",
      "code, one layer in /src: 5 files, 62 B",
      "  11 B  .dockerignore",
      "  50 B  cog.yaml",
      "  link  link.py -> predict.py",
      '   0 B  "odd\\nname"',
      "   1 B  predict.py",
      "",
    ].join("\n"),
  );
});
