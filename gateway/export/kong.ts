import { priceOf } from "../catalog/formats/price.ts";
import {
  selectModels,
  slugOf,
  type CallableModel,
  type CallKind,
  type ExportedDocument,
  type ExportModel,
  type ExportOptions,
} from "./model.ts";
import { renderYaml } from "./yaml.ts";

const million = 1_000_000;
export const kongKinds: readonly CallKind[] = ["chat", "embedding"];
/** `[route type, path of byom]`; embeddings need Kong 3.11. */
const routeTypes: Readonly<Partial<Record<CallKind, readonly [string, string]>>> = {
  chat: ["llm/v1/chat", "/v1/chat/completions"],
  embedding: ["llm/v1/embeddings", "/v1/embeddings"],
};

/** ai-proxy asks for a service and never calls its address. */
export const kongServiceUrl = "http://localhost:32000";

/** What Kong's route of one model is named and where it lies. */
export function kongRoute(
  model: ExportModel,
  { name }: ExportOptions,
): { readonly name: string; readonly paths: readonly string[] } {
  return { name: `${name}-${slugOf(model.id)}`, paths: [`/${name}/${model.id}`] };
}

/** The plugin `ai-proxy` for one model (https://developer.konghq.com/plugins/ai-proxy/reference/, 3.12). */
export function kongPlugin(
  { model, kind }: CallableModel,
  options: ExportOptions,
  header: string,
): Readonly<Record<string, unknown>> {
  const [routeType, path] = routeTypes[kind] ?? ["llm/v1/chat", "/v1/chat/completions"];
  // Kong counts in dollars for a million tokens.
  const input = priceOf(model, "input-token", million);
  const output = priceOf(model, "output-token", million);
  return {
    name: "ai-proxy",
    config: {
      route_type: routeType,
      auth: { header_name: "Authorization", header_value: header },
      model: {
        provider: "openai",
        name: model.id,
        options: {
          upstream_url: `${options.baseUrl}${path}`,
          ...(input !== undefined && { input_cost: Number(input) }),
          ...(output !== undefined && { output_cost: Number(output) }),
        },
      },
      logging: { log_statistics: true, log_payloads: false },
    },
  };
}

/** A kong.yaml for decK: one route with ai-proxy for each model. */
export function exportToKong(
  models: readonly ExportModel[],
  options: ExportOptions,
): ExportedDocument {
  const { selected, skipped } = selectModels(models, kongKinds);
  const reference = `\${{ env "DECK_${options.keyEnv}" }}`;
  const header = `Bearer ${options.key ?? reference}`;
  const document = {
    _format_version: "3.0",
    services: [
      {
        name: options.name,
        url: kongServiceUrl,
        routes: selected.map((callable) => ({
          ...kongRoute(callable.model, options),
          plugins: [kongPlugin(callable, options, header)],
        })),
      },
    ],
  };
  return {
    language: "yaml",
    text: renderYaml(document),
    notes: [
      `Apply it with: DECK_${options.keyEnv}=$${options.keyEnv} deck gateway apply kong.yaml`,
      `A model is called at Kong's /${options.name}/MODEL.`,
    ],
    skipped,
  };
}
