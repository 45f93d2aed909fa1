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
  const members = renderMembers(model.input);
  const own =
    members.length === 0
      ? ["inputs: Readonly<Record<string, unknown>>"]
      : ["inputs: {", ...members.map((member) => `  ${member}`), "}"];
  const other = otherInputs(model);
  const lines = [
    comment(model.description === "" ? model.task : model.description),
    `${JSON.stringify(model.name)}: {`,
    ...own.slice(0, -1).map((line) => `  ${line}`),
    `  ${own.at(-1)}${other === undefined ? "" : ` | ${other}`};`,
    `  output: ${answerType(model)};`,
    "};",
  ];
  return lines.map((line) => `    ${line}\n`).join("");
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
  return type.replaceAll("FileInput", "string");
}
