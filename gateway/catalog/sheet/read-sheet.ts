import { GatewayError } from "../../errors.ts";
import { readLiteLlm } from "./litellm.ts";
import { readModelsDev } from "./models-dev.ts";
import type { PriceSheet, SheetFormat, SheetModel } from "./sheet.ts";

/** models.dev has some 3,000 models in all; more is another kind of file. */
const modelsMax = 50_000;

/**
 * Reads a public list of models and prices in the shape of models.dev or LiteLLM, reduced to the providers that can be
 * called here.
 * @throws GatewayError `invalid_request` for anything else; a list without one usable model is refused too, so that an
 * error page does not replace a good list
 */
export function readSheet(
  document: unknown,
  options: {
    readonly source: string;
    /** ISO 8601. */
    readonly readAt: string;
    readonly canCall: (provider: string) => boolean;
  },
): PriceSheet {
  const { source, readAt, canCall } = options;
  const read = (format: SheetFormat, models: readonly SheetModel[] | undefined) =>
    models === undefined ? undefined : { format, models };
  const found =
    read("models.dev", readModelsDev(document)) ?? read("litellm", readLiteLlm(document));
  if (found === undefined) {
    throw new GatewayError(
      "invalid_request",
      `${source} is no list of models that byom can read.`,
      {
        hint: "Known are models.dev's api.json and LiteLLM's model_prices_and_context_window.json.",
      },
    );
  }
  const models = found.models.filter(({ provider }) => canCall(provider));
  if (models.length === 0 || models.length > modelsMax) {
    throw new GatewayError(
      "invalid_request",
      `${source} has ${found.models.length} models, ${models.length} of them of providers that can be called.`,
    );
  }
  return { format: found.format, source, readAt, models };
}
