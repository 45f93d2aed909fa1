import type { CatalogEntry } from "../../catalog/entry.ts";
import { versionId } from "../../catalog/find.ts";

/** A model in Replicate's shape. */
export function replicateModel(entry: CatalogEntry, baseUrl: string): Record<string, unknown> {
  const [owner = "", name = ""] = entry.id.split("/");
  return {
    url: `${baseUrl}/v1/models/${entry.id}`,
    owner,
    name,
    description: entry.description,
    visibility: "private",
    github_url: null,
    paper_url: null,
    license_url: null,
    cover_image_url: null,
    run_count: 0,
    default_example: entry.example ?? null,
    latest_version: replicateVersion(entry),
  };
}

/** A version in Replicate's shape; its id is the image digest's hex. */
export function replicateVersion(entry: CatalogEntry): Record<string, unknown> {
  return {
    id: versionId(entry),
    created_at: entry.createdAt,
    cog_version: null,
    openapi_schema: openApiDocument(entry),
  };
}

/** The OpenAPI document of a model as its container serves it: what clients read is under `components.schemas`. */
export function openApiDocument(entry: CatalogEntry): Record<string, unknown> {
  const { components, ...input } = entry.inputSchema as { readonly components?: unknown };
  const { components: outputComponents, ...output } = entry.outputSchema as {
    readonly components?: unknown;
  };
  const schemas = { ...schemasOf(components), ...schemasOf(outputComponents) };
  const answer = {
    description: "Successful Response",
    content: {
      "application/json": { schema: { $ref: "#/components/schemas/PredictionResponse" } },
    },
  };
  const body = {
    required: true,
    content: { "application/json": { schema: { $ref: "#/components/schemas/PredictionRequest" } } },
  };
  return {
    openapi: "3.0.2",
    info: { title: entry.id, version: String(entry.version) },
    paths: {
      "/predictions": {
        post: {
          operationId: "predict_predictions_post",
          ...(entry.isStreaming ? { "x-cog-streaming": true } : {}),
          requestBody: body,
          responses: { "200": answer },
        },
      },
    },
    components: {
      schemas: {
        ...schemas,
        Input: input,
        Output: output,
        PredictionRequest: {
          type: "object",
          properties: {
            id: { type: "string" },
            input: { $ref: "#/components/schemas/Input" },
          },
        },
        PredictionResponse: {
          type: "object",
          properties: {
            id: { type: "string" },
            status: { type: "string" },
            output: { $ref: "#/components/schemas/Output" },
            error: { type: "string" },
            logs: { type: "string" },
            metrics: { type: "object" },
          },
        },
      },
    },
  };
}

function schemasOf(components: unknown): Record<string, unknown> {
  if (typeof components !== "object" || components === null || !("schemas" in components))
    return {};
  return { ...(components.schemas as Record<string, unknown>) };
}
