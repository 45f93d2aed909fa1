import type { OpenApiDocument } from "../../builder/index.ts";
import { renderMembers, renderSchemaType, type Schema } from "./schema-type.ts";

/** Components of Cog's document that a model's own types are made of, and their names in TypeScript. */
const parts = [
  { component: "Input", name: "Input", isInput: true },
  { component: "Output", name: "Output", isInput: false },
  { component: "TrainingInput", name: "TrainingInput", isInput: true },
  { component: "TrainingOutput", name: "TrainingOutput", isInput: false },
] as const;

/** A TypeScript module with the types of one model's inputs and output, from its OpenAPI document. It imports nothing. */
export function renderTypesModule(document: OpenApiDocument): string {
  const { components } = document;
  const schemas = (components as { readonly schemas?: Readonly<Record<string, Schema>> }).schemas;
  const declarations = parts.flatMap(({ component, name, isInput }) => {
    const schema = schemas?.[component];
    if (schema === undefined) return [];
    const root = { ...schema, components };
    return [isInput ? renderInput(name, root) : renderOutput(name, root)];
  });
  const body = declarations.join("\n");
  const file = /\bFileInput\b/.test(body)
    ? "/** A file: an http(s) URL, or a data: URI with its content. */\nexport type FileInput = string;\n\n"
    : "";
  return `// Written by \`byom schema --types ts\`; write it again when the model has changed.\n\n${file}${body}`;
}

function renderInput(name: string, root: Schema): string {
  const members = renderMembers(root);
  if (members.length === 0) return `export type ${name} = Readonly<Record<string, never>>;\n`;
  return `export interface ${name} {\n${members.map((line) => `  ${line}\n`).join("")}}\n`;
}

/** Files of an output are named by URLs. */
function renderOutput(name: string, root: Schema): string {
  const type = renderSchemaType(root).replaceAll("FileInput", "string");
  const isJoined = root["x-cog-array-display"] === "concatenate";
  const note = isJoined ? "/** Pieces of one text, in order. */\n" : "";
  return `${note}export type ${name} = ${type};\n`;
}
