import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";

import { readMapping } from "../../../cli/model-mapping.ts";

// A mapping that is wrong must be said at the desk, not by the first caller of a model that took minutes to push.

const directory = mkdtempSync(join(tmpdir(), "byom-mapping-"));
afterAll(() => rmSync(directory, { recursive: true }));
const { signal } = new AbortController();
const document = {
  components: { schemas: { Input: { properties: { question: {}, length: {} } } } },
};

test("a template's file is read, everything else stays", async () => {
  writeFileSync(join(directory, "chat.jinja"), "{{ messages[0].content }}");
  const mapping = { inputs: { prompt: "question" }, output: "text", chatTemplate: "@chat.jinja" };
  expect(await readMapping({ mapping, directory, document, signal })).toEqual({
    ...mapping,
    chatTemplate: "{{ messages[0].content }}",
  });
  const bundled = { chatTemplate: "chatml" };
  expect(await readMapping({ mapping: bundled, directory, document, signal })).toEqual(bundled);
});

test.each([
  [{ inputs: { prompt: "qestion" } }, "mapping.inputs.prompt: the model has no input qestion"],
  [{ chatTemplate: "chatlm" }, "mapping.chat_template: there is no chat template chatlm"],
  [{ chatTemplate: "{% if x %}" }, "mapping.chat_template:"],
])("%j is refused with where and what to write", async (mapping, message) => {
  const reading = readMapping({ mapping, directory, document, signal });
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.toMatchObject({ hint: expect.stringContaining("in byom.yaml: ") });
});

test("inputs are not judged where the schema is known only after the build", async () => {
  const mapping = { inputs: { prompt: "anything" } };
  expect(await readMapping({ mapping, directory, document: undefined, signal })).toEqual(mapping);
});
