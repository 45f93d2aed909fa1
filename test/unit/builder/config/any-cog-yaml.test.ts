// Whatever lies under the name cog.yaml: an answer with a file and a line, never a stack trace.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { cogYamlKeys } from "../../../../builder/config/schema.ts";
import { loadConfig } from "../../../../builder/index.ts";
import { writeRepo } from "../repo.ts";

const numRuns = Number(process.env["BYOM_PROPERTY_RUNS"] ?? 500);

const scalar = fc.oneof(
  fc.constantFrom(
    ..."3.10|3.8|12.4|yes|null|~|predict.py:P|predict.P|../x.py:Y|requirements.txt|A=b|torch==2.5.1|-e .|--mount=type=x y|libgl1-mesa-glx|a: b|&a|*a|!!x 1|@file".split(
      "|",
    ),
  ),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.string({ unit: "binary" }),
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.constantFrom(
        "command",
        "mounts",
        "type",
        "id",
        "target",
        "max",
        "name",
        "source",
        "uri",
        "x",
      ),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
})).value;
const keys = (names: readonly string[]) =>
  fc.dictionary(fc.constantFrom(...names, "typo", "fast", "__proto__"), value, { maxKeys: 8 });
const document = fc
  .tuple(keys(cogYamlKeys[""] ?? []), fc.option(keys(cogYamlKeys["build"] ?? [])))
  .map(([top, build]) => stringify(build === null ? top : { ...top, build }));
/** A document with a piece cut out or doubled. */
const broken = fc
  .tuple(document, fc.nat(), fc.nat(), fc.boolean())
  .map(([text, from, length, isDoubled]) => {
    const start = text.length === 0 ? 0 : from % text.length;
    const piece = text.slice(start, start + (length % 20));
    return (
      text.slice(0, start) + (isDoubled ? piece + piece : "") + text.slice(start + piece.length)
    );
  });

test("a config or errors, each with file and line", async () => {
  const directory = writeRepo({ "predict.py": "", "requirements.txt": "six\n" });
  await fc.assert(
    fc.asyncProperty(fc.oneof(document, broken, fc.string({ unit: "binary" })), async (text) => {
      writeFileSync(join(directory, "cog.yaml"), text);
      const { config, problems } = await loadConfig({ directory });
      const errors = problems.filter(({ severity }) => severity === "error");
      expect(config === undefined).toBe(errors.length > 0);
      const lines = text.split("\n").length;
      for (const { file, line } of problems) {
        expect(file).toMatch(/^(cog\.yaml|requirements\.txt|uv\.lock|pyproject\.toml)$/);
        expect(line).toBeGreaterThanOrEqual(1);
        if (file === "cog.yaml") expect(line).toBeLessThanOrEqual(lines);
      }
    }),
    { numRuns },
  );
}, 600_000);
