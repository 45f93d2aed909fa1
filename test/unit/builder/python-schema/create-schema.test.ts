import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OpenApiDocument } from "../../../../builder/index.ts";
import { createSchema } from "../../../../builder/python-schema/index.ts";

const fixture = (name: string): string => join(import.meta.dirname, "fixtures", name);

function schemasOf(document: OpenApiDocument): Record<string, Record<string, unknown>> {
  return (document["components"] as { schemas: Record<string, Record<string, unknown>> }).schemas;
}

/** One predictor as text, so that a test shows what it reads. */
async function read(source: string, name = "Predictor"): ReturnType<typeof createSchema> {
  const readFile = async (path: string): Promise<string | undefined> =>
    path === "predict.py" ? source : undefined;
  return createSchema({ directory: "/unused", predictor: `predict.py:${name}`, readFile });
}

describe("a predictor with every kind of input", () => {
  const schema = createSchema({
    directory: fixture("every-type"),
    predictor: "predict.py:Predictor",
  });

  it("is described as cog describes it, so forms and clients keep working", async () => {
    const schemas = schemasOf((await schema).document);
    expect(schemas["Input"]).toEqual({
      title: "Input",
      type: "object",
      required: ["prompt", "image", "document", "anything"],
      properties: {
        prompt: {
          "x-order": 0,
          title: "Prompt",
          type: "string",
          description: "What to draw, in words",
          minLength: 1,
          maxLength: 100,
          pattern: "^[a-z ]+$",
        },
        image: {
          "x-order": 1,
          title: "Image",
          type: "string",
          format: "uri",
          description: "Start from this",
          "x-cog-accept": "image/*",
        },
        document: {
          "x-order": 2,
          title: "Document",
          type: "string",
          format: "uri",
          description: "Old style",
        },
        steps: {
          "x-order": 3,
          title: "Steps",
          type: "integer",
          default: 16,
          minimum: 1,
          maximum: 128,
        },
        strength: {
          "x-order": 4,
          title: "Strength",
          type: "number",
          default: -0.5,
          minimum: -1,
          maximum: 1,
        },
        size: { "x-order": 5, allOf: [{ $ref: "#/components/schemas/size" }], default: "small" },
        count: { "x-order": 6, allOf: [{ $ref: "#/components/schemas/count" }], default: 1 },
        style: { "x-order": 7, allOf: [{ $ref: "#/components/schemas/style" }], default: "photo" },
        mode: { "x-order": 8, allOf: [{ $ref: "#/components/schemas/mode" }], default: "fast" },
        hint: {
          "x-order": 9,
          title: "Hint",
          type: "string",
          nullable: true,
          default: null,
          deprecated: true,
        },
        bare: { "x-order": 10, title: "Bare", type: "integer", nullable: true, default: null },
        key: {
          "x-order": 11,
          title: "Key",
          type: "string",
          format: "password",
          writeOnly: true,
          "x-cog-secret": true,
          nullable: true,
          default: null,
        },
        names: {
          "x-order": 12,
          title: "Names",
          type: "array",
          items: { type: "string" },
          default: ["a", "b"],
        },
        images: {
          "x-order": 13,
          title: "Images",
          type: "array",
          items: { type: "string", format: "uri" },
          default: [],
        },
        either: {
          "x-order": 14,
          title: "Either",
          anyOf: [{ type: "string" }, { type: "integer" }],
          default: 3,
        },
        options: { "x-order": 15, title: "Options", type: "object", default: {} },
        extra: {
          "x-order": 16,
          title: "Extra",
          type: "array",
          items: { type: "object" },
          default: [],
        },
        anything: { "x-order": 17, title: "Anything", type: "object" },
        is_safe: { "x-order": 18, title: "Is Safe", type: "boolean", default: true },
      },
    });
    expect(schemas["size"]).toEqual({
      title: "size",
      description: "An enumeration.",
      type: "string",
      enum: ["small", "large"],
    });
    expect(schemas["count"]).toMatchObject({ type: "integer", enum: [1, 3, 5, 7, 9] });
    expect(schemas["style"]).toMatchObject({ type: "string", enum: ["photo", "drawing"] });
    expect(schemas["mode"]).toMatchObject({ type: "string", enum: ["fast", "good"] });
  });

  it("says that its output is text to be joined, and streams", async () => {
    const { document, isStreaming, isAsync } = await schema;
    expect(schemasOf(document)["Output"]).toEqual({
      title: "Output",
      type: "array",
      items: { type: "string" },
      "x-cog-array-type": "iterator",
      "x-cog-array-display": "concatenate",
    });
    expect(document["paths"]).toMatchObject({
      "/predictions": { post: { "x-cog-streaming": true } },
    });
    expect({ isStreaming, isAsync }).toEqual({ isStreaming: true, isAsync: true });
  });

  it("lists the components and paths that coglet and cog's clients look for", async () => {
    const { document } = await schema;
    expect(document["openapi"]).toBe("3.0.2");
    expect(Object.keys(schemasOf(document))).toEqual([
      "Input",
      "Output",
      "size",
      "count",
      "style",
      "mode",
      "PredictionRequest",
      "PredictionResponse",
      "Status",
      "HTTPValidationError",
      "ValidationError",
    ]);
    expect(Object.keys(document["paths"] as object)).toEqual([
      "/",
      "/health-check",
      "/predictions",
      "/predictions/{prediction_id}/cancel",
    ]);
  });

  it("writes the keys of an input in cog's order, which scripts compare as text", async () => {
    const text = JSON.stringify((await read("def run(data: dict) -> str: ...", "run")).document);
    expect(text).toContain('"data":{"title":"Data","type":"object","x-order":0}');
    expect(text).toContain('"required":["data"]');
  });
});

