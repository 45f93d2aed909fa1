import { modelsDevBlock } from "../catalog/formats/models-dev.ts";
import {
  selectModels,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";

/** A provider as models.dev's `api.json` lists them (2026): opencode and others read such a block. */
export function exportToModelsDev(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, ["chat"]);
  const block = modelsDevBlock(
    selected.map(({ model }) => model),
    { apiUrl: `${options.baseUrl}/v1` },
  );
  const named = { ...block, id: options.name, env: [options.keyEnv] };
  return {
    language: "json",
    text: `${JSON.stringify({ [options.name]: named }, undefined, 2)}\n`,
    notes: [`Readers of it take the key from ${options.keyEnv}.`],
    skipped,
  };
}
