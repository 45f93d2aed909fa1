import { z } from "zod";
import type { OpenApiDocument } from "../plan/plan.ts";
import { createDocument, isComponentName, type Operation } from "./document.ts";
import { describeInputs } from "./input-schema.ts";
import { describeOutput } from "./output-schema.ts";
import type { PythonType } from "./python-type.ts";
import type { Mode } from "./target.ts";
import type { JsonValue } from "./value.ts";

const jsonSchema: z.ZodType<JsonValue> = z.lazy(() =>
  z.union([
    z.null(),
    z.boolean(),
    z.number(),
    z.string(),
    z.array(jsonSchema),
    z.record(z.string(), jsonSchema),
  ]),
);

const typeSchema: z.ZodType<PythonType> = z.lazy(() =>
  z.discriminatedUnion("kind", [
    z.object({
      kind: z.enum(["bool", "float", "int", "str", "file", "secret", "any", "none"]),
    }),
    z.object({ kind: z.literal("path"), isPlain: z.boolean().default(false) }),
    z.object({ kind: z.literal("list"), item: typeSchema }),
    z.object({ kind: z.literal("dict"), value: typeSchema.optional() }),
    z.object({ kind: z.literal("union"), variants: z.array(typeSchema) }),
    z.object({ kind: z.literal("choice"), values: z.array(jsonSchema), isEnum: z.boolean() }),
    z.object({
      kind: z.literal("object"),
      name: z.string(),
      fields: z.array(z.object({ name: z.string(), type: typeSchema, isRequired: z.boolean() })),
      isTypedDict: z.boolean(),
    }),
    z.object({ kind: z.literal("iterator"), item: typeSchema, isConcatenated: z.boolean() }),
    z.object({ kind: z.literal("unknown"), message: z.string(), hint: z.string() }),
  ]),
) as z.ZodType<PythonType>;

const inputSchema = z.object({
  name: z.string(),
  type: typeSchema,
  default: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("none") }),
    z.object({ kind: z.literal("value"), value: jsonSchema }),
    z.object({ kind: z.literal("computed") }),
  ]),
  description: z.string().optional(),
  minimum: z.number().optional(),
  maximum: z.number().optional(),
  minLength: z.number().optional(),
  maxLength: z.number().optional(),
  pattern: z.string().optional(),
  choices: z.array(jsonSchema).optional(),
  isDeprecated: z.boolean().optional(),
  accept: z.string().optional(),
});

const halfSchema = z.union([
  z.object({ error: z.string() }),
  z.object({
    inputs: z.array(inputSchema),
    output: typeSchema.nullable(),
    isStreaming: z.boolean(),
  }),
]);

/** What `ask-image.py` prints. */
const answerSchema = z.object({ predict: halfSchema.optional(), train: halfSchema.optional() });

/** What a built image says of its model. */
export interface ImageAnswer {
  /** Undefined when the image could say nothing. */
  readonly document?: OpenApiDocument;
  /** Why it could not, for each half: `ModuleNotFoundError: …`. */
  readonly failures: readonly string[];
}

/**
 * Reads the answer of `ask-image.py`, and writes the document from it by the same rules as from the source. Text that is
 * no answer is a failure, never an exception.
 */
export function readImageAnswer(text: string, cogVersion: string): ImageAnswer {
  const parsed = check(text);
  if (parsed?.success !== true)
    return { failures: ["the image printed something else than its inputs"] };
  const operations: Operation[] = [];
  const failures: string[] = [];
  for (const mode of ["predict", "train"] as const) {
    const half = parsed.data[mode];
    if (half === undefined) continue;
    if ("error" in half) failures.push(half.error);
    else operations.push(operationOf(mode, half));
  }
  // A document with one half of two would hide what the source says of the other.
  if (operations.length === 0 || failures.length > 0) return { failures };
  return { document: createDocument({ operations, cogVersion }), failures };
}

function operationOf(
  mode: Mode,
  half: Exclude<z.infer<typeof halfSchema>, { error: string }>,
): Operation {
  const title = mode === "train" ? "TrainingInput" : "Input";
  const fields = half.inputs.map((input) => withoutUndefined(input));
  const { schema, enumerations } = describeInputs({ fields, title, isNameTaken: isComponentName });
  const type = half.output ?? undefined;
  return {
    mode,
    input: schema,
    enumerations,
    output: describeOutput(type),
    isStreaming: half.isStreaming && type?.kind === "iterator",
  };
}

type Defined<T> = { [K in keyof T]: Exclude<T[K], undefined> };

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(
    Object.entries(value).filter(([, item]) => item !== undefined),
  ) as Defined<T>;
}

function check(text: string): z.ZodSafeParseResult<z.infer<typeof answerSchema>> | undefined {
  try {
    return answerSchema.safeParse(JSON.parse(text));
  } catch {
    // No JSON, or nested deeper than any stack.
    return undefined;
  }
}