describe("a predictor spread over files", () => {
  const schema = createSchema({
    directory: fixture("across-files"),
    predictor: "predict.py:Runner",
    trainer: "train.py:train",
  });

  it("follows base classes, constants, helpers and star imports to where they are defined", async () => {
    const { document, problems } = await schema;
    expect(problems).toEqual([]);
    expect(schemasOf(document)["Input"]).toMatchObject({
      required: ["text"],
      properties: {
        text: { description: "The text" },
        language: { default: "English" },
        temperature: { default: 0.7, minimum: 0, description: "The temperature of the model" },
      },
    });
    expect(schemasOf(document)["language"]).toMatchObject({
      enum: ["English", "French", "German", "Latin", "other"],
    });
  });

  it("describes a pydantic output, the fields that refer to their own class included", async () => {
    expect(schemasOf((await schema).document)["Output"]).toEqual({
      title: "Output",
      type: "object",
      required: ["text", "segments"],
      properties: {
        text: { title: "Text", type: "string" },
        language: { title: "Language", type: "string", nullable: true },
        segments: {
          title: "Segments",
          type: "array",
          items: {
            type: "object",
            required: ["start"],
            properties: {
              start: { title: "Start", type: "number" },
              words: { title: "Words", type: "array", items: { type: "object" } },
            },
          },
        },
        scores: { title: "Scores", type: "object", additionalProperties: { type: "number" } },
      },
    });
  });

  it("adds training beside predicting", async () => {
    const { document } = await schema;
    expect(schemasOf(document)["TrainingInput"]).toMatchObject({
      title: "TrainingInput",
      required: ["data", "epochs"],
      properties: { epochs: { type: "integer", minimum: 1 } },
    });
    expect(schemasOf(document)["TrainingOutput"]).toMatchObject({
      properties: { weights: { type: "string", format: "uri" } },
    });
    expect(Object.keys(document["paths"] as object)).toContain("/trainings/{training_id}/cancel");
  });
});

