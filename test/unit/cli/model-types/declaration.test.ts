import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { renderDeclaration, type TypedModel } from "../../../../cli/model-types/declaration.ts";
import { renderSchemaType } from "../../../../cli/model-types/schema-type.ts";

// Types are worth something only when the compiler refuses what the model would refuse: tsc itself is asked.

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const concatenated = {
  type: "array",
  items: { type: "string" },
  "x-cog-array-display": "concatenate",
};

const models: readonly TypedModel[] = [
  {
    name: "acme/chat",
    description: "A small language model */ with an odd description",
    task: "Text Generation",
    input: {
      type: "object",
      required: ["prompt"],
      properties: {
        prompt: { type: "string", description: "What to go on from" },
        max_tokens: { type: "integer" },
      },
    },
    output: concatenated,
  },
  {
    name: "@cf/baai/bge-m3",
    description: "",
    task: "Text Embeddings",
    input: { type: "object", properties: { texts: { type: "array", items: { type: "string" } } } },
    output: {},
  },
  {
    name: "acme/ocr",
    description: "Reads text in images",
    task: "Image-to-Text",
    input: {
      type: "object",
      required: ["image"],
      properties: {
        image: { type: "string", format: "uri" },
        language: { allOf: [{ $ref: "#/components/schemas/language" }] },
        "odd-name": { type: "number", nullable: true },
      },
      components: { schemas: { language: { type: "string", enum: ["en", "de"] } } },
    },
    output: {
      type: "object",
      required: ["lines"],
      properties: { lines: { type: "array", items: { type: "string" } } },
    },
  },
  {
    name: "acme/draw",
    description: "Draws",
    task: "Text-to-Image",
    input: { type: "object", properties: { prompt: { type: "string" } } },
    output: { type: "string", format: "uri" },
  },
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "byom-types-"));
  await mkdir(join(folder, "src"));
  await writeFile(join(folder, "src/models.d.ts"), renderDeclaration(models));
  await writeFile(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        noEmit: true,
        target: "es2024",
        module: "nodenext",
        types: [join(root, "node_modules/@types/node")],
        allowImportingTsExtensions: true,
        skipLibCheck: false,
        paths: { "byom/client": [join(root, "client/index.ts")] },
      },
      include: ["src"],
    }),
  );
  await writeFile(join(folder, "package.json"), '{"type":"module"}');
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function compile(source: string): Promise<string> {
  const head = 'import { createAI } from "byom/client";\nconst ai = createAI({ baseUrl: "x" });\n';
  await writeFile(join(folder, "src/app.ts"), head + source);
  const tsc = join(root, "node_modules/.bin/tsc");
  const { stdout } = await execa(tsc, ["-p", folder], { reject: false });
  return stdout;
}

describe("the written types", () => {
  it("let right calls pass, with the type of their answers", async () => {
    const errors = await compile(`
const chat = await ai.run("acme/chat", { prompt: "x", max_tokens: 3 });
const text: string = chat.response;
const total: number = chat.usage.total_tokens;
const again = await ai.run("acme/chat", { messages: [{ role: "user", content: "x" }] });
const stream: ReadableStream<Uint8Array> = await ai.run("acme/chat", { prompt: "x", stream: true });
const raw: Response = await ai.run("acme/chat", { prompt: "x" }, { returnRawResponse: true });
const vectors = await ai.run("@cf/baai/bge-m3", { text: ["a"] });
const first: number | undefined = vectors.data[0]?.[0];
const image = new Uint8Array();
const read = await ai.run("acme/ocr", { image, language: "de", "odd-name": null });
const lines: readonly string[] = read.lines;
const other = await ai.run("acme/untyped", { anything: [1, 2] });
const said: string | undefined = other.response;
const prediction = await ai.predictions.create({ model: "acme/ocr", input: { image: "x" } });
const done = await ai.predictions.wait(prediction);
const outputLines: readonly string[] | undefined = done.output?.lines;
export { text, total, again, stream, raw, first, lines, said, outputLines };
`);
    expect(errors).toBe("");
  });

  it.each([
    ['await ai.run("acme/chat", { prompt: 3 });', "number"],
    ['await ai.run("acme/chat", { promt: "x" });', "promt"],
    ['await ai.run("acme/chat", { max_tokens: 3 });', "prompt"],
    ['await ai.run("acme/ocr", { image: "x", language: "fr" });', "fr"],
    ['await ai.run("acme/ocr", {});', "image"],
    ['(await ai.run("acme/ocr", { image: "x" })).response;', "response"],
    ['await ai.predictions.create({ model: "acme/ocr", input: {} });', "image"],
  ])("do not let %s pass", async (source, what) => {
    const errors = await compile(`${source}\nexport {};`);
    expect(errors).toMatch(/app\.ts\(3,\d+\): error TS/);
    expect(errors).toContain(what);
  });

  it("are a module's addition even without a model", () => {
    expect(renderDeclaration([])).toContain("export {};");
  });
});

describe("a schema as a type", () => {
  it.each([
    [{ type: "string", nullable: true }, "string | null"],
    [{ anyOf: [{ type: "integer" }, { type: "null" }] }, "number | null"],
    [{ type: ["string", "number"] }, "string | number"],
    [{ enum: ["a", 1] }, '"a" | 1'],
    [{ type: "array" }, "readonly (unknown)[]"],
    [
      { type: "object", additionalProperties: { type: "number" } },
      "Readonly<Record<string, number>>",
    ],
    [{ $ref: "#/nowhere" }, "unknown"],
    [{ $ref: "#" }, "unknown"],
    [{}, "unknown"],
  ])("%j is %s", (schema, type) => {
    expect(renderSchemaType(schema)).toBe(type);
  });
});
