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

/** What the compiler says of each of the sources; one run for all of them. */
async function compile(sources: Readonly<Record<string, string>>): Promise<string> {
  const head = 'import { createAI } from "byom/client";\nconst ai = createAI({ baseUrl: "x" });\n';
  for (const [name, source] of Object.entries(sources)) {
    await writeFile(join(folder, `src/${name}.ts`), `${head}${source}\nexport {};\n`);
  }
  const tsc = join(root, "node_modules/.bin/tsc");
  const { stdout } = await execa(tsc, ["-p", folder, "--pretty", "false"], {
    cwd: folder,
    reject: false,
  });
  return stdout;
}

const right = `
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
const spoken = await ai.predictions.create({ model: "acme/chat", input: { prompt: "x" } });
const words: readonly string[] | null = spoken.output;
export { text, total, again, stream, raw, first, lines, said, outputLines, words };`;

const wrong: readonly (readonly [source: string, what: string])[] = [
  ['await ai.run("acme/chat", { prompt: 3 });', "number"],
  ['await ai.run("acme/chat", { promt: "x" });', "promt"],
  ['await ai.run("acme/chat", { max_tokens: 3 });', "prompt"],
  ['await ai.run("acme/ocr", { image: "x", language: "fr" });', "fr"],
  ['await ai.run("acme/ocr", {});', "image"],
  ['(await ai.run("acme/ocr", { image: "x" })).response;', "response"],
  ['await ai.predictions.create({ model: "acme/ocr", input: {} });', "image"],
  // A prediction takes the model's own inputs: nothing is mapped.
  ['await ai.predictions.create({ model: "acme/chat", input: { messages: [] } });', "messages"],
];

describe("the written types", () => {
  it("let right calls pass and refuse wrong ones", { timeout: 60_000 }, async () => {
    const sources = wrong.map(([source], index) => [`wrong${index}`, source]);
    const said = await compile({ right, ...(Object.fromEntries(sources) as object) });
    const problems = said.split(/\n(?=\S)/).filter((line) => line !== "");
    expect(
      problems.filter((problem) => !/^src\/wrong\d+\.ts\(3,\d+\): error TS/.test(problem)),
    ).toEqual([]);
    wrong.forEach(([source, what], index) => {
      const mine = problems.filter((problem) => problem.startsWith(`src/wrong${index}.ts(`));
      expect(mine.join("\n"), source).toContain(what);
    });
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