describe("what cannot be read", () => {
  const schema = createSchema({
    directory: fixture("old-habits"),
    predictor: "predict.py:Predictor",
  });

  it("becomes a problem with its line, and the rest is described all the same", async () => {
    const { document, problems } = await schema;
    const lines = problems.map(
      (problem) => `${problem.severity} ${problem.file}:${problem.line} ${problem.message}`,
    );
    expect(lines).toEqual([
      "error predict.py:13 parameter 'prompt' on predict has no type annotation",
      "warning predict.py:14 parameter 'image': pathlib's Path is not downloaded, it arrives as a string",
      "error predict.py:15 parameter 'array': cannot resolve type 'np.ndarray' (imported from 'numpy') - types outside the repo cannot be read",
      "warning predict.py:16 parameter 'scale' on predict has no type annotation",
      "warning predict.py:17 parameter 'seed': default None on a type without None makes the input required",
      expect.stringContaining(
        "warning predict.py:18 parameter 'device': choices expression cannot be statically resolved",
      ),
      expect.stringContaining(
        "warning predict.py:18 parameter 'device': default `DEVICES[0]` cannot be statically resolved",
      ),
      "error predict.py:19 parameter 'top_k': Input() has no argument `gt`",
      "error predict.py:20 parameter 'items': default_factory is not supported in Input()",
      "error predict.py:21 accept is only valid on Path or File inputs (parameter 'name')",
      expect.stringContaining(
        "warning predict.py:22 parameter 'late': default `torch.version.cuda` cannot be statically resolved",
      ),
      "warning predict.py:23 predict() takes `*rest`, which no input can fill",
      "warning predict.py:24 predict() takes `**others`, which no input can fill",
    ]);
    expect(problems.every((problem) => problem.hint !== undefined)).toBe(true);
    expect(schemasOf(document)["Input"]).toMatchObject({
      required: ["prompt", "image", "array", "seed", "items"],
      properties: {
        scale: { type: "integer", default: 2 },
        device: { type: "string" },
        late: { type: "string" },
      },
    });
    expect(schemasOf(document)["Output"]).toMatchObject({ items: { type: "string" } });
  });

  it.each([
    ["Nothing", "predictor not found: Nothing"],
    ["Neither", "Neither must define run() or predict()"],
    ["Both", "Both must define either run() or predict(), not both"],
    ["Streams", "Streams must define run() or predict()"],
  ])("names what is missing in %s", async (name, message) => {
    const { problems } = await createSchema({
      directory: fixture("old-habits"),
      predictor: `predict.py:${name}`,
    });
    expect(problems).toMatchObject([{ severity: "error", file: "predict.py", message }]);
  });

  it.each([
    ["Loose", "missing return type annotation on predict", { title: "Output" }],
    ["Maybe", "Optional is not allowed", { title: "Output", type: "string", nullable: true }],
  ])("only warns where the server does not mind: %s", async (name, message, output) => {
    const { document, problems } = await createSchema({
      directory: fixture("old-habits"),
      predictor: `predict.py:${name}`,
    });
    expect(problems).toMatchObject([
      { severity: "warning", message: expect.stringContaining(message) },
    ]);
    expect(schemasOf(document)["Output"]).toEqual(output);
  });

  it.each([
    "predict.py",
    "predict:Predictor",
    "../predict.py:Predictor",
    "/etc/predict.py:Predictor",
  ])("refuses the reference %s", async (predictor) => {
    const { problems } = await createSchema({ directory: fixture("old-habits"), predictor });
    expect(problems).toMatchObject([{ severity: "error", file: "cog.yaml" }]);
  });

  it("says that the file is not there", async () => {
    const { problems } = await createSchema({
      directory: fixture("none"),
      predictor: "predict.py:Predictor",
    });
    expect(problems).toMatchObject([{ severity: "error", message: "predict.py not found" }]);
  });

  it("says where cog.yaml names a file that is not there", async () => {
    const { problems } = await createSchema({
      directory: fixture("none"),
      predictor: "predict.py:Predictor",
      source: { file: "other.yaml", lines: { build: 1, predict: 7 } },
    });
    expect(problems).toMatchObject([{ file: "other.yaml", line: 7, key: "predict" }]);
  });

  it("refuses @cog.streaming on a method that yields nothing", async () => {
    const { isStreaming, problems } = await read(
      "import cog\nclass Predictor:\n    @cog.streaming\n    def run(self) -> str: ...\n",
    );
    expect(isStreaming).toBe(false);
    expect(problems).toMatchObject([{ severity: "error", line: 3 }]);
  });

  it.each([
    "class Predictor(",
    "def Predictor(x: List[int = 3) -> : pass",
    "A = A\nB = [A for A in A]\nclass Predictor(Predictor):\n    def run(self, x: int = A, y: A = B) -> Predictor: ...",
    "def f(x):\n    return f(x)\nclass Predictor:\n    def run(self, x: int = f(1)) -> 3 + 4: ...",
    "X = 'a' * 10 ** 12\nY = [0 for a in range(9999) for b in range(9999)]\ndef Predictor(x: str = X, y: int = Y) -> str: ...",
    "from . import *\nfrom .. import x\nfrom ....a.b import c\ndef Predictor(x: c = x.y.z) -> str: ...",
    "class Predictor:\n    run = None\n",
    "Predictor = 3",
    "\u0000\uFFFF",
    "",
  ])("never crashes on source %#", async (source) => {
    const { document } = await read(source);
    expect(schemasOf(document)["Input"]).toBeDefined();
  });

  it("stops when it is told to", async () => {
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(
      createSchema({ directory: fixture("every-type"), predictor: "predict.py:Predictor", signal }),
    ).rejects.toThrow("enough");
  });
});

describe("concurrency", () => {
  it.each([
    ["@cog.concurrent(max=2 * 4)\n    async def run(self) -> str: ...", 8, 0],
    ["@cog.concurrent\n    async def run(self) -> str: ...", 1, 0],
    ["async def run(self) -> str: ...", undefined, 0],
    ["@cog.concurrent(max=4)\n    def run(self) -> str: ...", 4, 1],
    ["@cog.concurrent(max=0)\n    async def run(self) -> str: ...", undefined, 1],
  ])("of %j is %s", async (method, expected, errors) => {
    const { concurrencyMax, problems } = await read(
      `import cog\nclass Predictor:\n    ${method}\n`,
    );
    expect(concurrencyMax).toBe(expected);
    expect(problems).toHaveLength(errors);
  });
});
