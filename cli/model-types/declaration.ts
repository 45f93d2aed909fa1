import { comment, renderMembers, renderSchemaType, type Schema } from "./schema-type.ts";

/** What of a catalog's model its types are made of. */
export interface TypedModel {
  readonly name: string;
  readonly description: string;
  /** As the catalog names it, such as `Text Generation`. */
  readonly task: string;
  readonly input: Schema;
  readonly output: Schema;
}

const helpers = [
  "ChatAnswer",
  "ChatInputs",
  "EmbeddingAnswer",
  "EmbeddingInputs",
  "FileAnswer",
  "FileInput",
  "TextAnswer",
  "TranscriptAnswer",
] as const;

/**
 * A declaration file that tells `byom/client` the inputs and answers of these models, so that a call with a misspelt
 * input does not compile.
 */
export function renderDeclaration(models: readonly TypedModel[]): string {
  const entries = models
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map((model) => renderModel(model));
  const body = entries.join("");
  const used = helpers.filter((helper) => new RegExp(`\\b${helper}\\b`).test(body));
  // Without an import the file would be a declaration of the module, not an addition to it.
  const imports =
    used.length === 0 ? "export {};" : `import type { ${used.join(", ")} } from "byom/client";`;
  return `// Written by \`byom models types\`; write it again when a model has changed.
${imports}

declare module "byom/client" {
  interface AiModels {
${body}  }
}
`;
}

function renderModel(model: TypedModel): string {
  const other = otherInputs(model);
  const own = ownInputs(model);
  const lines = [
    comment(model.description === "" ? model.task : model.description),
    `${JSON.stringify(model.name)}: {`,
    ...member("inputs", own, other === undefined ? ";" : ` | ${other};`),
    `  output: ${answerType(model)};`,
    "  prediction: {",
    ...member("input", own, ";").map((line) => `  ${line}`),
    `    output: ${outputType(model)};`,
    "  };",
    "};",
  ];
  return lines.map((line) => `    ${line}\n`).join("");
}

/** The object type of a model's own inputs, line by line. */
function ownInputs({ input }: TypedModel): readonly string[] {
  const members = renderMembers(input);
  if (members.length === 0) return ["Readonly<Record<string, unknown>>"];
  return ["{", ...members.map((line) => `  ${line}`), "}"];
}

function member(name: string, type: readonly string[], end: string): readonly string[] {
  const lines = type.map((line, index) => (index === 0 ? `  ${name}: ${line}` : `  ${line}`));
  return lines.map((line, index) => (index === lines.length - 1 ? `${line}${end}` : line));
}

/** What the platform maps to a model of this task, beside its own inputs. */
function otherInputs({ task }: TypedModel): string | undefined {
  if (task === "Text Generation") return "ChatInputs";
  return task === "Text Embeddings" ? "EmbeddingInputs" : undefined;
}

/** The answer of `ai.run`, which is made from the output by the model's task. */
function answerType({ task, output }: TypedModel): string {
  if (task === "Text Generation") return "ChatAnswer";
  if (task === "Text Embeddings") return "EmbeddingAnswer";
  if (task === "Automatic Speech Recognition") return "TranscriptAnswer";
  const type = renderSchemaType(output);
  if (type === "FileInput" || type === "readonly (FileInput)[]") {
    return "FileAnswer | Readonly<Record<string, string>>";
  }
  if (type === "string" || output["x-cog-array-display"] === "concatenate") return "TextAnswer";
  return outputType({ output });
}

/** The output as the model gives it; its files are named by URLs. */
function outputType({ output }: Pick<TypedModel, "output">): string {
  return renderSchemaType(output).replaceAll("FileInput", "string");
}
