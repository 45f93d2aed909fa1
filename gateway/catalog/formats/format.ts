import { GatewayError } from "../../errors.ts";
import type { CatalogEntry } from "../entry.ts";
import { cloudflareModels } from "./cloudflare.ts";
import { modelsDevBlock } from "./models-dev.ts";
import { openRouterModels } from "./openrouter.ts";

/** A list of models as readers of another catalog know it; undefined when there is no such format. */
export function formatModels(
  format: string,
  entries: readonly CatalogEntry[],
  options: {
    /** Base URL of the OpenAI-compatible API. */
    readonly apiUrl: string;
  },
): unknown {
  if (format === "openrouter") return openRouterModels(entries);
  if (format === "models.dev") return modelsDevBlock(entries, options);
  if (format === "cloudflare") {
    return { success: true, errors: [], messages: [], result: cloudflareModels(entries) };
  }
  return undefined;
}

export function unknownFormat(format: string): GatewayError {
  return new GatewayError("invalid_request", `There is no format ${format}.`, {
    parameter: "format",
    hint: "Known are openrouter, models.dev and cloudflare.",
  });
}
