import {
  selectModels,
  type CallKind,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";

const makers: Readonly<Partial<Record<CallKind, string>>> = {
  chat: "chatModel",
  embedding: "embeddingModel",
  image: "imageModel",
};

/** A module for the AI SDK over `@ai-sdk/openai-compatible` 3.0.92. */
export function exportToAiSdk(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, ["chat", "embedding", "image"]);
  const key =
    options.key === undefined ? `env.${options.keyEnv} ?? ""` : JSON.stringify(options.key);
  const entries = selected.map(
    ({ model, kind }) =>
      `  ${JSON.stringify(model.id)}: byom.${makers[kind]}(${JSON.stringify(model.id)}),`,
  );
  const text = [
    ...(options.key === undefined ? ['import { env } from "node:process";'] : []),
    'import { createOpenAICompatible } from "@ai-sdk/openai-compatible";',
    "",
    "export const byom = createOpenAICompatible({",
    `  name: ${JSON.stringify(options.name)},`,
    `  baseURL: ${JSON.stringify(`${options.baseUrl}/v1`)},`,
    `  apiKey: ${key},`,
    "  includeUsage: true,",
    "});",
    "",
    "export const models = {",
    ...entries,
    "};",
    "",
  ];
  return {
    language: "typescript",
    text: text.join("\n"),
    notes: ["It needs npm's @ai-sdk/openai-compatible."],
    skipped,
  };
}
