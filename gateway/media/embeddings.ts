import type { CatalogEntry } from "../catalog/entry.ts";
import { GatewayError } from "../errors.ts";
import { isObject } from "../http/body.ts";
import { assertServes, ModelInputs } from "./inputs.ts";
import { answerOf } from "./output.ts";

/** Names under which models take what is to be embedded, the most usual first. */
const textNames = ["input", "inputs", "texts", "text", "sentences", "prompt"] as const;

/** Texts of one call, as OpenAI bounds them. */
const textsMax = 2048;

/** How the texts of a call go to a model: all in one prediction, or one prediction each. */
export interface EmbeddingCalls {
  /** One input per prediction. */
  readonly inputs: readonly Readonly<Record<string, unknown>>[];
  /** Vectors that each prediction is to give. */
  readonly vectorsEach: number;
  readonly texts: readonly string[];
}

export interface EmbeddingParameters {
  /** A text or a list of texts. */
  readonly input: unknown;
  readonly dimensions?: unknown;
  /** Whatever else the caller says, for inputs of the same name. */
  readonly rest?: Readonly<Record<string, unknown>>;
}

/**
 * The predictions that embed the texts.
 * @throws `GatewayError`: `invalid_request`, `unsupported_parameter`
 */
export function embeddingCalls(
  entry: CatalogEntry,
  parameters: EmbeddingParameters,
): EmbeddingCalls {
  assertServes(entry, {
    format: "embeddings",
    tasks: ["text-embeddings"],
    what: "an embedding model",
  });
  const texts = parseTexts(parameters.input);
  const inputs = new ModelInputs(entry);
  const name = inputs.nameOf(textNames);
  if (name === undefined) {
    throw new GatewayError(
      "invalid_request",
      `${entry.id} has none of the inputs ${textNames.join(", ")}, so it is not known how it takes texts.`,
      {
        parameter: "model",
        hint: "Name its input in byom.yaml: `mapping: { inputs: { text: NAME } }`.",
      },
    );
  }
  inputs.pass({ name: "dimensions", value: parameters.dimensions, names: ["dimensions"] });
  inputs.passRest(parameters.rest ?? {}, new Set());
  const form = listForm(inputs, name);
  if (form === "one") {
    return {
      texts,
      vectorsEach: 1,
      inputs: texts.map((text) => ({ ...inputs.input, [name]: text })),
    };
  }
  const value = form === "json" ? JSON.stringify(texts) : texts;
  return { texts, vectorsEach: texts.length, inputs: [{ ...inputs.input, [name]: value }] };
}

/** `one`: the model takes one text a prediction; `json`: a list written as JSON, where Cog could declare only a string. */
function listForm(inputs: ModelInputs, name: string): "list" | "json" | "one" {
  const types = inputs.typesOf(name);
  if (types.size === 0 || types.has("array")) return "list";
  const { description } = inputs.schemaOf(name);
  const isJson = typeof description === "string" && /\bjson\b/i.test(description);
  return isJson ? "json" : "one";
}

function parseTexts(input: unknown): readonly string[] {
  const texts: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (texts.length > 0 && texts.every((text) => typeof text === "number" || Array.isArray(text))) {
    throw invalid("input must be texts: lists of tokens are not taken, for each model has its own");
  }
  if (!isTexts(texts) || texts.length === 0) {
    throw invalid("input must be a text or a list of texts, none of them empty");
  }
  if (texts.length > textsMax) {
    throw invalid(`input has ${texts.length} texts, more than ${textsMax}`);
  }
  return texts;
}

function isTexts(values: readonly unknown[]): values is readonly string[] {
  return values.every((value) => typeof value === "string" && value !== "");
}

export type Vector = readonly number[];

/**
 * The vectors in an output: one or a list of them, bare or under `embedding`, `embeddings`, `data` or `vectors`.
 * @throws `GatewayError` `upstream_failed` when there are not as many as texts
 */
export function embeddingVectors(
  entry: CatalogEntry,
  output: unknown,
  wanted: number,
): readonly Vector[] {
  const vectors = findVectors(answerOf(entry, output), 0);
  if (vectors === undefined) {
    throw new GatewayError("upstream_failed", `${entry.id} answered without an embedding.`, {
      hint: "Where the vectors lie deeper, name their place in byom.yaml: `mapping: { output: data.vectors }`.",
    });
  }
  if (vectors.length !== wanted) {
    throw new GatewayError(
      "upstream_failed",
      `${entry.id} answered with ${vectors.length} embeddings for ${wanted} texts.`,
    );
  }
  return vectors;
}

const holders = ["embedding", "embeddings", "data", "vectors", "vector"] as const;
/** `[{ "embedding": { "data": [[…]] } }]` is as deep as any API goes. */
const depthMax = 5;

function findVectors(value: unknown, depth: number): readonly Vector[] | undefined {
  if (depth > depthMax) return undefined;
  if (isVector(value)) return [value];
  if (Array.isArray(value)) {
    if (value.length === 0) return undefined;
    if (value.every(isVector)) return value;
    const each = inOrder(value).map((item) => findVectors(item, depth + 1));
    const found = each.flatMap((vectors) => vectors ?? []);
    return each.includes(undefined) ? undefined : found;
  }
  if (!isObject(value)) return undefined;
  for (const holder of holders) {
    if (!Object.hasOwn(value, holder)) continue;
    const found = findVectors(value[holder], depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** OpenAI's items carry their position. */
function inOrder(items: readonly unknown[]): readonly unknown[] {
  const positions = items.map((item) => (isObject(item) ? item["index"] : undefined));
  if (!positions.every((position) => typeof position === "number")) return items;
  return items.toSorted(
    (a, b) => Number((a as { index: number }).index) - Number((b as { index: number }).index),
  );
}

function isVector(value: unknown): value is Vector {
  return (
    Array.isArray(value) && value.length > 0 && value.every((item) => typeof item === "number")
  );
}

/** A vector as OpenAI sends it for `encoding_format: base64`: 32-bit floats, little-endian. */
export function vectorBase64(vector: Vector): string {
  const bytes = Buffer.allocUnsafe(vector.length * 4);
  vector.forEach((value, index) => bytes.writeFloatLE(value, index * 4));
  return bytes.toString("base64");
}

function invalid(message: string): GatewayError {
  return new GatewayError("invalid_request", `${message}.`, { parameter: "input" });
}
