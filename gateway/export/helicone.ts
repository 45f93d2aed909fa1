import {
  selectModels,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { renderYaml } from "./yaml.ts";

/** A provider of Helicone's ai-gateway: unknown names are called by OpenAI's API (Helicone/ai-gateway, 2025-07-30). */
export function exportToHelicone(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, ["chat"]);
  const keyName = `${options.name.toUpperCase().replaceAll("-", "_")}_API_KEY`;
  return {
    language: "yaml",
    text: renderYaml({
      providers: {
        [options.name]: {
          models: selected.map(({ model }) => model.id),
          "base-url": `${options.baseUrl}/`,
        },
      },
    }),
    notes: [`Helicone reads the key from its environment's ${keyName}.`],
    skipped,
  };
}
